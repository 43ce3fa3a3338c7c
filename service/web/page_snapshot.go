package web

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

type snapshotView struct {
	frame
	Card      card
	Snapshot  Snapshot
	Files     []File
	From      int64 // of the files, counted from 1
	To        int64
	Total     int64
	NextHref  string
	PrevHref  string
	Restore   string
	Short     string
	Earlier   int64 // the snapshot before it; 0 if there is none
	Later     int64 // the snapshot after it; 0 if there is none
	Previous  int64 // the snapshot it is compared with; 0 if none
	Changes   []changes
	NoChanges bool
	Problem   string // why there is no comparison
}

// changes are the files that differ in one way.
type changes struct {
	Word  string
	Names []string
	More  int64
	Count int64
}

func newChanges(word string, names Names) changes {
	return changes{Word: word, Names: names.First, More: names.Count - int64(len(names.First)), Count: names.Count}
}

func (s *Server) snapshotPage(w http.ResponseWriter, r *http.Request) {
	a, ok := s.archive(r.PathValue("name"))
	sequence, err := snapshotNumber(r)
	if !ok || err != nil {
		s.failed(w, r, ErrNotFound)
		return
	}
	offset, err := number64(r, "offset", 0, 1<<40, 0)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	since, err := number64(r, "since", 1, 1<<62, 0)
	if err != nil {
		s.fail(w, r, http.StatusBadRequest, err.Error())
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), backendTimeout)
	defer cancel()
	leave, err := s.limits.listing(ctx, a.Name)
	if err != nil {
		s.failed(w, r, err)
		return
	}
	defer leave()
	snap, err := s.backend.Snapshot(ctx, a.Name, sequence, Range{offset, pageFiles})
	if err != nil {
		s.failed(w, r, err)
		return
	}
	v := snapshotView{
		frame: s.frame(fmt.Sprintf("%s, snapshot %d", clean(a.Name), sequence)), Card: s.card("t", a),
		Snapshot: snap.Snapshot, Restore: s.restoreCommand(&a, sequence), Short: s.shortRestore(&a, sequence),
	}
	v.page(&snap, offset)
	s.compare(ctx, &v, since)
	s.pages.render(w, http.StatusOK, "snapshot", v)
}

// page sets the files to show.
func (v *snapshotView) page(snap *SnapshotFiles, offset int64) {
	begin := min(offset, snap.Total)
	end := begin + int64(len(snap.List))
	v.Files, v.From, v.To, v.Total = snap.List, begin+1, end, snap.Total
	href := fmt.Sprintf("%s/snapshots/%d?offset=", v.Card.Href, v.Snapshot.Sequence)
	if end < snap.Total {
		v.NextHref = href + strconv.FormatInt(end, 10)
	}
	if begin > 0 {
		v.PrevHref = href + strconv.FormatInt(max(0, begin-pageFiles), 10)
	}
}

// compare sets the differences since another snapshot; 0 selects the snapshot before it.
func (s *Server) compare(ctx context.Context, v *snapshotView, since int64) {
	all, err := s.backend.Snapshots(ctx, v.Card.Name)
	if err != nil {
		_, v.Problem = failure(err)
		return
	}
	before, _ := window(all, v.Snapshot.Sequence, 1)
	if len(before) > 0 {
		v.Earlier = before[0].Sequence
	}
	if i := slices.IndexFunc(all, func(one Snapshot) bool { return one.Sequence > v.Snapshot.Sequence }); i >= 0 {
		v.Later = all[i].Sequence
	}
	if v.Previous = v.Earlier; since > 0 {
		v.Previous = since
	}
	if v.Previous == 0 {
		return
	}
	d, err := s.backend.Diff(ctx, v.Card.Name, v.Previous, v.Snapshot.Sequence, pageNames)
	if err != nil {
		_, v.Problem = failure(err)
		return
	}
	for _, c := range []changes{newChanges("added", d.Added), newChanges("changed", d.Changed), newChanges("removed", d.Removed)} {
		if c.Count > 0 {
			v.Changes = append(v.Changes, c)
		}
	}
	v.NoChanges = len(v.Changes) == 0
}

// ChangesText describes how the snapshot, when it was made, differed from the snapshot before it.
func (s Snapshot) ChangesText() string {
	var parts []string
	for _, p := range []struct {
		n    int64
		what string
	}{{s.Added, "stored"}, {s.Changed, "changed"}, {s.Removed, "removed"}} {
		if p.n > 0 {
			parts = append(parts, number(p.n)+" "+p.what)
		}
	}
	if parts == nil {
		return "none"
	}
	return strings.Join(parts, ", ")
}
