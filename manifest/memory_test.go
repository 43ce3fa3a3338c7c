package manifest

import (
	"fmt"
	"strings"
	"testing"
)

// A hostile text may cost memory in proportion to its length, and no more.
func TestHostileMemory(t *testing.T) {
	size := 4 << 20
	if testing.Short() {
		size = 1 << 20
	}
	good := string(mustEncode(t, testManifest()))
	cut := func(before string) string { return good[:strings.Index(good, before)] }
	record := string(mustEncode(t, testRecord()))
	fill := func(head, unit string) string { return head + strings.Repeat(unit, size/len(unit)) }
	var ascending strings.Builder
	for i := 0; ascending.Len() < size; i++ {
		fmt.Fprintf(&ascending, "%d,", i)
	}
	entry := strings.TrimSuffix(string(rawJSON(t, plainFile("x", 1, 1))), "\n")
	for _, test := range []struct {
		what, data string
		ratio      float64
	}{
		{"an unknown string", fill(cut(`"pages"`)+`"x":"`, `\u0041`) + `"`, 2},
		{"an unknown number", fill(cut(`"pages"`)+`"x":1`, "0"), 2},
		{"unknown lists", fill(cut(`"pages"`)+`"x":[`, "[],"), 2},
		{"deep lists", fill(cut(`"pages"`)+`"x":`, "["), 2},
		{"a long number", fill(cut(`1234,"recipients"`), "1"), 2},
		{"a long node", fill(cut(`orders-1`), "n") + `"`, 3},
		{"a long hash", fill(cut(content("parent").String()), "0") + `"`, 3},
		{"a long time", fill(cut(`2026-03`), "0") + `"`, 3},
		{"a long object", fill(cut(`bundles/`)+"data/", "a/") + `"`, 6},
		{"spaces", fill("", " "), 1},
		{"empty recipients", fill(cut(`"pages"`)[:strings.Index(good, `"recipients"`)]+`"recipients":[`, `"",`), 2},
		{"entries", fill(cut(`"files"`)+`"files":[`, entry+","), 2},
		{"empty entries", fill(cut(`"files"`)+`"files":[`, `{},`), 2},
		{"unknown fields", fill(cut(`"pages"`), `"":"",`), 2},
	} {
		got := allocated(func() {
			if _, err := DecodeManifest([]byte(test.data), 42); err == nil {
				t.Errorf("%s: accepted", test.what)
			}
		})
		ratio := float64(got) / float64(len(test.data))
		if t.Logf("%s: %.2f bytes a byte", test.what, ratio); ratio > test.ratio+1 { // one for the copy that the test makes
			t.Errorf("%s: %.1f bytes for each byte of text", test.what, ratio)
		}
	}
	for _, test := range []struct{ what, data string }{
		{"removed", record[:strings.Index(record, "[13,")] + "[" + ascending.String()},
		{"removed twice", fill(record[:strings.Index(record, "[13,")]+"[", "1,")},
		{"kept", fill(record[:strings.Index(record, `{"sequence":12`)], `{"sequence":1,"sha256":"`+content("").String()+`"},`)},
	} {
		got := allocated(func() {
			if _, err := DecodeRecord([]byte(test.data), 7); err == nil {
				t.Errorf("%s: accepted", test.what)
			}
		})
		if ratio := float64(got) / float64(len(test.data)); ratio > 10 {
			t.Errorf("%s: %.1f bytes for each byte of text", test.what, ratio)
		} else {
			t.Logf("%s: %.2f bytes a byte", test.what, ratio)
		}
	}
	if _, err := DecodeManifest(make([]byte, MaxManifestBytes+1), 42); err == nil {
		t.Error("accepted, longer than any manifest")
	}
}
