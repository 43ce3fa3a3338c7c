package nested

import (
	"maps"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// TopLevel lists the first elements of an archive's keys, without archive.json. The last one has the most
// objects.
var TopLevel = []string{
	store.ProbePrefix, manifest.ProofsPrefix, manifest.LedgerPrefix, manifest.ManifestsPrefix, manifest.PagesPrefix,
	manifest.BundlesPrefix, manifest.DataPrefix,
}

// IsArchiveKey reports whether a key begins like a key of an archive.
func IsArchiveKey(key string) bool {
	begins := func(top string) bool { return strings.HasPrefix(key, top) }
	return key == manifest.ArchiveKey || slices.ContainsFunc(TopLevel, begins)
}

// Homes returns the prefixes of the archives, other than this one, that could have an object under
// this key. Most keys have none.
func Homes(key string) []string {
	var found []string
	for i := range len(key) {
		if key[i] == '/' && IsArchiveKey(key[i+1:]) {
			found = append(found, key[:i+1])
		}
	}
	return found
}

// maxRoots bounds the number of nested archives kept in memory. If a directory such as data/ has more, the
// whole directory counts as nested.
const maxRoots = 1000

// Roots are the prefixes of the nested archives that were found so far.
type Roots map[string]struct{}

// Add adds a prefix.
func (r Roots) Add(prefix string) {
	if len(r) >= maxRoots && !r.Has(prefix) {
		top, _, _ := strings.Cut(prefix, "/")
		maps.DeleteFunc(r, func(root string, _ struct{}) bool { return strings.HasPrefix(root, top+"/") })
		prefix = top + "/"
	}
	r[prefix] = struct{}{}
}

func (r Roots) Has(prefix string) bool {
	_, ok := r[prefix]
	return ok
}

// Holds reports whether a key belongs to a nested archive.
func (r Roots) Holds(key string) bool {
	_, ok := r.Outermost(key)
	return ok
}

// Outermost returns the prefix of the nested archive that a key belongs to. Only keys in data/ can be
// ambiguous, since they contain a log file's name. All other keys of an archive have a fixed form, with
// digits where a nested archive would have a name.
func (r Roots) Outermost(key string) (prefix string, ok bool) {
	if len(r) == 0 || !strings.HasPrefix(key, manifest.DataPrefix) {
		return "", false
	}
	for i := range len(key) {
		if key[i] == '/' && r.Has(key[:i+1]) {
			return key[:i+1], true
		}
	}
	return "", false
}

// Tally counts objects of a listing.
type Tally struct {
	Objects  int64
	Other    int64 // objects that the archive does not need
	Greatest int64 // the greatest number of a snapshot that one of the other objects was stored for
}

func (t *Tally) add(more Tally) {
	t.Objects, t.Other, t.Greatest = t.Objects+more.Objects, t.Other+more.Other, max(t.Greatest, more.Greatest)
}

// Nesting reads a listing and separates the objects of nested archives from the others. The object that
// proves a nested archive may be listed after thousands of its other objects. So each directory of the
// current key has its own tally, which is assigned when the listing leaves the directory.
type Nesting struct {
	Roots Roots
	open  []openDirectory // the directories of the current key, the outermost first
	Rest  Tally           // the objects in no nested archive
	found []values.Nested // the outermost nested archives that the listing has left
}

type openDirectory struct {
	prefix string
	tally  Tally
	inner  int // the number of nested archives found before the listing entered it
}

// See adds the next key of the listing, with its tally.
func (n *Nesting) See(key string, t Tally) {
	keep := 0
	for keep < len(n.open) && strings.HasPrefix(key, n.open[keep].prefix) {
		keep++
	}
	n.leave(keep)
	from := 0
	if keep > 0 {
		from = len(n.open[keep-1].prefix)
	}
	for i := from; i < len(key); i++ {
		if key[i] == '/' {
			n.open = append(n.open, openDirectory{prefix: key[:i+1], inner: len(n.found)})
		}
	}
	if root, ok := manifest.NestedRoot(key); ok {
		n.Roots.Add(root)
	}
	if len(n.open) == 0 {
		n.Rest.add(t)
		return
	}
	n.open[len(n.open)-1].tally.add(t)
}

// leave assigns the tallies of all open directories except the first keep.
func (n *Nesting) leave(keep int) {
	for len(n.open) > keep {
		last := len(n.open) - 1
		d := n.open[last]
		n.open = n.open[:last]
		within := slices.ContainsFunc(n.open, func(o openDirectory) bool { return n.Roots.Has(o.prefix) })
		switch {
		case n.Roots.Has(d.prefix) && !within:
			for _, inner := range n.found[d.inner:] {
				d.tally.Objects += inner.Objects
			}
			n.found = append(n.found[:d.inner], values.Nested{Prefix: d.prefix, Objects: d.tally.Objects})
		case last > 0:
			n.open[last-1].tally.add(d.tally)
		default:
			n.Rest.add(d.tally)
		}
	}
}

// End assigns the remaining tallies, and returns the nested archives.
func (n *Nesting) End() []values.Nested {
	n.leave(0)
	return n.found
}
