package archive

import (
	"errors"
	"maps"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// ErrNested reports that an archive lies, or would lie, within another one: below its prefix.
var ErrNested = errors.New("one archive would lie within another")

// Nested is an archive that lies within another one.
type Nested struct {
	Prefix  string `json:"prefix"`  // of its keys, below the other one's; it ends in "/"
	Objects int64  `json:"objects"` // below the prefix, as far as they were listed
}

// topLevel lists the first elements of an archive's keys, without archive.json. The last one has the most
// objects.
var topLevel = []string{
	store.ProbePrefix, manifest.ProofsPrefix, manifest.LedgerPrefix, manifest.ManifestsPrefix, manifest.PagesPrefix,
	manifest.BundlesPrefix, manifest.DataPrefix,
}

// IsArchiveKey reports whether a key begins like a key of an archive.
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

// maxRoots bounds the number of nested archives kept in memory. If a directory such as data/ has more, the
// whole directory counts as nested.
const maxRoots = 1000

// roots are the prefixes of the nested archives that were found so far.
type roots map[string]struct{}

// add adds a prefix.
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

// outermost returns the prefix of the nested archive that a key belongs to. Only keys in data/ can be
// ambiguous, since they contain a log file's name. All other keys of an archive have a fixed form, with
// digits where a nested archive would have a name.
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

// tally counts objects of a listing.
type tally struct {
	objects  int64
	other    int64 // objects that the archive does not need
	greatest int64 // the greatest number of a snapshot that one of the other objects was stored for
}

func (t *tally) add(more tally) {
	t.objects, t.other, t.greatest = t.objects+more.objects, t.other+more.other, max(t.greatest, more.greatest)
}

// nesting reads a listing and separates the objects of nested archives from the others. The object that
// proves a nested archive may be listed after thousands of its other objects. So each directory of the
// current key has its own tally, which is assigned when the listing leaves the directory.
type nesting struct {
	roots roots
	open  []openDirectory // the directories of the current key, the outermost first
	rest  tally           // the objects in no nested archive
	found []Nested        // the outermost nested archives that the listing has left
}

type openDirectory struct {
	prefix string
	tally  tally
	inner  int // the number of nested archives found before the listing entered it
}

// see adds the next key of the listing, with its tally.
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

// leave assigns the tallies of all open directories except the first keep.
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

// end assigns the remaining tallies, and returns the nested archives.
func (n *nesting) end() []Nested {
	n.leave(0)
	return n.found
}
