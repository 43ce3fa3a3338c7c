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
	Size       int64  // where it was looked at
	Why        string // for people
	Suspicious bool   // somebody should look at it: it holds something, and no log entry
}

// entry is a regular log file in a listing, and what became of it in a capture.
type entry struct {
	name string
	identity
	state State

	asked, wanted bool // the caller was asked for this content, and wants it
	pin           *os.File
	fresh         bool // opened after this listing: it was there when the listing ended
	missed        bool // it was no longer what the listing says when it was to be opened
}

func (e *entry) file() File {
	return File{Name: e.name, Size: e.size, Modified: e.modified(), State: e.state, was: &e.identity}
}

// listing is what one reading of the directory showed. First it holds all log files,
// and after classify those that belong to the set.
type listing struct {
	entries []entry // by name
	ignored []Ignored
	dirs    map[string]DirID // where log files lie or may lie, by path; nil: they are not identified
	ended   time.Time
	enough  int // so many entries end the listing early; 0: no number does
}

// listChunk is how many names are read at a time; a whole directory of 200,000 files
// need not be held twice.
const listChunk = 4096

// list reads the directory, with one stat for each log file. Files that known holds are
// taken to be what they were then, if their names are still there, and cost none.
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
	// Some file systems show a name twice when the directory changes under a reader.
	l.entries = slices.CompactFunc(l.entries, func(a, b entry) bool { return a.name == b.name })
	return &l, nil
}

// listDir adds what lies in dir to l, and returns the subdirectories to be searched.
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

// find returns the log file of that name, or nil.
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

// excuse decides whether the set can do without a subdirectory that cannot be opened.
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
		l.ignored = append(l.ignored, Ignored{Name: dir, Why: "the file system's own, and not readable"})
		return nil
	}
	return err
}

// look adds one name to l if it is a log file, and reports whether it is a directory to
// be searched.
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

// isLink tells links to directories from directories. Those of JE are followed, since
// they often lie on other disks; a pattern that is free to match at any depth would
// have us go around in circles.
func (d *Directory) isLink(name string) bool {
	info, err := os.Lstat(d.at(name))
	return err == nil && info.Mode()&fs.ModeSymlink != 0
}

// excuseFile decides what a failed stat means: nothing if the name is gone as well, or
// if it is of a link that has nothing to do with the log.
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
