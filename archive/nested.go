package archive

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// ErrNested says that an archive lies, or would lie, within another one: below its prefix.
var ErrNested = errors.New("one archive would lie within another")

// Nested is an archive that lies within another one.
type Nested struct {
	Prefix  string `json:"prefix"`  // of its keys, below the other one's; it ends in "/"
	Objects int64  `json:"objects"` // below the prefix, as far as they were listed
}

// topLevel are the first elements of the keys that an archive can have, besides archive.json. The one with the
// most objects is the last.
var topLevel = []string{
	store.ProbePrefix, manifest.ProofsPrefix, manifest.LedgerPrefix, manifest.ManifestsPrefix, manifest.PagesPrefix,
	manifest.BundlesPrefix, manifest.DataPrefix,
}

// IsArchiveKey reports whether a key begins as those of an archive do.
func IsArchiveKey(key string) bool {
	begins := func(top string) bool { return strings.HasPrefix(key, top) }
	return key == manifest.ArchiveKey || slices.ContainsFunc(topLevel, begins)
}

// homes returns the prefixes of the archives, other than this one, that could have an object under
// this key. Most keys have none.
func homes(key string) []string {
	var found []string
	for i := range len(key) {
		if key[i] == '/' && IsArchiveKey(key[i+1:]) {
			found = append(found, key[:i+1])
		}
	}
	return found
}

// maxRoots bounds the nested archives that are remembered. If there are more in a directory such as
// data/, all of it counts as nested.
const maxRoots = 1000

// roots are the prefixes of the nested archives that were found so far.
type roots map[string]struct{}

// add remembers one.
func (r roots) add(prefix string) {
	if len(r) >= maxRoots && !r.has(prefix) {
		top, _, _ := strings.Cut(prefix, "/")
		maps.DeleteFunc(r, func(root string, _ struct{}) bool { return strings.HasPrefix(root, top+"/") })
		prefix = top + "/"
	}
	r[prefix] = struct{}{}
}

func (r roots) has(prefix string) bool {
	_, ok := r[prefix]
	return ok
}

// holds reports whether a key belongs to a nested archive.
func (r roots) holds(key string) bool {
	_, ok := r.outermost(key)
	return ok
}

// outermost returns the prefix of the nested archive that a key belongs to, as it lies below that. Only
// keys in data/ are in doubt, where a log file's name stands. All other keys of an archive have a fixed
// form, with digits where a nested archive would have a name.
func (r roots) outermost(key string) (prefix string, ok bool) {
	if len(r) == 0 || !strings.HasPrefix(key, manifest.DataPrefix) {
		return "", false
	}
	for i := range len(key) {
		if key[i] == '/' && r.has(key[:i+1]) {
			return key[:i+1], true
		}
	}
	return "", false
}

// A tally counts objects of a listing.
type tally struct {
	objects  int64
	other    int64 // those that the archive has no use for
	greatest int64 // number of a snapshot that one of these was stored for
}

func (t *tally) add(more tally) {
	t.objects, t.other, t.greatest = t.objects+more.objects, t.other+more.other, max(t.greatest, more.greatest)
}

// A nesting follows a listing, and separates what lies in nested archives from the rest. What proves
// a nested archive may come after thousands of its objects, so each directory of the current key has
// a tally of its own, which is settled when the listing leaves the directory.
type nesting struct {
	roots roots
	open  []openDirectory // those of the current key, the outermost first
	rest  tally           // what lies in no nested archive
	found []Nested        // the outermost nested archives that the listing has left
}

type openDirectory struct {
	prefix string
	tally  tally
	inner  int // how many nested archives were found before it was opened
}

// see takes the next key of the listing, with what it counts for.
func (n *nesting) see(key string, t tally) {
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
		n.roots.add(root)
	}
	if len(n.open) == 0 {
		n.rest.add(t)
		return
	}
	n.open[len(n.open)-1].tally.add(t)
}

// leave settles the directories beyond the first keep.
func (n *nesting) leave(keep int) {
	for len(n.open) > keep {
		last := len(n.open) - 1
		d := n.open[last]
		n.open = n.open[:last]
		within := slices.ContainsFunc(n.open, func(o openDirectory) bool { return n.roots.has(o.prefix) })
		switch {
		case n.roots.has(d.prefix) && !within:
			for _, inner := range n.found[d.inner:] {
				d.tally.objects += inner.Objects
			}
			n.found = append(n.found[:d.inner], Nested{d.prefix, d.tally.objects})
		case last > 0:
			n.open[last-1].tally.add(d.tally)
		default:
			n.rest.add(d.tally)
		}
	}
}

// end settles all, and returns the nested archives.
func (n *nesting) end() []Nested {
	n.leave(0)
	return n.found
}
