package manifest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
	"unicode"

	"pgregory.net/rapid"
)

func TestCheckName(t *testing.T) {
	t.Parallel()
	hex64 := strings.Repeat("0123456789abcdef", 4)
	for _, test := range []struct{ name, fault string }{
		{"00000000.jdb", ""},
		{"a/b/c.jdb", ""},
		{"déjà vu.jdb", ""},
		{"...", ""},
		{"..a/.b", ""},
		{" ", ""},
		{"-rf", ""},
		{"%2e%2e/x", ""}, // a percent sign is an ordinary character
		{"C:x", ""},
		{"~/x", ""},
		{strings.Repeat("a", 200), ""},
		{strings.Repeat("é", 33) + "aa", ""}, // 33·6 + 2 = 200
		{strings.Repeat("a/", 255) + "aa", ""},
		{hex64[:63], ""},
		{hex64 + "0", ""},
		{hex64[:63] + "g", ""},
		{hex64 + ".jdb", ""},
		{"", "empty"},
		{"/", "absolute"},
		{"/etc/passwd", "absolute"},
		{"..", "element .."},
		{".", "element ."},
		{"../x", "element .."},
		{"a/../x", "element .."},
		{"a/..", "element .."},
		{"a/./x", "element ."},
		{"a//x", "empty element"},
		{"a/", "empty element"},
		{`a\x`, "backslash"},
		{`..\x`, "backslash"},
		{"a\x00", "control"},
		{"a\n", "control"},
		{"a\x1b[2J", "control"},
		{"a\x7f", "control"},
		{"a\u0085", "control"},
		{"a\u009b2J", "control"}, // CSI in one character
		{"a\xff", "UTF-8"},
		{"a\xed\xa0\x80", "UTF-8"}, // a lone surrogate
		{"a\xc0\xaf", "UTF-8"},     // an overlong slash
		{strings.Repeat("a", 201), "element longer"},
		{strings.Repeat("é", 33) + "aaa", "element longer"},
		{strings.Repeat("%", 67), "element longer"}, // 201 encoded
		{strings.Repeat("a/", 256) + "a", "512"},
		{hex64, "object"},
		{strings.ToUpper(hex64), "object"},
		{"a/" + hex64 + "/b", "object"},
		{"a/" + hex64 + "-000000001", "object"},
		{hex64 + "0", ""},
	} {
		err := CheckName(test.name)
		if test.fault == "" {
			if err != nil {
				t.Errorf("%q: %v", test.name, err)
			}
			continue
		}
		if !errors.Is(err, ErrName) || !strings.Contains(err.Error(), test.fault) {
			t.Errorf("%q: %v, want %q", test.name, err, test.fault)
		}
	}
}

func TestEncodeName(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"00000000.jdb": "00000000.jdb",
		"a/b=_.-Z9":    "a/b=_.-Z9",
		"a b+c":        "a%20b%2Bc",
		"é":            "%C3%A9",
		"%41":          "%2541",
		"~*?:<>|\"":    "%7E%2A%3F%3A%3C%3E%7C%22",
	} {
		if got := EncodeName(name); got != want || encodedLen(name) != len(want) {
			t.Errorf("%q: %q, %d bytes; want %q", name, got, encodedLen(name), want)
		}
	}
	for c := range 256 { // every byte, against the rule as the format states it
		name := string([]byte{byte(c)})
		safe := strings.Contains("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._=-/", name)
		if want := fmt.Sprintf("%%%02X", c); !safe && EncodeName(name) != want || safe && EncodeName(name) != name {
			t.Errorf("%q: %q", name, EncodeName(name))
		}
	}
}

func TestCheckNames(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		names []string
		fault string
	}{
		{nil, ""},
		{[]string{"a", "b"}, ""},
		{[]string{"B", "a"}, ""},
		{[]string{"A/x", "a/y"}, ""}, // two directories become one, and no file is lost
		{[]string{"a", "a-b", "a.b", "a0/b"}, ""},
		{[]string{"a/b", "a/c/d", "a/c0"}, ""},
		{[]string{"a", "a"}, "twice"},
		{[]string{"b", "a"}, "out of order"},
		{[]string{"", "a"}, "empty"},
		{[]string{"a", "../a"}, "element .."},
		{[]string{"A", "a"}, "letter case"},
		{[]string{"A", "B", "a"}, "letter case"},
		{[]string{"AB", "Ab", "c"}, "letter case"},
		{[]string{"X/a", "x/A"}, "letter case"},
		{[]string{"K", "k", "\u212a"}, "letter case"},
		{[]string{"k", "\u212a"}, "letter case"}, // the Kelvin sign
		{[]string{"É", "é"}, "letter case"},
		{[]string{"ς", "σ"}, "letter case"},
		{[]string{"ß", "ẞ"}, "letter case"},
		{[]string{"s", "ſ"}, "letter case"},
		{[]string{"a", "a/b"}, "directory of another"},
		{[]string{"a", "a-", "a/b"}, "directory of another"},
		{[]string{"a/b", "a/b/c/d"}, "directory of another"},
		{[]string{"A/b", "a"}, "directory of another"},
		{[]string{"A", "a/b"}, "directory of another"},
		{[]string{"a/B/c", "a/b"}, "directory of another"},
	} {
		err := CheckNames(seq(test.names))
		if test.fault == "" {
			if err != nil {
				t.Errorf("%q: %v", test.names, err)
			}
			continue
		}
		wantFault(t, err, test.fault)
	}
}

