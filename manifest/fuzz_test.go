package manifest

import (
	"bytes"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// seed gives a fuzz target good text, and text that is wrong in every usual way.
func seed(f *testing.F, good []byte) {
	f.Helper()
	f.Add(good)
	f.Add(bytes.TrimSpace(good))
	f.Add(good[:len(good)/2])
	f.Add(append(bytes.Clone(good), good...))
	for _, change := range []struct{ from, to string }{
		{`strongroom/1`, `strongroom/3`},
		{`{"`, `{"x":[{"y":1.5e-3,"z":"\ud83d\ude00"},null,true],"`},
		{`{"`, `{"x":"\ud83d","`},
		{`{"`, `{"format":1,"`},
		{`:`, ` :` + "\n\t"},
		{`"sha256":"`, `"sha256":"0`},
		{`"size":`, `"size":-`},
		{`"size":`, `"size":999999999999999999`},
		{`.jdb`, `\u002ejdb`},
		{`"name":"`, `"name":"../`},
		{`"name":"`, `"name":"/`},
		{`[`, `[[[[[[[[`},
		{`Z"`, `+00:00"`},
		{`}`, `,}`},
	} {
		f.Add(bytes.ReplaceAll(good, []byte(change.from), []byte(change.to)))
	}
}

func goldenSeed(f *testing.F, key string) []byte {
	f.Helper()
	b, err := os.ReadFile(filepath.Join(goldenDir, filepath.FromSlash(key)))
	if err != nil {
		f.Fatal(err)
	}
	return b
}

func FuzzDecodeManifest(f *testing.F) {
	seed(f, goldenSeed(f, ManifestKey(42)))
	paged := goldenSeed(f, ManifestKey(1))
	f.Add(bytes.Replace(paged, []byte(`"sequence":1,`), []byte(`"sequence":42,`), 1))
	f.Fuzz(func(t *testing.T, data []byte) {
		m, err := DecodeManifest(data, 42)
		if err != nil {
			if m != nil || len(err.Error()) > 4000 {
				t.Fatalf("%v, %d bytes of error", m, len(err.Error()))
			}
			return
		}
		again, err := m.Encode()
		if err != nil {
			t.Fatalf("accepted, and cannot be encoded: %v", err)
		}
		checkAccepted(t, data, again, m.Unknown)
		got, err := DecodeManifest(again, 42)
		if err != nil || got.Unknown {
			t.Fatalf("our own text is not accepted: %v", err)
		}
		got.Unknown = m.Unknown
		if !sameManifest(got, m) {
			t.Fatalf("read back as\n%+v, not\n%+v", got, m)
		}
		s, err := DecodeSummary(data, 42)
		if err != nil || !reflect.DeepEqual(*s, m.Summary) {
			t.Fatalf("%v: the summary is %+v, not %+v", err, s, m.Summary)
		}
		for i := range m.Files {
			if err := CheckName(m.Files[i].Name); err != nil {
				t.Fatal(err)
			}
		}
	})
}

// Whatever follows the summary, and wherever it is cut, its result is never another one.
func FuzzDecodeSummary(f *testing.F) {
	good := goldenSeed(f, ManifestKey(42))
	end := bytes.Index(good, []byte(`"recipients"`))
	for i := range 30 {
		f.Add(good, end-20+i)
	}
	f.Add(good, len(good))
	f.Fuzz(func(t *testing.T, data []byte, n int) {
		if n < 0 || n > len(data) {
			n = len(data)
		}
		part, partErr := DecodeSummary(data[:n], 42)
		whole, wholeErr := DecodeSummary(data, 42)
		if partErr == nil && (wholeErr != nil || !reflect.DeepEqual(part, whole)) {
			t.Fatalf("the first %d bytes give %+v, the whole %+v, %v", n, part, whole, wholeErr)
		}
		if m, err := DecodeManifest(data, 42); err == nil && (wholeErr != nil || !reflect.DeepEqual(*whole, m.Summary)) {
			t.Fatalf("the manifest gives %+v, its summary %+v, %v", m.Summary, whole, wholeErr)
		}
		if wholeErr == nil && whole.Sequence != 42 {
			t.Fatal("another manifest's summary")
		}
	})
}

func FuzzDecodePage(f *testing.F) {
	var lines []byte
	for i := range testManifest().Files {
		line, err := encodeJSON(&testManifest().Files[i])
		if err != nil {
			f.Fatal(err)
		}
		seed(f, line)
		lines = append(lines, line...)
	}
	seed(f, lines)
	c := NewPageCodec()
	padding := manyFiles(MinPage)
	for i := range padding {
		padding[i] = plainFile("\U0010fffd"+padding[i].Name, 1, 1) // after any name of the fuzzer
	}
	rest, err := encodePage(padding, 42)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, plain []byte) {
		count := bytes.Count(plain, []byte("\n"))
		files, err := decodePage(plain, count, 42)
		if err != nil || count == 0 {
			return
		}
		var again []byte
		for i, line := range bytes.Split(bytes.TrimSuffix(plain, []byte("\n")), []byte("\n")) {
			text := rawJSON(t, &files[i])
			checkAccepted(t, line, text, files[i].Unknown)
			again = append(again, text...)
		}
		got, err := decodePage(again, count, 42)
		if err != nil || !sameFiles(got, files) {
			t.Fatalf("our own text is not accepted, or read as something else: %v", err)
		}
		// The whole way, with as many lines as a page needs.
		last := files[count-1].Name
		if count > MaxPage-MinPage || last >= padding[0].Name {
			return
		}
		page := append(bytes.Clone(plain), rest...)
		ref, stored := refOf(page, c.enc.EncodeAll(page, nil), count+MinPage, files[0].Name, padding[MinPage-1].Name)
		all, err := c.Decode(stored, &ref, 42)
		if err == nil && (!sameFiles(all[:count], files) || !sameFiles(all[count:], padding)) {
			t.Fatal("the page holds something else")
		}
	})
}

