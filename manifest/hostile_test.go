package manifest

import (
	"bytes"
	"errors"
	"slices"
	"strings"
	"testing"
)

// Each case changes a good manifest and writes it with a writer that checks nothing.
func TestHostileManifests(t *testing.T) {
	t.Parallel()
	hash := content("x")
	for _, test := range []struct {
		fault  string
		change func(m *Manifest)
	}{
		{"", func(m *Manifest) {}},
		{"element ..", rename("../x")},
		{"element ..", rename("a/../../x")},
		{"absolute", rename("/etc/cron.d/x")},
		{"backslash", rename(`..\x`)},
		{"control", rename("a\x00.jdb")},
		{"control", rename("a\n")},
		{"empty", rename("")},
		{"object", rename(hash.String())},
		{"element longer", rename(strings.Repeat("x", 201))},
		{"512", rename(strings.Repeat("x/", 300) + "x")},
		{"twice", func(m *Manifest) { m.Files[1] = m.Files[0] }},
		{"letter case", func(m *Manifest) { m.Files = []File{plainFile("A.jdb", 1, 1), plainFile("a.jdb", 1, 1)} }},
		{"directory of another", func(m *Manifest) { m.Files = []File{plainFile("a", 1, 1), plainFile("a/b", 1, 1)} }},
		{"out of order", func(m *Manifest) { slices.Reverse(m.Files) }},
		{"more than 250 entries", func(m *Manifest) { m.Files = manyFiles(251) }},
		{"not a whole number", func(m *Manifest) { m.Files[0].Size = 5 << 60 }}, // 5 EiB
		{"not a whole number", func(m *Manifest) { m.Files[0].Size = MaxFileSize + 1 }},
		{"not a whole number", func(m *Manifest) { m.Files[0].Size = -1 }},
		{"not a whole number", func(m *Manifest) { m.Files[0].Parts[0].Size = 5 << 60 }},
		{"not a whole number", func(m *Manifest) { m.Files[0].Parts[0].Stored.Size = 5 << 60 }},
		{"not a whole number", func(m *Manifest) { m.Files[0].Parts[0].Stored.Offset = new(int64(MaxBundle + 1)) }},
		{"its parts have", func(m *Manifest) { m.Files[0].Size++ }},
		{"0 parts", func(m *Manifest) { m.Files[0].Parts = []Part{} }},
		{"closed file has one", func(m *Manifest) { m.Files[3].State = Closed }},
		{"more than 64 parts", func(m *Manifest) { m.Files[3].Parts = slices.Repeat(m.Files[3].Parts, 33) }},
		{"unknown state", func(m *Manifest) { m.Files[0].State = "open" }},
		{"another hash", func(m *Manifest) { m.Files[0].SHA256 = hash }},
		{"is not between 1 and 42", func(m *Manifest) { m.Files[0].Snapshot = 43 }},
		{"is not between 1 and 42", func(m *Manifest) { m.Files[0].Snapshot = 0 }},
		{"unknown encoding", func(m *Manifest) { m.Files[0].Parts[0].Encoding = "gzip" }},
		{"not the key of a data object", func(m *Manifest) { m.Files[0].Parts[0].Object = "archive.json" }},
		{"not the key of a data object", func(m *Manifest) { m.Files[0].Parts[0].Object = "../other/" + BundleKey(hash, 1) }},
		{"not the key of a data object", func(m *Manifest) { m.Files[0].Parts[0].Object = PageKey(hash, 1) }},
		{"later snapshot", func(m *Manifest) { m.Files[0].Parts[0].Object = BundleKey(hash, 43) }},
		{"key of other content", func(m *Manifest) { m.Files[1].Parts[0].Object = DataKey("0000002b.jdb", hash, 1, Plain, nil) }},
		{"key of other content", func(m *Manifest) {
			m.Files[1].Parts[0].Object = DataKey("x", m.Files[1].SHA256, 1, Plain, nil) // another file's
		}},
		{"key of other content", func(m *Manifest) {
			m.Files[1].Parts[0].Object = DataKey("0000002b.jdb", m.Files[1].SHA256, 1, Zstd, nil)
		}},
		{"within the bundle", func(m *Manifest) { m.Files[0].Parts[0].Stored.Offset = nil }},
		{"within the bundle", func(m *Manifest) { m.Files[0].Parts[0].Stored.Offset = new(int64(MaxBundle)) }},
		{"is not in a bundle", func(m *Manifest) { m.Files[1].Parts[0].Stored.Offset = new(int64(0)) }},
		{"stored bytes differ", func(m *Manifest) { m.Files[0].Parts[0].Stored.Size-- }},
		{"stored bytes differ", func(m *Manifest) { m.Files[0].Parts[0].Stored.SHA256 = hash }},
		{"have no hash", func(m *Manifest) { m.Files[2].Parts[0].Stored.SHA256 = Hash{} }},
		{"MD5", func(m *Manifest) { m.Files[0].Parts[0].Stored.MD5 = "0123456789ABCDEF0123456789ABCDEF" }},
		{"MD5", func(m *Manifest) { m.Files[0].Parts[0].Stored.MD5 = "00" }},
		{"check: ", func(m *Manifest) { m.Files[0].Check.Result = "fine" }},
		{"check: ", func(m *Manifest) { m.Files[0].Check.By = "" }},
		{"check: ", func(m *Manifest) { m.Files[0].Check.Why = "why, if it is ok" }},
		{"check: ", func(m *Manifest) { m.Files[1].Check.At = nil }},
		{"check: ", func(m *Manifest) { m.Files[1].Check.At = new(int64(5001)) }},
		{"check: ", func(m *Manifest) { m.Files[1].Check.Why = "\x1b]0;owned\a" }},
		{"but the entries have", func(m *Manifest) { m.Counts.Files = 1e12 }},
		{"but the entries have", func(m *Manifest) { m.Counts.Bytes++ }},
		{"but the entries have", func(m *Manifest) { m.Counts.StoredBytes-- }},
		{"but the entries have", func(m *Manifest) { m.Counts.Damaged = 0 }},
		{"is impossible", func(m *Manifest) { m.Counts.Added = 1<<63 - 1 }},
		{"not a whole number", func(m *Manifest) { m.Counts.Removed = -1 }},
		{"not a whole number", func(m *Manifest) { m.DurationMS = -1 }},
		{"unknown format version", func(m *Manifest) { m.Format = "strongroom/3" }},
		{"unknown format version", func(m *Manifest) { m.Format = "strongroom/10" }},
		{"unknown format version", func(m *Manifest) { m.Format = "" }},
		{"UUID", func(m *Manifest) { m.Archive = strings.ToUpper(testID) }},
		{"UUID", func(m *Manifest) { m.Archive = testID + "0" }},
		{"the key of 42", func(m *Manifest) { m.Sequence = 43 }},
		{"not a whole number", func(m *Manifest) { m.Sequence = 1e9 }},
		{"does not come before", func(m *Manifest) { m.Parent.Sequence = 42 }},
		{"does not come before", func(m *Manifest) { m.Parent.Sequence = 0 }},
		{"node: it is empty", func(m *Manifest) { m.Node = "" }},
		{"node: longer", func(m *Manifest) { m.Node = strings.Repeat("n", 256) }},
		{"tool: not valid", func(m *Manifest) { m.Tool = "\x1b[2J" }},
		{"layout: not valid", func(m *Manifest) { m.Layout = "\u0085" }},
		{"consistent_through", func(m *Manifest) { m.ConsistentThrough.Name = "../x" }},
		{"consistent_through", func(m *Manifest) { m.ConsistentThrough.Size = MaxFileSize + 1 }},
		{"recipients", func(m *Manifest) { m.Recipients = []string{""} }},
		{"recipients", func(m *Manifest) { m.Recipients = []string{"age1\n# x"} }},
		{"recipients", func(m *Manifest) { m.Recipients = slices.Repeat([]string{"a"}, MaxRecipients+1) }},
		{"empty list of pages", func(m *Manifest) { m.Pages = []PageRef{} }},
		{"both pages and files", func(m *Manifest) { m.Pages = testPages() }},
	} {
		m := testManifest()
		test.change(m)
		if c := testManifest().Counts; test.fault != "but the entries have" && m.Counts == c {
			recount(m)
		}
		data := rawJSON(t, m)
		got, err := DecodeManifest(data, 42)
		if test.fault == "" {
			if err != nil || got == nil {
				t.Errorf("the good one: %v", err)
			}
			continue
		}
		var bad *ParseError
		if err == nil || !strings.Contains(err.Error(), test.fault) || !errors.As(err, &bad) || got != nil {
			t.Errorf("%q: %v", test.fault, err)
		} else if strings.ContainsAny(err.Error(), "\x00\x1b\n\a") || len(err.Error()) > 2000 {
			t.Errorf("an error that harms a terminal: %q", err)
		}
		if _, err := m.Encode(); err == nil && test.fault != "the key of 42" {
			t.Errorf("%q: it can be encoded", test.fault)
		}
	}
}