// If encoding/json's folding and Go's own take characters for one, so does fold. Beyond that, it
// folds only the two Turkish letters i.
func TestFold(t *testing.T) {
	t.Parallel()
	classes := map[string][]rune{}
	for r := rune(1); r <= unicode.MaxRune; r++ {
		if r >= 0xd800 && r < 0xe000 {
			continue
		}
		f := fold(string(r))
		if f == "/" && r != '/' {
			t.Fatalf("%q folds to a slash", r)
		}
		classes[f] = append(classes[f], r)
	}
	for f, class := range classes {
		for _, r := range class {
			for s := unicode.SimpleFold(r); s != r; s = unicode.SimpleFold(s) {
				if fold(string(s)) != f {
					t.Errorf("%q and %q are one letter and fold to %q and %q", r, s, f, fold(string(s)))
				}
			}
			if !strings.EqualFold(string(r), f) && r != 'İ' && r != 'ı' {
				t.Errorf("%q folds to %q, another letter", r, f)
			}
		}
	}
}

var foldedLetters = []rune("aAbBiIİıkK\u212asSſßẞσςΣéÉ/../-\\\x00%é\u0301")

// naiveNames is CheckNames in its simplest form.
func naiveNames(names []string) bool {
	same := func(a, b string) bool {
		dotless := strings.NewReplacer("İ", "i", "ı", "i")
		return strings.EqualFold(dotless.Replace(a), dotless.Replace(b))
	}
	for i, a := range names {
		if CheckName(a) != nil {
			return false
		}
		for j, b := range names {
			if i < j && (a >= b || same(a, b)) {
				return false
			}
			for k := range b {
				if b[k] == '/' && same(a, b[:k]) {
					return false
				}
			}
		}
	}
	return true
}

func TestCheckNamesAgainstNaive(t *testing.T) {
	t.Parallel()
	var accepted, refused int
	rapid.Check(t, func(t *rapid.T) {
		name := rapid.StringOfN(rapid.SampledFrom(foldedLetters), 1, 5, -1)
		names := rapid.SliceOfN(name, 0, 8).Draw(t, "names")
		if rapid.IntRange(0, 3).Draw(t, "sorted") > 0 {
			names = slices.DeleteFunc(names, func(s string) bool { return CheckName(s) != nil })
			slices.Sort(names)
		}
		err := CheckNames(seq(names))
		if (err == nil) != naiveNames(names) {
			t.Fatalf("%q: %v, and the naive check gives %v", names, err, naiveNames(names))
		}
		if err == nil {
			accepted++
		} else {
			refused++
		}
	})
	t.Logf("%d lists accepted, %d refused", accepted, refused)
}

func TestEncodedNamesAreUnique(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		checkEncoding(t, rapid.String().Draw(t, "name"))
		checkEncoding(t, string(rapid.SliceOf(rapid.Byte()).Draw(t, "bytes")))
	})
}

// checkEncoding fails unless the encoded name can be read back, so that no two names
// share one, and unless the parser of keys takes exactly what the encoder gives.
func checkEncoding(t interface{ Fatalf(string, ...any) }, name string) {
	encoded := EncodeName(name)
	if back, err := url.PathUnescape(encoded); err != nil || back != name {
		t.Fatalf("%q is encoded as %q, which is %q (%v)", name, encoded, back, err)
	}
	if len(encoded) != encodedLen(name) {
		t.Fatalf("%q: %d bytes, not %d", encoded, len(encoded), encodedLen(name))
	}
	valid := CheckName(name) == nil
	if encodedName(encoded) != valid {
		t.Fatalf("%q: allowed %v, its encoding %v", name, valid, !valid)
	}
	if encodedName(name) && EncodeName(mustUnescape(name)) != name {
		t.Fatalf("%q passes for an encoded name", name)
	}
	if !valid {
		return
	}
	if len(encoded) > MaxNameBytes || strings.ContainsAny(name, "\\\x00") || name[0] == '/' ||
		slices.ContainsFunc(strings.Split(name, "/"), func(e string) bool { return e == "" || e == "." || e == ".." }) {
		t.Fatalf("%q is allowed", name)
	}
}

func mustUnescape(s string) string {
	u, err := url.PathUnescape(s)
	if err != nil {
		panic(err)
	}
	return u
}

// A name that is nothing but directories must not cost more than in proportion.
func TestCheckNamesMemory(t *testing.T) {
	names := make([]string, 1000)
	total := 0
	for i := range names {
		names[i] = fmt.Sprintf("%04d", i) + strings.Repeat("/X", 253)
		total += len(names[i])
	}
	got := allocated(func() {
		if err := CheckNames(seq(names)); err != nil {
			t.Error(err)
		}
	})
	if t.Logf("%d bytes of names, %d allocated", total, got); got > uint64(total)*2 {
		t.Errorf("%d bytes allocated for %d bytes of names", got, total)
	}
}
