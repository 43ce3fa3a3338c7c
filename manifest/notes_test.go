package manifest

import (
	"bytes"
	"strings"
	"testing"
)

// Accepted findings and left-out snapshots are in the listing of every archive. An impossible field
// must not get that far, or the summary would not end in time.
func TestImpossibleNotes(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("x", maxShortText+1)
	for what, set := range map[string]func(*Summary){
		"writer":               func(s *Summary) { s.Writer = "db-1" },
		"accepted twice":       func(s *Summary) { s.Accepted = []Guard{GuardPrune, GuardPrune} },
		"accepted, empty":      func(s *Summary) { s.Accepted = []Guard{""} },
		"accepted, long":       func(s *Summary) { s.Accepted = []Guard{Guard(long)} },
		"left out, none":       func(s *Summary) { s.LeftOut = &LeftOut{0, "a"} },
		"left out, a bad name": func(s *Summary) { s.LeftOut = &LeftOut{1, "../a"} },
		"forked from itself":   func(s *Summary) { s.ForkedFrom = &Ref{Sequence: s.Sequence} },
		"rewound from itself":  func(s *Summary) { s.RewoundFrom = &Ref{Sequence: s.Sequence} },
		"no labels":            func(s *Summary) { s.Labels = map[string]string{} },
		"a long label":         func(s *Summary) { s.Labels = map[string]string{"a": long} },
		"a label of two lines": func(s *Summary) { s.Labels = map[string]string{"a\nb": "c"} },
		"a long role":          func(s *Summary) { s.Role = long },
		"an empty end":         func(s *Summary) { s.LogEnd = &LogEnd{} },
		"a long position":      func(s *Summary) { s.LogEnd = &LogEnd{Position: long} },
		"more than they may all": func(s *Summary) {
			s.LeftOut = &LeftOut{1, strings.Repeat("\"", 66) + "/" + strings.Repeat("\"", 66)}
			s.Labels = manyLabels()
		},
	} {
		m := testManifest()
		set(&m.Summary)
		if _, err := m.Encode(); err == nil {
			t.Errorf("%s: encoded", what)
		}
		if _, err := DecodeManifest(rawJSON(t, m), 42); err == nil && what != "no labels" { // which are left out
			t.Errorf("%s: decoded", what)
		}
	}
}

func manyLabels() map[string]string {
	labels := map[string]string{}
	for _, c := range "abcdefgh" {
		labels[strings.Repeat(string(c), maxShortText)] = strings.Repeat(string(c), maxShortText)
	}
	return labels
}

// Optional fields may follow the required ones in any order, but not beyond the bytes that a
// listing reads.
func TestNotesWhereListingsRead(t *testing.T) {
	t.Parallel()
	m := testManifest()
	m.Role, m.Writer = "primary", testID
	data := mustEncode(t, m)
	swapped := bytes.Replace(data, []byte(`"writer":"`+testID+`","role":"primary"`), []byte(`"role":"primary","writer":"`+testID+`"`), 1)
	if bytes.Equal(data, swapped) {
		t.Fatal("nothing was swapped")
	}
	if s, err := DecodeSummary(swapped, 42); err != nil || s.Role != "primary" || s.Writer != testID {
		t.Errorf("%v: %+v", err, s)
	}
	late := bytes.Replace(data, []byte(`"role":`), []byte(strings.Repeat(" ", SummaryBytes)+`"role":`), 1)
	if _, err := DecodeManifest(late, 42); err == nil {
		t.Error("a manifest whose role no listing shows")
	}
}

// A key with a nonce is version 2: an older program must not take such a manifest for one
// that it understands.
func TestNonceNeedsVersion2(t *testing.T) {
	t.Parallel()
	sealed := testManifest()
	f := &sealed.Files[2]
	f.Parts[0].Object = SealedDataKey(f.Name, f.SHA256, 42, ZstdAge, sealed.Recipients, NewNonce())
	plain := testManifest()
	plain.Files[1].Parts[0].Object = WithNonce(plain.Files[1].Parts[0].Object, NewNonce())
	bundled := testManifest()
	bundled.Files[0].Parts[0].Object = WithNonce(bundled.Files[0].Parts[0].Object, NewNonce())
	paged := testManifest()
	paged.Pages, paged.Files, paged.Counts.Files = testPages(), []File{}, 1250
	paged.Pages[0].Object = WithNonce(paged.Pages[0].Object, NewNonce())
	for what, m := range map[string]*Manifest{"encrypted": sealed, "plain": plain, "in a bundle": bundled, "a page": paged} {
		m.Format = Format
		if _, err := m.Encode(); err == nil {
			t.Errorf("%s: version 1 names a key with a nonce", what)
		}
		m.Format = Format2
		if _, err := DecodeManifest(mustEncode(t, m), m.Sequence); err != nil {
			t.Errorf("%s: %v", what, err)
		}
	}
}
