package web

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

type indexView struct {
	frame
	Summary string
	Trouble bool
	Healthy bool   // every archive is
	Totals  string // the size of all archives; empty if there are fewer than two
	Cards   []card
	Compact bool        // a line for each archive instead of a card
	Filter  *filterView // nil if all archives fit on one page and none is filtered out
}

// filterView is the form and the links of a front page that does not show all archives.
type filterView struct {
	Name         string // the text that names must contain
	Attention    bool   // only archives that need attention
	Shown        string // which archives the page shows
	Before, Next string // links to other pages; empty if there are none
}

// maxCards is the largest number of archives that are shown as cards. More get a line each.
const maxCards = 5

// maxFilter bounds the text of a filter, in bytes. No archive's name is longer.
const maxFilter = 100

// showAttention is the one value of the query's show.
const showAttention = "attention"

// indexPage shows the archives, worst first, pageArchives at a time. The query selects: q is a part of the name,
// show=attention selects those that need attention, and page counts from 1.
func (s *Server) indexPage(w http.ResponseWriter, r *http.Request) {
	page, err := number64(r, "page", 1, 1<<31, 1)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	show := r.URL.Query().Get("show")
	if show != "" && show != showAttention {
		s.fail(w, r, http.StatusBadRequest, fmt.Sprintf("show=%q: use %s, or leave it out", show, showAttention))
		return
	}
	v := indexView{frame: s.frame("Strongroom")}
	v.Live, v.Reload = true, true
	name := strings.TrimSpace(r.URL.Query().Get("q"))
	f := &filterView{Name: clean(name[:min(len(name), maxFilter)]), Attention: show == showAttention}
	all := s.backend.Archives()
	order := make([]int, len(all))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(all[i].rank(), all[j].rank()) })
	var t totals
	var matching []int
	for _, i := range order {
		needs := all[i].needsAttention()
		t.add(&all[i], needs)
		if (needs || !f.Attention) && strings.Contains(strings.ToLower(all[i].Name), strings.ToLower(f.Name)) {
			matching = append(matching, i)
		}
	}
	code := http.StatusOK
	if page > 1 && (page-1)*pageArchives >= int64(len(matching)) {
		code = http.StatusNotFound // the page has a link back
	}
	first := min((int(page)-1)*pageArchives, len(matching))
	last := min(first+pageArchives, len(matching))
	for _, i := range matching[first:last] {
		v.Cards = append(v.Cards, s.card("t"+strconv.Itoa(i), all[i]))
	}
	if len(all) > pageArchives || len(matching) < len(all) || page > 1 {
		f.describe(first, last, len(matching), int(page))
		v.Filter = f
	}
	v.Compact = len(all) > maxCards
	v.Trouble, v.Healthy = t.trouble > 0, t.trouble+t.empty+t.leftOut == 0 && t.all > 0
	v.Summary, v.Totals = t.summary(), t.text()
	if v.Summary != "" {
		v.Title = v.Summary
	}
	s.pages.render(w, code, "index", v)
}

// totals counts archives for the head of the front page.
type totals struct {
	all, trouble, empty    int64
	leftOut                int64 // of the others, those whose last run left files out
	snapshots, bytes       int64
	hasSnapshots, hasBytes bool // of every archive
}

func (t *totals) add(a *Archive, needsAttention bool) {
	if t.all == 0 {
		t.hasSnapshots, t.hasBytes = true, true
	}
	t.all++
	switch {
	case needsAttention:
		t.trouble++
	case a.Health() == StateEmpty:
		t.empty++
	case a.LeftOut.Files > 0:
		t.leftOut++
	}
	if a.Kept != nil {
		t.snapshots += a.Kept.Snapshots
	}
	t.bytes += a.LastVerification.BytesTotal
	t.hasSnapshots = t.hasSnapshots && a.Kept != nil
	t.hasBytes = t.hasBytes && a.LastVerification.BytesTotal > 0
}

// summary states how many archives are healthy, or otherwise how many have the worst that applies.
func (t *totals) summary() string {
	switch {
	case t.all == 0:
		return ""
	case t.all == 1 && t.trouble == 1:
		return "The archive needs attention"
	case t.trouble > 0:
		return t.some(t.trouble, "needs attention", "need attention")
	case t.all == 1 && t.leftOut == 1:
		return "Files of the archive were left out"
	case t.leftOut > 0:
		return t.some(t.leftOut, "has files left out", "have files left out")
	case t.all == 1 && t.empty == 1:
		return "There is no snapshot yet"
	case t.all == 1:
		return "The archive is healthy"
	case t.empty > 0:
		return t.some(t.empty, "has no snapshot yet", "have no snapshot yet")
	case t.all == 2:
		return "Both archives are healthy"
	}
	return fmt.Sprintf("All %s are healthy", count(t.all, "archive"))
}

// some states that n of all archives are in a state, with the verb for one and for more.
func (t *totals) some(n int64, one, more string) string {
	does := more
	if n == 1 {
		does = one
	}
	return fmt.Sprintf("%s of %s %s", number(n), count(t.all, "archive"), does)
}

// text states the size of all archives.
func (t *totals) text() string {
	var parts []string
	if t.hasBytes {
		parts = append(parts, Size(t.bytes)+" stored")
	}
	if t.hasSnapshots {
		parts = append(parts, count(t.snapshots, "snapshot"))
	}
	if t.all < 2 || parts == nil {
		return ""
	}
	return "In all: " + strings.Join(parts, ", ")
}

// describe sets the text and the links for a part of the matching archives.
func (f *filterView) describe(first, last, matching, page int) {
	switch {
	case matching == 0:
		f.Shown = "No archive matches."
	case first == last:
		f.Shown = fmt.Sprintf("There is no page %d of %s.", page, count(int64(matching), "archive"))
	default:
		f.Shown = fmt.Sprintf("Archives %s to %s of %s.",
			number(int64(first+1)), number(int64(last)), number(int64(matching)))
	}
	if page > 1 {
		f.Before = f.href(min(page-1, 1+(matching-1)/pageArchives))
	}
	if last < matching {
		f.Next = f.href(page + 1)
	}
}

// href returns the address of a page with the same filter.
func (f *filterView) href(page int) string {
	q := url.Values{}
	if f.Name != "" {
		q.Set("q", f.Name)
	}
	if f.Attention {
		q.Set("show", showAttention)
	}
	if page > 1 {
		q.Set("page", strconv.Itoa(page))
	}
	if len(q) == 0 {
		return "/"
	}
	return "/?" + q.Encode()
}
