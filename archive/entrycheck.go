package archive

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries"
)

// Changed is a closed file whose content is not that of the snapshot before.
type Changed struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // one of the kinds of change
}

// The kinds of change. All but the last are told by the files' entries.
const (
	ChangedErased    = "erased entries"    // the database erased some, in place
	ChangedInvisible = "invisible entries" // a replica rolled some back, in place
	ChangedBoth      = "erased and invisible entries"
	ChangedDamage    = "damage"        // its entries do not hold any more
	ChangedMended    = "damage mended" // its entries hold again
	ChangedOther     = "other content"
)

// changeKind tells what was done to a closed file from one version to the next.
func changeKind(was, now *manifest.File) string {
	a, b := was.Check, now.Check
	switch {
	case now.Damaged():
		return ChangedDamage
	case was.Damaged() && b != nil:
		return ChangedMended
	case a == nil || b == nil || a.Entries != b.Entries || a.Last != b.Last || was.Size != now.Size:
		return ChangedOther
	}
	erased, invisible := b.Erased > a.Erased, b.Invisible > a.Invisible
	switch {
	case erased && invisible:
		return ChangedBoth
	case erased:
		return ChangedErased
	case invisible:
		return ChangedInvisible
	}
	return ChangedOther
}

// unknown reports whether nothing can be said of a file, since its log version is not
// known.
func unknown(res *entries.Result) bool { return res.Problem != nil && !res.Problem.Damaged() }

// check is what the entry check says of a file, for its entry; nil where nothing can be
// said.
func (r *backupRun) check(name string, res *entries.Result) *manifest.Check {
	if res == nil {
		return nil
	}
	if unknown(res) {
		r.unchecked.Do(func() {
			r.warn("%s is of %s; such files are archived without a check of their entries", name, res.Problem.Got)
		})
		return nil
	}
	c := &manifest.Check{
		By: r.layout.Name(), Entries: res.Entries, Result: manifest.CheckOK,
		Last: res.Last, Previous: int64(res.Previous), Invisible: res.Invisible, Erased: res.Erased,
	}
	if p := res.Problem; p != nil {
		damage(c, p.Offset, p.Error())
	}
	return c
}

// neverChecked reports whether a file was archived without a check of its entries, although
// this run checks them: they were to be ignored then, or the log version was not known. It
// is read once more, for nobody knows whether it is whole.
func (r *backupRun) neverChecked(was *manifest.File) bool {
	return was.Check == nil && was.State == manifest.Closed && r.layout.ChecksEntries()
}

// unreadable reports whether the log version of a file is not known to this program either,
// so that reading it tells nothing. A file that cannot be read now is not one of those.
func (r *backupRun) unreadable(f *source.File) bool {
	content, err := r.capture.Peek(f.Name)
	if err != nil {
		return false
	}
	defer content.Close()
	head := make([]byte, min(f.Size, 4<<10))
	if _, err := content.ReadAt(head, 0); err != nil && err != io.EOF {
		return false
	}
	reader := r.layout.EntryReader(f.Name)
	reader.Write(head)
	res := reader.Result()
	return unknown(&res)
}

func damage(c *manifest.Check, at int64, why string) {
	c.Result, c.At, c.Why = manifest.CheckDamaged, &at, why
}

// byChain begins what is said of a file that its successor shows to lack entries.
const byChain = "the last entry begins at byte "

// checkChain compares each file with its successor, whose header holds the offset of the
// last entry before it: so it shows that whole entries are missing at the end of a file.
// Both may have been archived before.
func checkChain(layout source.Layout, files []manifest.File) {
	if !layout.ChecksEntries() {
		return
	}
	order := make([]int, len(files))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return layout.Compare(files[i].Name, files[j].Name) })
	for k := 1; k < len(order); k++ {
		f, next := &files[order[k-1]], &files[order[k]]
		_, m, _ := layout.Position(f.Name)
		_, n, _ := layout.Position(next.Name)
		if f.Damaged() && strings.HasPrefix(f.Check.Why, byChain) { // found anew each time: what was wrong may be the successor
			c := *f.Check
			c.Result, c.At, c.Why = manifest.CheckOK, nil, ""
			f.Check = &c
		}
		if m+1 != n || f.State != manifest.Closed || f.Check == nil || next.Check == nil || f.Damaged() || f.Check.Last == next.Check.Previous {
			continue
		}
		if next.Damaged() && *next.Check.At == 0 && !strings.HasPrefix(next.Check.Why, byChain) {
			continue // its header says nothing
		}
		c := *f.Check // the entry may be the parent's
		damage(&c, c.Last, fmt.Sprintf(byChain+"%d; by the header of %s it is at byte %d", c.Last, next.Name, next.Check.Previous))
		f.Check = &c
	}
}

// damaged names the files of a set whose entries do not hold.
func damaged(files []manifest.File) []string {
	var names []string
	for i := range files {
		if files[i].Damaged() {
			names = append(names, files[i].Name)
		}
	}
	return names
}