// rename gives the first file another name, and its object a matching key.
func rename(name string) func(*Manifest) {
	return func(m *Manifest) {
		m.Files = []File{plainFile("x", 42, 1)}
		m.Files[0].Name = name
		m.Files[0].Parts[0].Object = DataKey(name, m.Files[0].SHA256, 42, Plain, nil)
	}
}

// testPages are references to pages that are not stored.
func testPages() []PageRef {
	ref := func(first, last string, count int) PageRef {
		h := content(first)
		return PageRef{PageKey(h, 1), h, StoredSums{Size: 9999, SHA256: content("zst"), CRC32C: 1}, count, first, last}
	}
	return []PageRef{ref("a", "b", 250), ref("c", "d", 1000)}
}

func TestHostilePageReferences(t *testing.T) {
	t.Parallel()
	hash := content("other")
	for _, test := range []struct {
		fault  string
		change func(m *Manifest)
	}{
		{"", func(m *Manifest) {}},
		{"not a whole number", func(m *Manifest) { m.Pages[0].Count = 1e12 }},
		{"not a whole number", func(m *Manifest) { m.Pages[0].Count = 1001 }},
		{"a page has", func(m *Manifest) { m.Pages[0].Count = 249 }},
		{"but counts has", func(m *Manifest) { m.Counts.Files = 1e12 }},
		{"entries need none", func(m *Manifest) { m.Pages, m.Counts.Files = m.Pages[:1], 250 }},
		{"does not come after", func(m *Manifest) { slices.Reverse(m.Pages) }},
		{"does not come after", func(m *Manifest) { m.Pages[1] = m.Pages[0] }},
		{"does not come after", func(m *Manifest) { m.Pages[1].First = "b" }},
		{"does not come before", func(m *Manifest) { m.Pages[0].Last = "a" }},
		{"element ..", func(m *Manifest) { m.Pages[0].First = "../a" }},
		{"control", func(m *Manifest) { m.Pages[0].Last = "b\x00" }},
		{"not the key of a page", func(m *Manifest) { m.Pages[0].Object = BundleKey(hash, 1) }},
		{"not the key of a page", func(m *Manifest) { m.Pages[0].Object = "/" + m.Pages[0].Object }},
		{"key of other content", func(m *Manifest) { m.Pages[0].SHA256 = hash }},
		{"later snapshot", func(m *Manifest) { m.Pages[0].Object = PageKey(m.Pages[0].SHA256, 43) }},
		{"not between 0 and", func(m *Manifest) { m.Pages[0].Stored.Size = MaxPageBytes + 1 }},
		{"have no hash, or an offset", func(m *Manifest) { m.Pages[0].Stored.SHA256 = Hash{} }},
		{"have no hash, or an offset", func(m *Manifest) { m.Pages[0].Stored.Offset = new(int64(0)) }},
		{"MD5", func(m *Manifest) { m.Pages[0].Stored.MD5 = "x" }},
	} {
		m := testManifest()
		m.Pages, m.Files = testPages(), []File{}
		m.Counts.Files = 1250
		test.change(m)
		data := rawJSON(t, m)
		_, err := DecodeManifest(data, 42)
		_, encodeErr := m.Encode()
		if test.fault == "" {
			if err != nil || encodeErr != nil {
				t.Errorf("the good one: %v, %v", err, encodeErr)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%q: %v", test.fault, err)
		}
		if encodeErr == nil {
			t.Errorf("%q: it can be encoded", test.fault)
		}
	}
}

// Cases that only Encode can meet: values that have no JSON of their own, or another one.
func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	for i, change := range []func(m *Manifest){
		func(m *Manifest) { m.Node = "\xff" },
		func(m *Manifest) { m.Recipients = []string{"\xff"} },
		func(m *Manifest) { m.Files[1].Check.Why = "\xff" },
		func(m *Manifest) { m.Files[1].Check.By = "\xff" },
		func(m *Manifest) { m.Files[2].Parts[0].Stored.Size = -1; recount(m) },
		func(m *Manifest) { m.Files[2].Parts[0].Stored.Size = 3 * MaxFileSize; recount(m) },
		func(m *Manifest) { m.Files[0].Parts[0].Stored.Offset = new(int64(1<<63 - 1)) }, // plus the size: negative
		func(m *Manifest) { m.Files[0].Parts[0].Stored.Offset = new(int64(-1)) },
		func(m *Manifest) { m.Created = m.Created.AddDate(8000, 0, 0) },
		func(m *Manifest) { m.Created = m.Created.Local().In(testZone) },
		func(m *Manifest) { m.Sequence = 1e9 },
	} {
		m := testManifest()
		change(m)
		if data, err := m.Encode(); err == nil {
			t.Errorf("case %d is encoded as %s", i, data)
		}
	}
}

