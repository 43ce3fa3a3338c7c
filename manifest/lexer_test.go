package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"
)

// archiveWith is archive.json with one more field, of this text.
func archiveWith(field string) []byte {
	return fmt.Appendf(nil, `{"format":"strongroom/1","id":%q,"created":"2026-03-01T04:05:06Z",%s"layout":"je"}`, testID, field)
}

// archiveLayout is archive.json with this text for the layout.
func archiveLayout(text string) []byte {
	return fmt.Appendf(nil, `{"format":"strongroom/1","id":%q,"created":"2026-03-01T04:05:06Z","layout":%s}`, testID, text)
}

func TestUnknownFieldsAreJSON(t *testing.T) {
	t.Parallel()
	nest := func(n int, open, inner, closing string) string {
		return `"x":` + strings.Repeat(open, n) + inner + strings.Repeat(closing, n) + ","
	}
	for _, test := range []struct {
		field string
		ok    bool
	}{
		{`"x":null,`, true},
		{`"x":true,"y":false,`, true},
		{`"x":0,"x":-0.0e+10,`, true},
		{`"x":1E-2,`, true},
		{`"x":"\ud83d\ude00\u00e9\\\"\/\b\f\n\r\t",`, true},
		{`"x":[],"y":{},"z":[[],{}],`, true},
		{`"x":{"a":{"a":[1,2,{"b":null}]}},`, true},
		{` "x" : [ 1 , 2 ] ,` + "\t\r\n", true},
		{`"":1,`, true},
		{`"Format":1,"LAYOUT":2,`, true}, // other letters, other field
		{nest(31, "[", "", "]"), true},
		{nest(31, `{"a":`, "1", "}"), true},
		{nest(33, "[", "", "]"), false},
		{nest(33, `{"a":`, "1", "}"), false},
		{nest(1000, "[", "", "]"), false},
		{nest(1_000, "[", "", ""), false},
		{`"x":[1,],`, false},
		{`"x":[,1],`, false},
		{`"x":[1 2],`, false},
		{`"x":{"a"},`, false},
		{`"x":{"a":},`, false},
		{`"x":{"a":1,},`, false},
		{`"x":{a:1},`, false},
		{`"x":{'a':1},`, false},
		{`"x":{1:1},`, false},
		{`"x":[1},`, false},
		{`"x":nul,`, false},
		{`"x":nulll,`, false},
		{`"x":True,`, false},
		{`"x":01,`, false},
		{`"x":+1,`, false},
		{`"x":.5,`, false},
		{`"x":1.,`, false},
		{`"x":1e,`, false},
		{`"x":1e+,`, false},
		{`"x":-,`, false},
		{`"x":--1,`, false},
		{`"x":0x1,`, false},
		{`"x":NaN,`, false},
		{`"x":Infinity,`, false},
		{`"x":,`, false},
		{`"x",`, false},
		{`,`, false},
		{`/* no */`, false},
		{"\"x\":\"\n\",", false},
		{"\"x\":\"\x00\",", false},
		{"\"x\":\"\x1f\",", false},
		{`"x":"\x",`, false},
		{`"x":"\u12",`, false},
		{`"x":"\u12g4",`, false},
		{`"x":"\U0001",`, false},
		{`"x":"\'",`, false},
		{"\"x\":\"\\\n\",", false},
		{`"x":"\ud83d",`, false}, // JSON as such, but no text
		{`"x":"\ude00\ud83d",`, false},
		{`"x":"\ud83d\u0041",`, false},
		{`"x":"\ud83d\n",`, false},
		{"\"x\":\"\xff\",", false},
		{"\"x\":\"\xed\xa0\x80\",", false},
		{"\"x\":\"\\\xff\",", false},
		{"\"\xff\":1,", false},
		{"\xef\xbb\xbf\"x\":1,", false},
		{"\u00a0\"x\":1,", false}, // a space, but none of JSON's
		{"\v\"x\":1,", false},
	} {
		data := archiveWith(test.field)
		_, err := DecodeArchive(data)
		if (err == nil) != test.ok {
			t.Errorf("%s: %v", test.field, err)
		}
		var bad *ParseError
		if err != nil && (!errors.As(err, &bad) || bad.Offset > len(data)) {
			t.Errorf("%s: %#v", test.field, err)
		}
		if err == nil && !(json.Valid(data) && utf8.Valid(data)) {
			t.Errorf("%s: accepted, and no JSON", test.field)
		}
	}
}

