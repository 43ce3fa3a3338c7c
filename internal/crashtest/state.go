package crashtest

import (
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// A node is a file or a directory. It may have several names.
type node struct {
	entries map[string]*entry // nil for a file

	synced  []byte  // a file's content at its last sync
	changes []write // since then
	times   []time.Time
}

// entry is a name in a directory: its node at the last sync of the directory, and after each change since. Nil
// means that the name does not exist.
type entry struct{ led []*node }

func (e *entry) now() *node { return e.led[len(e.led)-1] }

// write is a change of a file's content: data at an offset, or another size.
type write struct {
	data   []byte // nil sets the file's size to offset
	offset int64
}

func newDir() *node { return &node{entries: map[string]*entry{}} }

// read returns the node of a directory with its content, all of it durable.
func read(dir string) (*node, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	d := newDir()
	for _, e := range entries {
		var n *node
		name := filepath.Join(dir, e.Name())
		if e.IsDir() {
			n, err = read(name)
		} else {
			n, err = readFile(name)
		}
		if err != nil {
			return nil, err
		}
		d.entries[e.Name()] = &entry{[]*node{n}}
	}
	return d, nil
}

func readFile(name string) (*node, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	return &node{synced: b, times: []time.Time{info.ModTime()}}, nil
}

// clone copies a durable tree.
func (n *node) clone() *node {
	if n.entries == nil {
		return &node{synced: n.synced, times: slices.Clone(n.times)}
	}
	d := newDir()
	for name, e := range n.entries {
		d.entries[name] = &entry{[]*node{e.now().clone()}}
	}
	return d
}

// A State is a file system with its history since each sync.
type State struct {
	top  *node
	open map[int]*node
}

// At returns the state after the first n events.
func (l *Log) At(n int) (*State, error) {
	s := &State{l.base.clone(), map[int]*node{}}
	for i := range l.events[:n] {
		if err := s.apply(&l.events[i]); err != nil {
			return nil, fmt.Errorf("event %d, %s: %w", i, l.String(i), err)
		}
	}
	return s, nil
}

func (s *State) apply(e *event) error {
	switch e.kind {
	case disk.Open:
		return s.openFile(e)
	case disk.Write, disk.Truncate, disk.Sync:
		n := s.open[e.handle]
		if n == nil {
			return fmt.Errorf("%d is not open", e.handle)
		}
		switch e.kind {
		case disk.Write:
			n.changes = append(n.changes, write{e.data, e.offset})
		case disk.Truncate:
			n.changes = append(n.changes, write{nil, e.offset})
		default:
			n.sync()
		}
		return nil
	case disk.SyncAll:
		s.syncAll(s.top)
		return nil
	case disk.Times:
		n, err := s.find(e.path)
		if err == nil {
			n.times = append(n.times, e.time)
		}
		return err
	case disk.Mkdir:
		return s.mkdirAll(e.path)
	case disk.Link, disk.Rename:
		n, err := s.find(e.path)
		if err != nil {
			return err
		}
		if e.kind == disk.Rename {
			if err := s.set(e.path, nil); err != nil {
				return err
			}
		}
		return s.set(e.to, n)
	case disk.Remove:
		return s.set(e.path, nil)
	}
	return nil
}

// sync makes the content of a file durable, or the names in a directory.
func (n *node) sync() {
	n.synced, n.changes = n.content(), nil
	if len(n.times) > 0 {
		n.times = n.times[len(n.times)-1:]
	}
	for name, e := range n.entries {
		if e.led = []*node{e.now()}; e.now() == nil {
			delete(n.entries, name)
		}
	}
}

func (s *State) syncAll(n *node) {
	n.sync()
	for _, e := range n.entries {
		s.syncAll(e.now())
	}
}

// content returns the file's content on the running system.
func (n *node) content() []byte {
	b := slices.Clone(n.synced)
	for _, w := range n.changes {
		b = w.on(b)
	}
	return b
}

// on returns the content b after the write.
func (w write) on(b []byte) []byte {
	end := w.offset + int64(len(w.data))
	if w.data == nil && int64(len(b)) > end {
		return b[:end]
	}
	if grow := end - int64(len(b)); grow > 0 {
		b = append(b, make([]byte, grow)...)
	}
	copy(b[w.offset:], w.data)
	return b
}

func (s *State) openFile(e *event) error {
	n, err := s.find(e.path)
	if err != nil && e.flag&os.O_CREATE != 0 {
		n = &node{times: []time.Time{{}}}
		err = s.set(e.path, n)
	}
	if err != nil {
		return err
	}
	if e.flag&os.O_TRUNC != 0 && len(n.content()) > 0 {
		n.changes = append(n.changes, write{nil, 0})
	}
	s.open[e.handle] = n
	return nil
}

func (s *State) mkdirAll(name string) error {
	if name == "." {
		return nil
	}
	if _, err := s.find(name); err == nil {
		return nil
	}
	if err := s.mkdirAll(path.Dir(name)); err != nil {
		return err
	}
	return s.set(name, newDir())
}

// find returns the present node of a name.
func (s *State) find(name string) (*node, error) {
	n := s.top
	if name == "." {
		return n, nil
	}
	for element := range strings.SplitSeq(name, "/") {
		e := n.entries[element]
		if e == nil || e.now() == nil {
			return nil, fmt.Errorf("%s: %w", name, os.ErrNotExist)
		}
		n = e.now()
	}
	return n, nil
}

// set makes n the node of a name.
func (s *State) set(name string, n *node) error {
	dir, err := s.find(path.Dir(name))
	if err != nil {
		return err
	}
	if dir.entries == nil {
		return fmt.Errorf("the parent of %s is a file", name)
	}
	e := dir.entries[path.Base(name)]
	if e == nil {
		e = &entry{[]*node{nil}}
		dir.entries[path.Base(name)] = e
	}
	e.led = append(e.led, n)
	return nil
}

// names returns the names in a directory, in order.
func (n *node) names() []string { return slices.Sorted(maps.Keys(n.entries)) }