func TestHostileText(t *testing.T) {
	t.Parallel()
	good := string(mustEncode(t, testManifest()))
	hash := content("parent").String()
	for _, test := range []struct{ fault, from, to string }{
		{"64 lower-case hex", hash, hash[1:]},
		{"64 lower-case hex", hash, hash + "00"},
		{"64 lower-case hex", hash, strings.ToUpper(hash)},
		{"CRC-32C", `"crc32c":"deadbeef"`, `"crc32c":"eadbeef"`},
		{"CRC-32C", `"crc32c":"deadbeef"`, `"crc32c":"DEADBEEF"`},
		{"no content has this hash", content("sealed").String(), strings.Repeat("0", 64)},
		{`field "node" occurs twice`, `"node":"orders-1"`, `"node":"orders-1","node":"orders-1"`},
		{`field "node" occurs twice`, `"node":"orders-1"`, `"node":"orders-1","n\u006fde":"orders-1"`},
		{`field "size" occurs twice`, `"size":1000,`, `"size":1000,"size":1000,`},
		{`field "files" occurs twice`, `"files":[`, `"files":[],"files":[`},
		{`field "node" is missing`, `"node":"orders-1",`, ``},
		{`field "pages" is missing`, `"pages":null,`, ``},
		{`field "check" is missing`, `,"check":null`, ``},
		{`field "sha256" is missing`, `"parent":{"sequence":41,"sha256":"` + hash + `"}`, `"parent":{"sequence":41}`},
		{`field "damaged" is missing`, `,"damaged":1}`, `}`},
		{"expected", `"parent":{`, `"parent":[{`},
		{"expected", `"pages":null`, `"pages":{}`},
		{"expected", `"files":[`, `"files":null,"x":[`},
		{"expected", `"counts":{`, `"counts":null,"x":{`},
		{`pages: field "node" is missing before it`, `"node"`, `"pages":null,"node"`},
		{`recipients: field "node" is missing before it`, `"node"`, `"recipients":[],"node"`},
		{`tool: field "node" is missing before it`, `"node":"orders-1","tool":"strongroom 1.0.0"`, `"tool":"strongroom 1.0.0","node":"orders-1"`},
		{"does not end within", `"node"`, strings.Repeat(" ", SummaryBytes) + `"node"`},
		{"does not end within", `"node"`, `"new":"` + strings.Repeat("x", SummaryBytes) + `","node"`},
		{"nests deeper", `"pages"`, `"new":` + strings.Repeat("[", 100_000) + `,"pages"`},
		{"nests deeper", `"pages"`, `"new":` + strings.Repeat(`{"x":`, 100_000) + `,"pages"`},
		{"follows the end", "]}\n", "]}\n{}"},
	} {
		if strings.Count(good, test.from) == 0 {
			t.Errorf("%q does not stand in the manifest", test.from)
		}
		_, err := DecodeManifest([]byte(strings.Replace(good, test.from, test.to, 1)), 42)
		if err == nil || !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%q: %v", test.fault, err)
		}
	}
}

