package source

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Ignored is a file of the layout that was left out of a capture.
type Ignored struct {
	Name       string
	Size       int64  // in bytes; 0 if the file was not read
	Why        string // the reason, for people
	Suspicious bool   // the file has content but no log entry; an operator should inspect it

	// Normal means that the layout leaves such a file out of every capture, such as the one that is
	// being written. Otherwise the set may lack content that the operator expects in it.
	Normal bool
}

// entry is a regular log file in a listing, with its state in a capture. It is small, since a source
// may have very many.
type entry struct {
	name string
	identity
	pin *pin // nil if the file is opened by its name

	number uint32 // in the order in which the listing read the names
	state  State
	want   wish
	fresh  bool // opened after this listing: it existed when the listing ended
	missed bool // it was gone or replaced when it was opened
}

// wish is whether want was called for a file, and its result.
type wish uint8

const (
	unasked wish = iota
	unwanted
	wanted
)

// pin is the open descriptor of a captured file.
type pin struct {
	*os.File
	out    int // open Contents that share it
	claims int // captures that may still need it
}

func (e *entry) file() File {
	return File{Name: e.name, Size: e.size, Modified: e.modified(), State: e.state, was: &e.identity}
}

// listing is the result of reading the directory once: at first all log files, after classify those
// that belong to the set.
type listing struct {
	entries []entry // sorted by name
	ignored []Ignored
	dirs    map[string]DirID // by path, of the directories that may have log files; nil: not identified
	ended   time.Time
	enough  int // stop after this number of entries; 0 reads all

	order []uint32 // the entries in the order in which their names were read
	next  int      // the place in order that find probably needs next

	seen   []bool // of the entries of a listing before: their names exist
	isSame bool   // the names are those of the listing before; entries has none then
}

// listChunk is how many names are read at a time, so that the names of a large directory are not
// in memory twice.
const listChunk = 4096

