package web

import (
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

type indexView struct {
	frame
	Summary string
	Trouble bool
	Cards   []card
	Filter  *filterView // nil if all archives fit on one page and none is filtered out
}

// filterView is the form and the links of a front page that does not show all archives.
type filterView struct {
	Name         string // the text that names must contain
	Attention    bool   // only archives that need attention
	Shown        string // which archives the page shows
	Before, Next string // links to other pages; empty if there are none
}

// maxFilter bounds the text of a filter, in bytes. No archive's name is longer.
const maxFilter = 100

// showAttention is the one value of the query's show.
const showAttention = "attention"

// indexPage shows the archives, pageArchives at a time. The query selects: q is a part of the name, show=attention
// selects those that need attention, and page counts from 1.
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
	trouble := int64(0)
	var matching []int
	for i := range all {
		needs := all[i].needsAttention()
		if needs {
			trouble++
		}
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
	v.Trouble = trouble > 0
	v.Summary = summarize(trouble, int64(len(all)))
	s.pages.render(w, code, "index", v)
}

// summarize states how many of all archives need attention.
func summarize(trouble, all int64) string {
	switch {
	case trouble == 1:
		return fmt.Sprintf("1 of %s needs attention.", count(all, "archive"))
	case trouble > 1:
		return fmt.Sprintf("%s of %s need attention.", number(trouble), count(all, "archive"))
	case all == 1:
		return "Nothing needs attention."
	case all > 1:
		return fmt.Sprintf("None of %s needs attention.", count(all, "archive"))
	}
	return ""
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