// A newer program of the same major version may add fields anywhere.
func TestUnknownFields(t *testing.T) {
	t.Parallel()
	good := string(mustEncode(t, testManifest()))
	for _, place := range []string{`"format"`, `"node"`, `"pages"`, `"by"`, `"crc32c"`, `"modified"`, `"encoding"`, `"removed"`} {
		data := strings.Replace(good, place, `"new":{"a":[1,"é"]},`+place, 1)
		m, err := DecodeManifest([]byte(data), 42)
		if err != nil || !m.Unknown {
			t.Errorf("before %s: %v", place, err)
			continue
		}
		inFile := strings.Contains(`"by" "crc32c" "modified" "encoding"`, place)
		if got := slices.ContainsFunc(m.Files, func(f File) bool { return f.Unknown }); got != inFile {
			t.Errorf("before %s: an entry has an unknown field: %v", place, got)
		}
		if m.Files[3].Unknown {
			t.Errorf("before %s: the last entry has no unknown field", place)
		}
		if s, err := DecodeSummary([]byte(data), 42); err != nil || s.Node != "orders-1" {
			t.Errorf("before %s: %v", place, err)
		}
	}
	if m, err := DecodeManifest([]byte(good), 42); err != nil || m.Unknown {
		t.Error(m.Unknown, err)
	}
	record := strings.Replace(string(mustEncode(t, testRecord())), `"why"`, `"new":1,"why"`, 1)
	if r, err := DecodeRecord([]byte(record), 7); err != nil || !r.Unknown {
		t.Error(err)
	}
}