func FuzzDecodeRecord(f *testing.F) {
	seed(f, goldenSeed(f, LedgerKey(7)))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRecord(data, 7)
		if err != nil {
			return
		}
		again, err := r.Encode()
		if err != nil {
			t.Fatalf("accepted, and cannot be encoded: %v", err)
		}
		checkAccepted(t, data, again, r.Unknown)
		got, err := DecodeRecord(again, 7)
		if err != nil {
			t.Fatalf("our own text is not accepted: %v", err)
		}
		if twice := mustEncode(t, got); !bytes.Equal(again, twice) {
			t.Fatalf("%s, then %s", again, twice)
		}
		if r.Newest > 0 && !r.ValidNumber(r.Newest) || r.Valid(0, Hash{}) {
			t.Fatalf("%+v", r)
		}
	})
}

func FuzzDecodeArchive(f *testing.F) {
	seed(f, goldenSeed(f, ArchiveKey))
	f.Fuzz(func(t *testing.T, data []byte) {
		a, err := DecodeArchive(data)
		if err != nil {
			return
		}
		again := mustEncode(t, a)
		checkAccepted(t, data, again, true)
		got, err := DecodeArchive(again)
		if err != nil || !reflect.DeepEqual(got, a) {
			t.Fatalf("%v: %+v, not %+v", err, got, a)
		}
	})
}

func FuzzNames(f *testing.F) {
	for _, s := range []string{
		"", "a", "A", "../x", "/a", "a//b", `a\b`, "a\x00", "é", "e\u0301", "%41", "%", "a/b", "a/B/c", "a\u0085", "\xff", "K", "\u212a",
		strings.Repeat("ab", 32), strings.Repeat("é", 34), strings.Repeat("a/", 256), "\u2028", "ſ", "İ", "ẞ/ß",
	} {
		f.Add(s, s+"/b", strings.ToUpper(s))
	}
	f.Fuzz(func(t *testing.T, a, b, c string) {
		for _, name := range []string{a, b, c} {
			checkEncoding(t, name)
		}
		if (a == b) != (EncodeName(a) == EncodeName(b)) {
			t.Fatalf("%q and %q share a key", a, b)
		}
		if names := []string{a, b, c}; (CheckNames(seq(names)) == nil) != naiveNames(names) {
			t.Fatalf("%q: %v, and the naive check gives %v", names, CheckNames(seq(names)), naiveNames(names))
		}
	})
}

func FuzzParseObjectKey(f *testing.F) {
	h := content("x")
	for _, key := range []string{
		DataKey("a", h, 1, Plain, nil), DataKey("a/é", h, 42, Zstd, nil), DataKey("a", h, 1, Age, nil), DataKey("a%", h, 1, ZstdAge, nil),
		BundleKey(h, 1), PageKey(h, 999_999_999), ManifestKey(42), LedgerKey(7), ArchiveKey, "data/../" + BundleKey(h, 1),
		WithNonce(DataKey("a", h, 1, Plain, nil), NewNonce()), WithNonce(BundleKey(h, 1), NewNonce()), WithNonce(PageKey(h, 1), NewNonce()),
	} {
		f.Add(key)
	}
	f.Fuzz(func(t *testing.T, key string) {
		checkKey(t, key)
		if n, ok := ParseManifestKey(key); ok && ManifestKey(n) != key {
			t.Fatalf("%q is read as %d", key, n)
		}
		if n, ok := ParseLedgerKey(key); ok && LedgerKey(n) != key {
			t.Fatalf("%q is read as %d", key, n)
		}
		if k, ok := ParseObjectKey(key); ok && k.Prefix == DataPrefix && CheckName(mustUnescape(k.Name)) != nil {
			t.Fatalf("%q is the key of a name that is not allowed", key)
		}
	})
}
