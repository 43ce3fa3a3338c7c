package file

import (
	"context"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"syscall"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// walker yields the objects below a directory in the order of their keys' bytes. For each level it has the
// names of one directory in memory. It sorts the names of a directory as parts of keys, so a directory's name
// ends in "/": "a-b/" and "a.d" come before "a/".
type walker struct {
	ctx    context.Context
	tree   *tree
	root   *disk.Root
	prefix string
	roll   bool   // roll up at the first "/" beyond the prefix
	after  string // only keys greater than this
	yield  func(store.Object) bool
	enough bool // yield has returned false
}

// errStop ends a walk because the caller ended the sequence.
var errStop = errors.New("enough")

// walk yields the objects. A directory that is removed during the walk counts as empty.
func (w *walker) walk(root *disk.Root) error {
	w.root = root
	// Start in the deepest directory that contains all keys with this prefix.
	err := w.directory(w.prefix[:strings.LastIndexByte(w.prefix, '/')+1])
	if errors.Is(err, errStop) {
		w.enough = true
		return nil
	}
	return err
}

// place is an entry of a directory. key is an object's key, or the prefix of a directory, which ends in "/".
type place struct {
	key   string
	entry fs.DirEntry
}

func (w *walker) directory(dir string) error {
	places, err := w.places(dir)
	if err != nil {
		return err
	}
	for _, p := range places {
		if err := w.ctx.Err(); err != nil {
			return err
		}
		switch isDir := p.entry.IsDir(); {
		case isDir && w.roll && strings.HasPrefix(p.key, w.prefix):
			err = w.rollUp(p.key)
		case isDir:
			err = w.directory(p.key)
		default:
			err = w.file(p)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// places returns the entries of a directory that may have wanted keys, in the order of their keys.
func (w *walker) places(dir string) ([]place, error) {
	name := "."
	if dir != "" {
		name = pathOf(strings.TrimSuffix(dir, "/"))
	}
	entries, err := readDir(w.root, name)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, nil
	}
	if err != nil {
		inside := name + "/0"
		switch at, mode, found := firstBlock(w.root, inside); {
		case !found || at == inside:
			return nil, err
		case mode&fs.ModeSymlink == 0:
			return nil, nil // a socket, for one, which has no objects
		default:
			return nil, w.tree.blocked(inside, at, mode) // a link that leads out of the archive, perhaps to objects
		}
	}
	var places []place
	for _, e := range entries {
		if dir == "" && e.Type()&fs.ModeSymlink != 0 && isTop(e.Name()) && w.wants(e.Name()+"/") {
			return nil, w.tree.blocked(e.Name()+"/0", e.Name(), e.Type())
		}
		name, ours := keyOf(e.Name())
		key := dir + name
		if e.IsDir() {
			key += "/"
		}
		if ours && (dir != "" || e.Name() != hidden) && w.wanted(key, e) {
			places = append(places, place{key, e})
		}
	}
	slices.SortFunc(places, func(a, b place) int { return strings.Compare(a.key, b.key) })
	return places, nil
}

// isTop reports whether a name is that of a directory in which an archive has objects. A listing of everything must fail
// where one of these is a link, as a listing of that directory does.
func isTop(name string) bool {
	return slices.Contains([]string{
		manifest.ManifestsPrefix, manifest.LedgerPrefix, manifest.DataPrefix, manifest.BundlesPrefix, manifest.PagesPrefix,
		manifest.ProofsPrefix,
	}, name+"/")
}

func readDir(root *disk.Root, name string) ([]fs.DirEntry, error) {
	d, err := root.Open(name)
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.ReadDir(-1)
}

func (w *walker) wanted(key string, e fs.DirEntry) bool {
	if e.IsDir() {
		return w.wants(key)
	}
	return e.Type().IsRegular() && strings.HasPrefix(key, w.prefix) && key > w.after
}

// wants reports whether a directory may have wanted keys.
func (w *walker) wants(dir string) bool {
	inside := strings.HasPrefix(dir, w.prefix) || strings.HasPrefix(w.prefix, dir)
	return inside && (dir > w.after || strings.HasPrefix(w.after, dir))
}

// rollUp yields a directory if it contains a wanted key. So emptied directories are not listed.
func (w *walker) rollUp(dir string) error {
	found := false
	inner := *w
	inner.prefix, inner.roll = dir, false
	inner.yield = func(store.Object) bool {
		found = true
		return false
	}
	if err := inner.directory(dir); err != nil && !errors.Is(err, errStop) {
		return err
	}
	if found && !w.yield(store.Object{Key: dir, IsDir: true}) {
		return errStop
	}
	return nil
}

func (w *walker) file(p place) error {
	fi, err := p.entry.Info()
	if errors.Is(err, fs.ErrNotExist) {
		return nil // it has been deleted since
	}
	if err != nil {
		return err
	}
	if !w.yield(store.Object{Key: p.key, Size: fi.Size(), Modified: fi.ModTime(), Version: disk.Stamp(fi)}) {
		return errStop
	}
	return nil
}
