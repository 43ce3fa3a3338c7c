package web

import (
	"fmt"
	"strings"
	"testing"
)

// A service with thousands of archives still has a page that a browser can show, and from which each archive can be
// reached.
func TestFrontPageOfManyArchives(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	many := make([]Archive, 0, 10_000)
	for i := range 10_000 {
		a := f.archives[0]
		a.Name = fmt.Sprintf("node-%04d", i)
		if i%1000 == 7 {
			a.FailuresInRow = 1
		}
		many = append(many, a)
	}
	f.archives = many
	s := newServer(t, f, "")
	for path, want := range map[string]struct {
		cards      int
		first, not string
		texts      []string
	}{
		"/":                         {50, "node-0007", "node-0041", []string{"Archives 1 to 50 of 10\u202f000.", `href="/?page=2"`, "10 of 10"}},
		"/?page=200":                {50, "node-9950", "node-9949", []string{`href="/?page=199"`}},
		"/?q=NODE-99":               {50, "node-9900", "node-9899", []string{`value="NODE-99"`, `href="/?page=2&amp;q=NODE-99"`}},
		"/?show=attention":          {10, "node-0007", "node-0008", []string{"Archives 1 to 10 of 10.", " checked>"}},
		"/?show=attention&q=node-1": {1, "node-1007", "node-0007", nil},
		"/?q=nothing":               {0, "", "No archives yet", []string{"No archive matches."}},
		"/?q=%3Cscript%3E":          {0, "", "<script>", []string{"No archive matches."}},
	} {
		page := get(t, s, path)
		if n := strings.Count(page, `<tr class="row`); n != want.cards {
			t.Errorf("%s: %d lines, not %d", path, n, want.cards)
		}
		_, cards, _ := strings.Cut(page, `id="cards"`)
		_, line, _ := strings.Cut(cards, `<tr class="row`)
		line, _, _ = strings.Cut(line, "</tr>")
		if !strings.Contains(cards, want.first) || strings.Contains(cards, want.not) || want.first != "" && !strings.Contains(line, want.first) {
			t.Errorf("%s: the cards do not begin with %s, or have %s", path, want.first, want.not)
		}
		for _, text := range want.texts {
			if !strings.Contains(strings.ReplaceAll(page, "&#43;", "+"), text) {
				t.Errorf("%s: no %q in %.200q", path, text, cards[max(0, len(cards)-300):])
			}
		}
	}
	for _, path := range []string{"/?page=0", "/?page=x", "/?page=-1", "/?page=+2", "/?page=02", "/?show=zzz"} {
		if w := ask(t, s, "GET", path, ""); w.Code != 400 {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	w := ask(t, s, "GET", "/?page=201", "") // has a link back: archives may have gone since the page before
	checkTexts(t, w.Body.String(), []string{"There is no page 201", `href="/?page=200"`}, []string{"node-9999"})
	if w.Code != 404 {
		t.Error(w.Code)
	}
}

// A snapshot's page has one address. Another form of its number, which a cache or a link may have, is refused.
func TestNumbersOfSnapshotsHaveOneForm(t *testing.T) {
	t.Parallel()
	s := newServer(t, filled(well("orders")), "")
	for _, prefix := range []string{"/archives/orders/snapshots/", "/api/v1/archives/orders/snapshots/"} {
		for _, n := range []string{"007", "+7", "-7", "7.0", "0x7", "%207", "07"} {
			if w := ask(t, s, "GET", prefix+n, ""); w.Code != 404 {
				t.Errorf("%s%s: %d", prefix, n, w.Code)
			}
		}
	}
}

// Which history a snapshot continues decides what a restore of it brings back, so the pages show where it changed.
func TestPagesShowForks(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	f.snapshots[118].ForkedFrom, f.snapshots[117].RewoundFrom = 118, 117
	s := newServer(t, f, "")
	checkTexts(t, get(t, s, "/archives/orders"), []string{"a fork from snapshot 118", "rewound from snapshot 117"}, nil)
	checkTexts(t, get(t, s, "/archives/orders/snapshots/119"),
		[]string{"another history begins here; snapshot 118 is the last of the one before"}, []string{"Rewound"})
	checkTexts(t, get(t, s, "/archives/orders/snapshots/118"), []string{"snapshot 117 has it"}, []string{"<dt>Fork"})
}

// A few archives need no form.
func TestFrontPageOfFewArchives(t *testing.T) {
	t.Parallel()
	checkTexts(t, get(t, newServer(t, filled(well("orders")), ""), "/"), nil, []string{"<form", "Archives 1"})
}
