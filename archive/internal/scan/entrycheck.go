package scan

import (
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries"
)

// ChangeKind returns how a closed file has changed from one version to the next.
func ChangeKind(was, now *manifest.File) string {
	a, b := was.Check, now.Check
	switch {
	case now.Damaged():
		return values.ChangedDamage
	case was.Damaged() && b != nil:
		return values.ChangedMended
	case a == nil || b == nil || a.Entries != b.Entries || a.Last != b.Last || was.Size != now.Size:
		return values.ChangedOther
	}
	erased, invisible := b.Erased > a.Erased, b.Invisible > a.Invisible
	switch {
	case erased && invisible:
		return values.ChangedBoth
	case erased:
		return values.ChangedErased
	case invisible:
		return values.ChangedInvisible
	}
	return values.ChangedOther
}

// Unknown reports whether a file could not be checked because its log version is unknown.
func Unknown(res *entries.Result) bool { return res.Problem != nil && !res.Problem.Damaged() }

func Damage(c *manifest.Check, at int64, why string) {
	c.Result, c.At, c.Why = manifest.CheckDamaged, &at, why
}

// byChain is the prefix of the reason for a file whose successor shows that it lacks entries.
const byChain = "the last entry begins at byte "

// CheckChain compares each file with its successor, whose header holds the offset of the last entry before it. A
// difference shows that whole entries are missing at the end of the file. Earlier snapshots may have archived both.
func CheckChain(layout source.Layout, files []manifest.File) {
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
		Damage(&c, c.Last, fmt.Sprintf(byChain+"%d; by the header of %s it is at byte %d", c.Last, next.Name, next.Check.Previous))
		f.Check = &c
	}
}

// Damaged returns the names of the files of a set that have invalid entries.
func Damaged(files []manifest.File) []string {
	var names []string
	for i := range files {
		if files[i].Damaged() {
			names = append(names, files[i].Name)
		}
	}
	return names
}
