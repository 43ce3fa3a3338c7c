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

// Changed is a closed file whose content differs from the parent snapshot's.
type Changed struct {
	Name string `json:"name"`
	Kind string `json:"kind"` // one of the kinds of change
}

// The kinds of change. All but the last are determined from the files' entries.
const (
	ChangedErased    = "erased entries"    // the database erased entries in place
	ChangedInvisible = "invisible entries" // a replica rolled entries back in place
	ChangedBoth      = "erased and invisible entries"
	ChangedDamage    = "damage"        // its entries are no longer valid
	ChangedMended    = "damage mended" // its entries are valid again
	ChangedOther     = "other content"
)

// changeKind returns how a closed file has changed from one version to the next.
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

// unknown reports whether a file could not be checked because its log version is unknown.
func unknown(res *entries.Result) bool { return res.Problem != nil && !res.Problem.Damaged() }

// check returns the result of the entry check for a file's entry in the manifest; nil if the file was not checked.
func (r *backupRun) check(name string, res *entries.Result) *manifest.Check {
	if res == nil {
		return nil
	}
	if unknown(res) {
		r.unchecked.Do(func() {
			r.warn("%s is of %s; files of this version are archived without an entry check", name, res.Problem.Got)
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

// neverChecked reports whether a file was archived without an entry check, although this run makes one. The check was
// disabled then, or the log version was unknown. The file is read once more, since it may be damaged.
func (r *backupRun) neverChecked(was *manifest.File) bool {
	return was.Check == nil && was.State == manifest.Closed && r.layout.ChecksEntries()
}

// unreadable reports whether this program does not support the log version of a file either, so that reading the file
// shows nothing. It is false for a file that cannot be read now.
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

// byChain is the prefix of the reason for a file whose successor shows that it lacks entries.
const byChain = "the last entry begins at byte "

// checkChain compares each file with its successor, whose header holds the offset of the last entry before it. A
// difference shows that whole entries are missing at the end of the file. Earlier snapshots may have archived both.
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
		if f.Damaged() && strings.HasPrefix(f.Check.Why, byChain) { // the successor may have been wrong
			c := *f.Check
			c.Result, c.At, c.Why = manifest.CheckOK, nil, ""
			f.Check = &c
		}
		if m+1 != n || f.State != manifest.Closed || f.Check == nil || next.Check == nil || f.Damaged() || f.Check.Last == next.Check.Previous {
			continue
		}
		if next.Damaged() && *next.Check.At == 0 && !strings.HasPrefix(next.Check.Why, byChain) {
			continue // its header is damaged
		}
		c := *f.Check // the entry may be the parent's
		damage(&c, c.Last, fmt.Sprintf(byChain+"%d; by the header of %s it is at byte %d", c.Last, next.Name, next.Check.Previous))
		f.Check = &c
	}
}

// damaged returns the names of the files of a set that have invalid entries.
func damaged(files []manifest.File) []string {
	var names []string
	for i := range files {
		if files[i].Damaged() {
			names = append(names, files[i].Name)
		}
	}
	return names
}