func TestTruncated(t *testing.T) {
	t.Parallel()
	data := mustEncode(t, testManifest())
	want, err := DecodeSummary(data, 42)
	if err != nil {
		t.Fatal(err)
	}
	// Only the name of the next field shows that no optional one was cut off.
	end := bytes.Index(data, []byte(`"recipients":`)) + len(`"recipients":`) - 1
	for i := range len(data) - 1 { // the last byte ends the line and may go
		if _, err := DecodeManifest(data[:i], 42); err == nil {
			t.Fatalf("accepted when cut short at %d", i)
		}
		s, err := DecodeSummary(data[:i], 42)
		if (err == nil) != (i > end) {
			t.Fatalf("the first %d bytes of a summary that ends at %d: %v", i, end, err)
		}
		if err == nil && s.DurationMS != want.DurationMS {
			t.Fatalf("%d ms, cut short at %d", s.DurationMS, i)
		}
	}
	record := mustEncode(t, testRecord())
	for i := range len(record) - 1 {
		if _, err := DecodeRecord(record[:i], 7); err == nil {
			t.Fatalf("a record is accepted when cut short at %d", i)
		}
	}
}

func TestVersionErrors(t *testing.T) {
	t.Parallel()
	for _, data := range []string{
		`{"format":"strongroom/3"}`,
		`{"format":"strongroom/3","sequence":{"everything":"is different"}}`,
		`{"format":"restic"`,
	} {
		_, err1 := DecodeManifest([]byte(data), 1)
		_, err2 := DecodeSummary([]byte(data), 1)
		_, err3 := DecodeRecord([]byte(data), 1)
		_, err4 := DecodeArchive([]byte(data))
		for _, err := range []error{err1, err2, err3, err4} {
			if !errors.Is(err, ErrVersion) {
				t.Errorf("%s: %v", data, err)
			}
		}
	}
}