// list reads the directory, with one stat call for each log file. Files in known whose names still
// exist are assumed to be unchanged and need no call.
func (d *Directory) list(ctx context.Context, known *listing) (*listing, error) {
	l := listing{dirs: map[string]DirID{}}
	if known != nil {
		l.seen = make([]bool, len(known.entries))
	}
	for todo := []string{""}; len(todo) > 0; {
		dir := todo[0]
		below, err := d.listDir(ctx, dir, known, &l)
		if err != nil {
			return nil, err
		}
		todo = append(todo[1:], below...)
	}
	l.ended = d.hooks.now()
	if known != nil {
		l.addSeen(known)
	}
	if l.isSame {
		return &l, nil
	}
	slices.SortFunc(l.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	// Some file systems list a name twice if the directory changes while it is read.
	l.entries = slices.CompactFunc(l.entries, func(a, b entry) bool { return a.name == b.name })
	return &l, nil
}

// addSeen adds the entries of the listing before whose names exist, unless these are all there are: so
// the entries of a large directory are mostly not in memory twice.
func (l *listing) addSeen(known *listing) {
	if l.isSame = len(l.entries) == 0 && !slices.Contains(l.seen, false); l.isSame {
		return
	}
	for i, isSeen := range l.seen {
		if isSeen {
			l.add(known.entries[i].name, &known.entries[i].identity)
		}
	}
}

// add adds a log file to a listing.
func (l *listing) add(name string, id *identity) {
	l.entries = append(l.entries, entry{name: name, identity: *id, number: uint32(len(l.entries))})
}

// listDir adds the log files in dir to l, and returns the subdirectories to search.
func (d *Directory) listDir(ctx context.Context, dir string, known, l *listing) (below []string, err error) {
	f, err := openDir(d.at(dir))
	if err != nil {
		return nil, d.excuse(dir, l, err)
	}
	defer f.Close()
	if l.dirs != nil && (dir == "" || d.layout.pattern == nil) {
		l.dirs[dir] = identifyDir(f)
	}
	for {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		found, err := f.Readdirnames(listChunk)
		for _, base := range found {
			name := base
			if dir != "" {
				name = dir + "/" + base
			}
			if i := known.find(name); i >= 0 {
				l.seen[i] = true
				continue
			}
			sub, err := d.look(f, name, l)
			if err != nil {
				return nil, err
			}
			if sub {
				below = append(below, name)
			}
			if l.enough > 0 && len(l.entries) >= l.enough {
				return below, nil
			}
		}
		if err == io.EOF {
			return below, nil
		}
		if err != nil {
			return nil, fmt.Errorf("reading the source directory %s: %w", d.at(dir), bare(err))
		}
	}
}

// find returns the index of the log file with this name; -1 if there is none. It is fast if the names
// come in the order in which this listing read them, as those of a directory do again.
func (l *listing) find(name string) int {
	if l == nil {
		return -1
	}
	if l.order == nil {
		l.order = l.readOrder()
	}
	if l.next < len(l.order) {
		if i := l.order[l.next]; l.entries[i].name == name {
			l.next++
			return int(i)
		}
	}
	i, ok := slices.BinarySearchFunc(l.entries, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
	if !ok {
		return -1
	}
	l.next, _ = slices.BinarySearchFunc(l.order, l.entries[i].number+1, func(i, number uint32) int {
		return cmp.Compare(l.entries[i].number, number)
	})
	return i
}

// readOrder returns the entries in the order in which their names were read.
func (l *listing) readOrder() []uint32 {
	const none = ^uint32(0)
	var last uint32
	for i := range l.entries {
		last = max(last, l.entries[i].number)
	}
	order := slices.Repeat([]uint32{none}, int(last)+1)
	for i := range l.entries {
		order[l.entries[i].number] = uint32(i)
	}
	return slices.DeleteFunc(order, func(i uint32) bool { return i == none })
}

// excuse returns nil if the set is complete without a subdirectory that cannot be opened, and
// otherwise the error.
func (d *Directory) excuse(dir string, l *listing, err error) error {
	switch {
	case dir == "":
		return err
	case errors.Is(err, ErrMissing):
		if _, linkErr := os.Lstat(d.at(dir)); isGone(linkErr) {
			return nil // removed since its parent was read
		}
		return err // a link to a disk that is not mounted
	case errors.Is(err, fs.ErrPermission) && path.Base(dir) == "lost+found":
		l.ignored = append(l.ignored, Ignored{Name: dir, Why: "it belongs to the file system and is not readable", Normal: true})
		return nil
	}
	return err
}

// look adds one name to l if it is a log file, and reports whether it is a directory to search.
func (d *Directory) look(parent *os.File, name string, l *listing) (search bool, err error) {
	ok, why := d.layout.match(name)
	mayHold := d.layout.searches(name)
	if !ok && !mayHold {
		return false, nil
	}
	var st unix.Stat_t
	if err := statAt(parent, path.Base(name), &st); err != nil {
		return false, d.excuseFile(name, ok || d.layout.pattern == nil, err)
	}
	id, regular := identify(&st)
	isDir := st.Mode&unix.S_IFMT == unix.S_IFDIR
	switch {
	case isDir && mayHold:
		if d.layout.pattern == nil || !d.isLink(name) {
			return true, nil
		}
		why = "it is a link to a directory, and those are not followed"
	case !ok:
		return false, nil
	case isDir:
		why = "it is a directory"
	case !regular:
		why = "it is not a regular file"
	}
	if why != "" {
		l.ignored = append(l.ignored, Ignored{Name: name, Why: why})
	} else {
		l.add(name, &id)
	}
	return false, nil
}

// isLink reports whether a directory is a symbolic link. JE's directories are often links to other
// disks, and are followed. Under a pattern, which may match at any depth, links could form a loop.
func (d *Directory) isLink(name string) bool {
	info, err := os.Lstat(d.at(name))
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// excuseFile returns nil if a failed stat does not affect the set: the name no longer exists, or
// it is a broken link that does not belong to the log. Otherwise it returns the error.
func (d *Directory) excuseFile(name string, matters bool, err error) error {
	if !isGone(err) {
		return fmt.Errorf("source %s: file %s: %w", d.path, name, bare(err))
	}
	target, linkErr := os.Readlink(d.at(name))
	if linkErr != nil || !matters {
		return nil
	}
	return fmt.Errorf("source %s: %s is a link to %s, %w", d.path, name, target, ErrMissing)
}
