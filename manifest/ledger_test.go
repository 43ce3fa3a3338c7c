package manifest

import (
	"bytes"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestRecordsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord().Draw(t, "record")
		data, err := r.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeRecord(data, r.Number)
		if err != nil {
			t.Fatalf("%v:\n%s", err, data)
		}
		again, err := got.Encode()
		if err != nil || !bytes.Equal(data, again) {
			t.Fatalf("%v:\n%s\n%s", err, data, again)
		}
		checkAccepted(t, data, again, false)
	})
}

func TestRecordValid(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		r := genRecord().Draw(t, "record")
		sequence := rapid.Int64Range(-1, 50).Draw(t, "sequence")
		hash := genHash().Draw(t, "hash")
		for _, k := range r.Kept {
			if k.Sequence == sequence && rapid.Bool().Draw(t, "right hash") {
				hash = k.SHA256
			}
		}
		void := slices.Contains(r.Void, sequence)
		above := sequence > r.Newest && !void
		named, same := false, false
		for _, k := range r.Kept {
			named = named || k.Sequence == sequence
			same = same || k.Sequence == sequence && k.SHA256 == hash
		}
		if r.Valid(sequence, hash) != (above || same) || r.ValidNumber(sequence) != (above || named) {
			t.Fatalf("%d: %v, %v", sequence, r.Valid(sequence, hash), r.ValidNumber(sequence))
		}
		if r.IsVoid(sequence) != void {
			t.Fatalf("%d: void %v", sequence, !void)
		}
		if lacks := !above && !named || slices.Contains(r.Removed, sequence); r.Lacks(sequence) != lacks {
			t.Fatalf("%d: lacks %v", sequence, !lacks)
		}
	})
	var none *Record
	if !none.Valid(1, Hash{}) || !none.ValidNumber(1) || none.Lacks(1) {
		t.Error("without a ledger every snapshot is valid")
	}
}

func TestHostileRecords(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault  string
		change func(r *Record)
	}{
		{"", func(r *Record) {}},
		{"", func(r *Record) { r.Parent, r.Removed, r.Why = nil, nil, "" }},
		{"unknown format version", func(r *Record) { r.Format = "strongroom/3" }},
		{"UUID", func(r *Record) { r.Archive = "" }},
		{"the key of 7", func(r *Record) { r.Number = 8 }},
		{"does not come before", func(r *Record) { r.Parent.Number = 7 }},
		{"does not come before", func(r *Record) { r.Parent.Number = 0 }},
		{"why", func(r *Record) { r.Why = "\x1b[31m" }},
		{"", func(r *Record) { r.Newest, r.Kept = 0, nil }}, // a copy begins, and leaves out 13 and 40
		{"newest", func(r *Record) { r.Newest = 0 }},
		{"newest", func(r *Record) { r.Newest, r.Kept, r.Removed = 0, nil, nil }},
		{"newest", func(r *Record) { r.Newest, r.Kept = -1, nil }},
		{"must be the last one", func(r *Record) { r.Kept = []Kept{} }},
		{"must be the last one", func(r *Record) { r.Kept = r.Kept[:2] }},
		{"must be the last one", func(r *Record) { r.Newest = 43 }},
		{"must be the last one", func(r *Record) { r.Newest = 41 }},
		{"out of order", func(r *Record) { r.Kept[0].Sequence = 41 }},
		{"out of order", func(r *Record) { r.Kept[0].Sequence = 42 }},
		{"out of order", func(r *Record) { r.Kept[0].Sequence = 0 }},
		{"held", func(r *Record) { r.Kept[0].Held = "a\nb" }},
		{"removed", func(r *Record) { r.Removed = []int64{12} }},
		{"", func(r *Record) { r.Removed = []int64{13, 43} }}, // left out by a copy
		{"removed", func(r *Record) { r.Removed = []int64{MaxSequence + 1} }},
		{"removed", func(r *Record) { r.Removed = []int64{0} }},
		{"removed", func(r *Record) { r.Removed = []int64{13, 13} }},
		{"removed", func(r *Record) { r.Removed = []int64{40, 13} }},
		{"not a whole number", func(r *Record) { r.Newest = 1e9 }},
	} {
		r := testRecord()
		test.change(r)
		_, encodeErr := r.Encode()
		if r.Removed == nil {
			r.Removed = []int64{}
		}
		if r.Kept == nil {
			r.Kept = []Kept{}
		}
		got, err := DecodeRecord(rawJSON(t, r), 7)
		if test.fault == "" {
			if err != nil || encodeErr != nil || got == nil {
				t.Errorf("a good one: %v, %v", err, encodeErr)
			}
			continue
		}
		wantFault(t, err, test.fault)
		if encodeErr == nil && r.Number == 7 {
			t.Errorf("%q: it can be encoded", test.fault)
		}
	}
	good := string(mustEncode(t, testRecord()))
	for _, change := range []struct{ from, to, fault string }{
		{`,"held":"audit <2025> & more"`, `,"held":""`, "held: it is empty"},
		{`"removed":[13,40]`, `"removed":[]`, ""},
		{`"removed":[13,40]`, `"removed":null`, "expected"},
		{`,"removed":[13,40]`, ``, `"removed" is missing`},
		{`"newest":42`, `"newest":42,"newest":42`, "twice"},
	} {
		_, err := DecodeRecord([]byte(strings.Replace(good, change.from, change.to, 1)), 7)
		if change.fault == "" && err == nil {
			continue
		}
		wantFault(t, err, change.fault)
	}
}

func TestHostileArchives(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		fault  string
		change func(a *Archive)
	}{
		{"", func(a *Archive) {}},
		{"unknown format version", func(a *Archive) { a.Format = "strongroom/3" }},
		{"UUID", func(a *Archive) { a.ID = "{" + testID[:34] + "}" }},
		{"UUID", func(a *Archive) { a.ID = strings.ReplaceAll(testID, "-", "0") }},
		{"UUID", func(a *Archive) { a.ID = strings.Replace(testID, "6", "-", 1) }},
		{"layout", func(a *Archive) { a.Layout = "" }},
		{"layout", func(a *Archive) { a.Layout = strings.Repeat("x", 256) }},
		{"layout", func(a *Archive) { a.Layout = "\r" }},
		{"created", func(a *Archive) { a.Created = a.Created.In(testZone) }},
	} {
		a := testArchive()
		test.change(a)
		_, encodeErr := a.Encode()
		_, err := DecodeArchive(rawJSON(t, a))
		if test.fault == "" {
			if err != nil || encodeErr != nil {
				t.Errorf("the good one: %v, %v", err, encodeErr)
			}
			continue
		}
		wantFault(t, err, test.fault)
		wantFault(t, encodeErr, test.fault)
	}
}
