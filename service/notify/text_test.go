package notify

import (
	"net/url"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func parsed(t *testing.T, raw string) *url.URL {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

func TestCompose(t *testing.T) {
	t.Parallel()
	title, text := compose("orders", message{was: OK, Event: Event{State: Failing, At: noon, Detail: "put x: no space\nFree some.", Recoverable: noon.Add(-time.Minute)}})
	if title != "strongroom: orders is failing" {
		t.Error(title)
	}
	want := `The archive orders has been failing since 2026-03-01 11:00 UTC; the previous state was ok.
put x: no space
Free some.
Recoverable through 2026-03-01 10:59 UTC.
Runs are retried automatically. If the failures continue, check "strongroom status" and the service's log.`
	if text != want {
		t.Errorf("%s\nnot\n%s", text, want)
	}
}

func TestEveryStateHasWords(t *testing.T) {
	t.Parallel()
	for state, want := range map[State][]string{
		OK:      {"OK again", "No action is needed"},
		Failing: {"failing", "retried"},
		Overdue: {"overdue", "machine and the service"},
		Damaged: {"damaged", "verify --repair"},
	} {
		title, text := compose("orders", message{Event: Event{State: state, At: noon}})
		for _, w := range want {
			if !strings.Contains(title+"\n"+text, w) {
				t.Errorf("%s: %q is missing from %q, %q", state, w, title, text)
			}
		}
		if !strings.Contains(text, "orders") || !strings.Contains(text, "is unknown") || strings.Contains(text, "previous") {
			t.Errorf("%s: %q", state, text)
		}
	}
}

func TestHostileTexts(t *testing.T) {
	t.Parallel()
	for _, evil := range []string{
		"a\r\nBcc: all@example.org", "\u202egnp.exe", "\u2066x\u2069", "\x00\x1b]0;x\a", "\xff\xfe", "\u2028\u2029\u0085", "a\u200bb", "\ufeff",
		strings.Repeat("é", 1<<20), strings.Repeat("x\n", 1<<20),
	} {
		title, text := compose(evil, message{Event: Event{State: Damaged, Detail: evil}})
		if utf8.RuneCountInString(title) > 150 || utf8.RuneCountInString(text) > 2000 {
			t.Errorf("%.20q: a title of %d and a text of %d bytes", evil, len(title), len(text))
		}
		if strings.ContainsAny(title, "\r\n") || strings.ContainsAny(title+text, "\r\x00\x1b\a\u202e\u2066\u2069\u2028\u2029\u0085\u200b\ufeff") || !utf8.ValidString(title+text) {
			t.Errorf("%q, %q", title, text)
		}
	}
}
