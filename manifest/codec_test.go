package manifest

import (
	"bytes"
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestManifestsRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		m := genManifest().Draw(t, "manifest")
		data, err := m.Encode()
		if err != nil {
			t.Fatal(err)
		}
		got, err := DecodeManifest(data, m.Sequence)
		if err != nil {
			t.Fatalf("%v:\n%s", err, data)
		}
		if !sameManifest(got, m) {
			t.Fatalf("read back as\n%+v, not\n%+v", got, m)
		}
		again, err := got.Encode()
		if err != nil || !bytes.Equal(data, again) {
			t.Fatalf("%v:\n%s\n%s", err, data, again)
		}
		checkAccepted(t, data, again, false)
		s, err := DecodeSummary(data[:min(len(data), SummaryBytes)], m.Sequence)
		if err != nil || !reflect.DeepEqual(*s, got.Summary) {
			t.Fatalf("%v: summary %+v, not %+v", err, s, got.Summary)
		}
	})
}

func sameManifest(a, b *Manifest) bool {
	x, y := *a, *b
	x.Files, y.Files = nil, nil
	return a.Created.Equal(b.Created) && reflect.DeepEqual(x, y) && sameFiles(a.Files, b.Files)
}

// The longest that every field of the summary can be, in characters that JSON escapes or that the
// name rules count threefold, must fit into the part that listings read.
func TestLongestSummary(t *testing.T) {
	t.Parallel()
	longest := 0
	for _, text := range []string{
		strings.Repeat(`"`, MaxNodeBytes), strings.Repeat(`\`, MaxNodeBytes),
		strings.Repeat("\u2028", MaxNodeBytes/3), strings.Repeat("é", MaxNodeBytes/2),
	} {
		for _, name := range []string{
			strings.Repeat("a", 200) + "/" + strings.Repeat("b", 200) + "/" + strings.Repeat("c", 110),
			strings.Repeat(`"`, 66) + "/" + strings.Repeat(`"`, 66) + "/" + strings.Repeat(`"`, 36),
			strings.Repeat("\u2028", 22) + "/" + strings.Repeat("\u2028", 22) + "/" + strings.Repeat("\u2028", 12),
		} {
			m := testManifest()
			const most = 1<<63 - 2
			m.Sequence, m.Parent.Sequence = MaxSequence, MaxSequence-1
			m.Node, m.Tool, m.Layout, m.DurationMS = text, text, text, 1<<63-1
			m.ConsistentThrough = &Point{name, MaxFileSize}
			m.Counts = Counts{most, most, most, most, most, most, most, most}
			m.Recipients, m.Files = nil, nil
			m.Writer, m.LeftOut = testID, &LeftOut{most, name}
			m.Labels = map[string]string{"group": strings.Repeat("a", maxShortText)}
			for len(m.Labels) < maxLabels && m.validateNotes() == nil {
				m.Labels[strings.Repeat("l", len(m.Labels)+1)] = "v"
			}
			if m.validateNotes() != nil { // the last one was too much
				delete(m.Labels, strings.Repeat("l", len(m.Labels)-1))
			}
			if err := m.Summary.validate(); err != nil {
				t.Fatal(err)
			}
			data := rawJSON(t, m)
			head := data[:bytes.Index(data, []byte(`"pages"`))]
			longest = max(longest, len(head))
			s, err := DecodeSummary(data, MaxSequence)
			if err != nil || !reflect.DeepEqual(*s, m.Summary) {
				t.Errorf("%v: %+v", err, s)
			}
		}
	}
	if t.Logf("the longest summary has %d of %d bytes", longest, SummaryBytes); longest > SummaryBytes {
		t.Errorf("a summary of %d bytes", longest)
	}
}

// A long manifest is listed from its beginning alone.
func TestSummaryOfHead(t *testing.T) {
	t.Parallel()
	m := testManifest()
	m.Files = manyFiles(250)
	data := mustEncode(t, recount(m))
	s, err := DecodeSummary(data[:SummaryBytes], 42)
	if err != nil || !reflect.DeepEqual(*s, m.Summary) {
		t.Errorf("%v: %+v", err, s)
	}
	if _, err := DecodeSummary(data[:SummaryBytes], 41); err == nil {
		t.Error("a summary under another key")
	}
	for _, field := range summaryFields {
		bad := bytes.Replace(data, []byte(`"`+field+`":`), []byte(`"x":`), 1)
		if _, err := DecodeSummary(bad[:SummaryBytes], 42); err == nil {
			t.Errorf("a summary without %s", field)
		}
	}
}

func TestEncodeDoesNotChange(t *testing.T) {
	t.Parallel()
	m := testManifest()
	m.Files = nil
	recount(m)
	data := mustEncode(t, m)
	if m.Files != nil {
		t.Error("Encode changed the manifest")
	}
	if !bytes.HasSuffix(data, []byte(`"pages":null,"files":[]}`+"\n")) {
		t.Errorf("%s", data)
	}
}

// Equal must compare every field: changing any one of them makes another entry.
func TestEqualKnowsEveryField(t *testing.T) {
	t.Parallel()
	if n := reflect.TypeFor[File]().NumField() + reflect.TypeFor[Part]().NumField() + reflect.TypeFor[StoredSums]().NumField() + reflect.TypeFor[Check]().NumField(); n != 9+5+5+9 {
		t.Errorf("%d fields; does Equal compare the new ones?", n)
	}
	base := testManifest().Files
	for i, change := range []func(f *File){
		func(f *File) { f.Name += "x" },
		func(f *File) { f.Size++ },
		func(f *File) { f.Modified = f.Modified.Add(1) },
		func(f *File) { f.SHA256[31]++ },
		func(f *File) { f.Snapshot++ },
		func(f *File) { f.State = Tail },
		func(f *File) { f.Check = nil },
		func(f *File) { f.Check.By += "x" },
		func(f *File) { f.Check.Entries++ },
		func(f *File) { f.Check.Result = CheckOK },
		func(f *File) { f.Check.Why += "x" },
		func(f *File) { f.Check.At = nil },
		func(f *File) { *f.Check.At++ },
		func(f *File) { f.Check.Last++ },
		func(f *File) { f.Check.Previous++ },
		func(f *File) { f.Check.Invisible++ },
		func(f *File) { f.Check.Erased++ },
		func(f *File) { f.Parts = append(f.Parts, Part{}) },
		func(f *File) { f.Parts[0].Object += "x" },
		func(f *File) { f.Parts[0].Size++ },
		func(f *File) { f.Parts[0].SHA256[0]++ },
		func(f *File) { f.Parts[0].Encoding = Zstd },
		func(f *File) { f.Parts[0].Stored.Size++ },
		func(f *File) { f.Parts[0].Stored.SHA256[0]++ },
		func(f *File) { f.Parts[0].Stored.CRC32C++ },
		func(f *File) { f.Parts[0].Stored.MD5 = "" },
		func(f *File) { f.Parts[0].Stored.Offset = new(int64) },
	} {
		f, g := &testManifest().Files[1], &base[1]
		if !f.Equal(g) || !g.Equal(f) {
			t.Fatal("equal entries differ")
		}
		if change(f); f.Equal(g) || g.Equal(f) {
			t.Errorf("change %d is not noticed", i)
		}
	}
}

// Only the package's own reader decodes: encoding/json, which is lax, refuses.
func TestNoUnmarshal(t *testing.T) {
	t.Parallel()
	if err := json.Unmarshal(mustEncode(t, testManifest()), &Manifest{}); err == nil {
		t.Error("encoding/json reads a manifest")
	}
}
