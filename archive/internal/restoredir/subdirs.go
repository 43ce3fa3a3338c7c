package restoredir

import (
	"path"
	"sync"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// maxSubdirs bounds the directories that a restore keeps open. Databases deal their files to a few.
const maxSubdirs = 64

// subdirs are directories of the files, open as long as the restore runs. A root opens each element of a path for each
// operation, which costs more than the operations of a small file. Another process may move such a directory away. Then
// what is written follows it, and confirm finds the file missing under its path.
type subdirs struct {
	mu   sync.Mutex
	open map[string]*disk.Root
}

// in returns a root and a file's name in it: the file's directory if it is kept open, and otherwise the target.
func (d *Dir) in(name string) (*disk.Root, string) {
	dir, base := path.Split(name)
	if dir == "" {
		return d.root, name
	}
	d.below.mu.Lock()
	defer d.below.mu.Unlock()
	if root := d.below.open[dir]; root != nil {
		return root, base
	}
	if len(d.below.open) >= maxSubdirs {
		return d.root, name
	}
	root, err := d.root.OpenRoot(path.Clean(dir))
	if err != nil {
		return d.root, name // the operation itself returns the error
	}
	if d.below.open == nil {
		d.below.open = map[string]*disk.Root{}
	}
	d.below.open[dir] = root
	return root, base
}

// close closes the directories. The next use opens them by their paths again.
func (s *subdirs) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, root := range s.open {
		root.Close()
	}
	clear(s.open)
}
