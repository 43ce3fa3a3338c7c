package source

import (
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

// entry is a regular log file in a listing, with its state in a capture.
type entry struct {
	name string
	identity
	state State

	asked, wanted bool // want was called for this file; its result
	pin           *os.File
	fresh         bool // opened after this listing: it existed when the listing ended
	missed        bool // it was gone or replaced when it was opened
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
}

// listChunk is how many names are read at a time, so that the names of a large directory are not
// in memory twice.
const listChunk = 4096

// list reads the directory, with one stat call for each log file. Files in known whose names still
// exist are assumed to be unchanged and need no call.
func (d *Directory) list(ctx context.Context, known *listing) (*listing, error) {
	l := listing{dirs: map[string]DirID{}}
	if known != nil {
		l.entries = make([]entry, 0, len(known.entries)+16)
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
	slices.SortFunc(l.entries, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	// Some file systems list a name twice if the directory changes while it is read.
	l.entries = slices.CompactFunc(l.entries, func(a, b entry) bool { return a.name == b.name })
	return &l, nil
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
			if e := known.find(name); e != nil {
				l.entries = append(l.entries, entry{name: e.name, identity: e.identity})
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

// find returns the log file with this name; nil if there is none.
func (l *listing) find(name string) *entry {
	if l == nil {
		return nil
	}
	i, ok := slices.BinarySearchFunc(l.entries, name, func(e entry, name string) int { return strings.Compare(e.name, name) })
	if !ok {
		return nil
	}
	return &l.entries[i]
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
		l.entries = append(l.entries, entry{name: name, identity: id})
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
