package values

import (
	"github.com/strongroom-dev/strongroom/manifest"
)

// Difference is what changed from one snapshot to another, each list in name order.
type Difference struct {
	Added   []manifest.File `json:"added"`
	Removed []manifest.File `json:"removed"`
	Changed []Change        `json:"changed"` // other content, or closed in one and a tail in the other
}

// Change is one file before and after.
type Change struct {
	Before manifest.File `json:"before"`
	After  manifest.File `json:"after"`
}

// Diff compares two snapshots by the names, hashes and states of their files. It ignores where the content is stored.
func Diff(before, after *manifest.Manifest) Difference {
	d := Difference{Added: []manifest.File{}, Removed: []manifest.File{}, Changed: []Change{}}
	a, b := before.Files, after.Files
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(b) == 0 || (len(a) > 0 && a[0].Name < b[0].Name):
			d.Removed = append(d.Removed, a[0])
			a = a[1:]
		case len(a) == 0 || b[0].Name < a[0].Name:
			d.Added = append(d.Added, b[0])
			b = b[1:]
		default:
			if a[0].SHA256 != b[0].SHA256 || a[0].State != b[0].State {
				d.Changed = append(d.Changed, Change{a[0], b[0]})
			}
			a, b = a[1:], b[1:]
		}
	}
	return d
}
