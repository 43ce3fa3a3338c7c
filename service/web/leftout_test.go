package web

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// A run that left files out ended well, so nothing else shows that a restore lacks them. Page, API
// and metrics have the same number, and the page has the names, whatever characters they have.
func TestLeftOutFilesAreShown(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.LeftOut = LeftOut{Files: 12, Some: []LeftOutFile{{Name: "CURRENT", Why: "modified 3s ago"}, {Name: hostile}}}
	f := filled(a)
	f.snapshots[119].LeftOut = 12
	s := newServer(t, f, token)
	for path, wants := range map[string][]string{
		"/": {"Files left out", "12 files of the source left out", "CURRENT</bdi>: modified 3s ago", "and 10 more"},
		"/archives/orders": {
			"12 files of the source left out", "CURRENT</bdi>: modified 3s ago", "and 10 more", "ok, 12 files left out",
		},
		"/archives/orders/snapshots/120":        {"ok, 12 files left out"},
		"/api/v1/archives":                      {`"left_out":{"files":12,"some":[{"name":"CURRENT","why":"modified 3s ago"},`},
		"/api/v1/archives/orders/snapshots":     {`"left_out":12`},
		"/api/v1/archives/orders/snapshots/120": {`"left_out":12`},
	} {
		page := get(t, s, path)
		for _, want := range wants {
			if !strings.Contains(page, want) {
				t.Errorf("%s does not have %q", path, want)
			}
		}
		if strings.Contains(page, "Healthy") {
			t.Errorf("%s states that all is well", path)
		}
		if !strings.HasPrefix(path, "/api") && strings.Contains(page, hostile) {
			t.Errorf("%s has a hostile name as it is", path)
		}
	}
	want := `
# HELP strongroom_archive_left_out_files Files of the source that match the layout and that the last run did not archive.
# TYPE strongroom_archive_left_out_files gauge
strongroom_archive_left_out_files{archive="orders"} 12
`
	if err := testutil.GatherAndCompare(s.registry(), strings.NewReader(want), "strongroom_archive_left_out_files"); err != nil {
		t.Error(err)
	}
	if a.State() != StateOK {
		t.Errorf("the state is %s", a.State())
	}
}

// Where no file was left out, the page has no word about it, and the API has an empty list.
func TestNoFileLeftOut(t *testing.T) {
	t.Parallel()
	s := newServer(t, filled(well("orders")), token)
	if page := get(t, s, "/archives/orders"); strings.Contains(strings.ToLower(page), "left out") {
		t.Error("the page has files left out")
	}
	if page := get(t, s, "/api/v1/archives"); !strings.Contains(page, `"left_out":{"files":0,"some":[]}`) {
		t.Error("the API has no empty left_out")
	}
}

// With files left out, the newest snapshot is not all that the source has.
func TestNothingHasChangedOnlyWithoutLeftOutFiles(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.Behind, a.History = &Behind{}, []Run{{Start: noon, Outcome: Unchanged}}
	const since = "nothing has changed since"
	if got := a.sentence(noon); !strings.Contains(got, since) {
		t.Errorf("without: %s", got)
	}
	a.LeftOut.Files = 1
	if got := a.sentence(noon); strings.Contains(got, since) || !strings.Contains(got, "1 file of the source left out") {
		t.Errorf("with: %s", got)
	}
}

// The front page states nothing green beside the amber badge, and has the archive before those that are well.
func TestFrontPageCountsLeftOutFiles(t *testing.T) {
	t.Parallel()
	left := well("z")
	left.LeftOut.Files = 2
	empty := states()[StateEmpty]
	empty.LeftOut.Files = 1
	for want, all := range map[string][]Archive{
		"Files of the archive were left out":   {left},
		"There is no snapshot yet":             {empty},
		"1 of 3 archives has files left out":   {well("a"), left, states()[StateEmpty]},
		"2 of 2 archives have files left out":  {left, left},
		"1 of 2 archives needs attention":      {left, states()[StateFailing]},
		"2 of 2 archives have no snapshot yet": {empty, empty},
	} {
		page := get(t, newServer(t, &fake{archives: all}, ""), "/")
		checkTexts(t, page, []string{"<h1>" + want + "</h1>", "<title>" + want, `class="summary`}, []string{"summary healthy", "healthy</h1>"})
	}
	page := get(t, newServer(t, &fake{archives: []Archive{well("a"), left, states()[StateFailing]}}, ""), "/")
	failing, first, second := strings.Index(page, `aria-label="orders"`), strings.Index(page, `aria-label="z"`), strings.Index(page, `aria-label="a"`)
	if failing < 0 || first < failing || second < first {
		t.Errorf("the order is wrong: %d, %d, %d", failing, first, second)
	}
	if c := newServer(t, filled(left), "").card("t", left); c.Now(noon) != "2 files left out" {
		t.Errorf("the line has %q", c.Now(noon))
	}
}