func TestStringsAreRead(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		`"je"`:                        "je",
		`"\u006a\u0065"`:              "je",
		`"\"\\\/"`:                    `"\/`,
		`"\uD83D\uDE00 \u00E9\u2028"`: "😀 é\u2028",
		`"😀"`:                         "😀",
		`"\ufffd"`:                    "\ufffd",
	} {
		a, err := DecodeArchive(archiveLayout(text))
		if err != nil || a.Layout != want {
			t.Errorf("%s: %+v, %v", text, a, err)
		}
	}
	for text, fault := range map[string]string{
		`""`:                                 "empty",
		`null`:                               "expected",
		`1`:                                  "expected",
		`["je"]`:                             "expected",
		`"\n"`:                               "control",
		`"\u0000"`:                           "control",
		`"` + "\x7f" + `"`:                   "control",
		`"` + strings.Repeat("a", 256) + `"`: "longer",
		`"je`:                                "ends too early",
		`"je\`:                               "ends too early",
	} {
		_, err := DecodeArchive(archiveLayout(text))
		if err == nil || !strings.Contains(err.Error(), fault) {
			t.Errorf("%s: %v, want %q", text, err, fault)
		}
	}
}

func TestWholeText(t *testing.T) {
	t.Parallel()
	good := string(archiveWith(""))
	for _, data := range []string{good, good + "\n", " \t\r\n" + good + " \t\r\n"} {
		if _, err := DecodeArchive([]byte(data)); err != nil {
			t.Errorf("%q: %v", data, err)
		}
	}
	for _, data := range []string{
		"", " ", "null", "[]", "{}", `""`, "[" + good + "]", good + good, good + ",", good + "}", good + "\x00", "\ufeff" + good,
		strings.Replace(good, `"layout":"je"`, `"layout":"je",`, 1), strings.Repeat(" ", SummaryBytes) + good,
		strings.Replace(good, `,"layout":"je"`, ``, 1), strings.Replace(good, `"layout"`, `"Layout"`, 1),
		strings.Replace(good, `"layout":"je"`, `"layout":"je","layout":"je"`, 1),
		strings.Replace(good, `"layout":"je"`, `"layout":"je","l\u0061yout":"je"`, 1),
	} {
		if a, err := DecodeArchive([]byte(data)); err == nil {
			t.Errorf("%q: %+v", data, a)
		}
	}
	for i := range good {
		if _, err := DecodeArchive([]byte(good[:i])); err == nil {
			t.Errorf("accepted when cut short at %d", i)
		}
	}
}

func TestTimes(t *testing.T) {
	t.Parallel()
	for text, ok := range map[string]bool{
		"2026-03-01T04:05:06Z":            true,
		"2026-03-01T04:05:06.1Z":          true,
		"2026-03-01T04:05:06.123456789Z":  true,
		"0000-01-01T00:00:00Z":            true,
		"9999-12-31T23:59:59.999999999Z":  true,
		"2024-02-29T00:00:00Z":            true,
		"2023-02-29T00:00:00Z":            false,
		"2026-03-01T04:05:06.1234567891Z": false, // finer than the format allows
		"2026-03-01T04:05:06,5Z":          false, // time.Parse takes the next three
		"2026-03-01T4:05:06Z":             false,
		"2026-03-01T04:05:06.Z":           false,
		"2026-03-01T04:05:06+00:00":       false,
		"2026-03-01T04:05:06-00:00":       false,
		"2026-03-01T04:05:06+01:00":       false,
		"2026-03-01T04:05:06":             false,
		"2026-03-01t04:05:06z":            false,
		"2026-03-01 04:05:06Z":            false,
		"2026-03-01T24:00:00Z":            false,
		"2026-03-01T04:05:60Z":            false,
		"2026-13-01T04:05:06Z":            false,
		"10000-01-01T00:00:00Z":           false,
		"-001-01-01T00:00:00Z":            false,
		"":                                false,
		"Z":                               false,
	} {
		data := strings.Replace(string(archiveWith("")), "2026-03-01T04:05:06Z", text, 1)
		if _, err := DecodeArchive([]byte(data)); (err == nil) != ok {
			t.Errorf("%s: %v", text, err)
		}
	}
}

func TestWholeNumbers(t *testing.T) {
	t.Parallel()
	m := testManifest()
	good := mustEncode(t, m)
	for text, ok := range map[string]bool{
		"0":                        true,
		"9223372036854775807":      true,
		"9223372036854775808":      false,
		"18446744073709551617":     false, // one, if it wrapped round
		"-1":                       false,
		"-0":                       false,
		"1.0":                      false,
		"1e3":                      false,
		"01":                       false,
		"+1":                       false,
		`"1"`:                      false,
		"null":                     false,
		"":                         false,
		strings.Repeat("1", 1<<20): false,
	} {
		data := bytes.Replace(good, []byte(`"duration_ms":1234`), []byte(`"duration_ms":`+text), 1)
		_, err := DecodeManifest(data, 42)
		if (err == nil) != ok {
			t.Errorf("%.40s: %v", text, err)
		}
		if err != nil && len(err.Error()) > 300 {
			t.Errorf("%.40s: an error of %d bytes", text, len(err.Error()))
		}
	}
}

func TestParseHashes(t *testing.T) {
	t.Parallel()
	hex := strings.Repeat("0123456789abcdef", 4)
	if h, err := ParseHash(hex); err != nil || h.String() != hex {
		t.Error(h, err)
	}
	for _, s := range []string{"", hex[1:], hex + "0", hex + "00", strings.ToUpper(hex), hex[:63] + "g", hex[:63] + " ", hex[:62] + "é"} {
		if h, err := ParseHash(s); err == nil || h != (Hash{}) {
			t.Errorf("%q: %s, %v", s, h, err)
		}
	}
	if c, err := ParseCRC32C("00c0ffee"); err != nil || c != 0xc0ffee || c.String() != "00c0ffee" {
		t.Error(c, err)
	}
	for _, s := range []string{"", "c0ffee", "000c0ffee", "00C0FFEE", "+0c0ffee", "0x00c0ff", "00_0ffee"} {
		if _, err := ParseCRC32C(s); err == nil {
			t.Errorf("%q is read as a CRC-32C", s)
		}
	}
	// RFC 3720, B.4: 32 bytes of zeroes.
	if got := StoredSumsOf(make([]byte, 32)); got.CRC32C != 0x8a9136aa || got.Size != 32 {
		t.Errorf("%+v", got)
	}
}

// A field's index must fit the bit set that object keeps of those seen, the required
// ones come first, and every field of a struct has a place in its schema.
func TestSchemas(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		s schema
		v any
	}{
		{manifestSchema, Manifest{}},
		{refSchema, Ref{}},
		{pointSchema, Point{}},
		{countsSchema, Counts{}},
		{pageSchema, PageRef{}},
		{fileSchema, File{}},
		{partSchema, Part{}},
		{storedSchema, StoredSums{}},
		{checkSchema, Check{}},
		{recordSchema, Record{}},
		{recordRefSchema, RecordRef{}},
		{keptSchema, Kept{}},
		{archiveSchema, Archive{}},
	} {
		required, optional := jsonFields(reflect.TypeOf(test.v))
		if len(test.s.names) > 64 || test.s.required != len(required) {
			t.Errorf("%T: %d of %d fields are required", test.v, test.s.required, len(test.s.names))
		}
		for i, name := range test.s.names {
			if set := map[bool]map[string]bool{true: required, false: optional}[i < test.s.required]; !set[name] {
				t.Errorf("%T: %s is not in the struct as the schema has it", test.v, name)
			}
		}
		if len(test.s.names) != len(required)+len(optional) {
			t.Errorf("%T: %v, and in the struct %v and %v", test.v, test.s.names, required, optional)
		}
	}
}

func jsonFields(t reflect.Type) (required, optional map[string]bool) {
	required, optional = map[string]bool{}, map[string]bool{}
	for _, f := range reflect.VisibleFields(t) {
		switch name, option, _ := strings.Cut(f.Tag.Get("json"), ","); {
		case f.Anonymous || name == "-":
		case option == "":
			required[name] = true
		default:
			optional[name] = true
		}
	}
	return required, optional
}
