package archive

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// A sighting is what the source's file system said of a closed file when its content was
// that of the newest snapshot. A database that rewrites entries in place, or a disk tool,
// may leave size and modification time as they were; it cannot set the change time. What
// is kept for each file is little, since there may be very many.
type fileStamp struct {
	Name    uint64 // a hash of it
	Content uint64 // the beginning of its SHA-256
	Inode   uint64 // without the device, which may have another number after a restart
	Changed int64  // ns since 1970
	Links   uint64
}

// fileStamps are those of one archive, by Name.
type fileStamps struct {
	archive string
	rows    []fileStamp
	stale   bool // some file was seen otherwise since, and is the same all the same
}

// match reports whether nothing is known that speaks against a file being what the
// snapshot has of it. A change time that moved together with the number of links is that
// of a link made or removed, which a database's cleaner does all the time.
func (s *fileStamps) match(f *source.File, was *manifest.File) bool {
	if f.ID() == (source.ID{}) || f.State != source.Closed {
		return true
	}
	now := stampOf(f, was)
	i, ok := slices.BinarySearchFunc(s.rows, now.Name, func(r fileStamp, name uint64) int { return cmp.Compare(r.Name, name) })
	switch {
	case !ok || s.rows[i].Content != now.Content:
		s.stale = true
		return true
	case s.rows[i] == now:
		return true
	}
	s.stale = true
	// Some network file systems make the inode's number up anew each time.
	return s.rows[i].Changed == now.Changed || s.rows[i].Inode == now.Inode && s.rows[i].Links != now.Links
}

func stampOf(f *source.File, was *manifest.File) fileStamp {
	name := uint64(14695981039346656037) // FNV-1a, which costs nothing and stays the same
	for i := range len(f.Name) {
		name = (name ^ uint64(f.Name[i])) * 1099511628211
	}
	return fileStamp{
		Name: name, Content: binary.BigEndian.Uint64(was.SHA256[:]),
		Inode: f.ID().Inode, Changed: f.ID().Changed, Links: f.ID().Links,
	}
}

// loadStamps gives what is known of the files of an archive.
func (a *Archive) loadStamps(id string) *fileStamps {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stamps == nil || a.stamps.archive != id {
		a.stamps = &fileStamps{archive: id}
		if a.state != nil && id != "" {
			rows, err := a.state.readStamps(id)
			if err != nil {
				a.log.Warn("what the source's files were like cannot be read again", "error", err)
			}
			a.stamps.rows = rows
		}
	}
	s := *a.stamps // for one backup
	return &s
}

// saveStamps remembers the files of a capture, as they are in a snapshot.
func (a *Archive) saveStamps(id string, captured []source.File, files []manifest.File) {
	seen := &fileStamps{archive: id, rows: make([]fileStamp, 0, len(files))}
	for i := range captured {
		f := &captured[i]
		was := entry(files, f.Name)
		if was != nil && f.State == source.Closed && was.State == manifest.Closed && f.ID() != (source.ID{}) {
			seen.rows = append(seen.rows, stampOf(f, was))
		}
	}
	slices.SortFunc(seen.rows, func(a, b fileStamp) int { return cmp.Compare(a.Name, b.Name) })
	a.mu.Lock()
	a.stamps = seen
	a.mu.Unlock()
	if a.state == nil {
		return
	}
	if err := a.state.writeStamps(id, seen.rows); err != nil {
		a.log.Warn("what the source's files are like was not written", "error", err)
	}
}

// stampsHead begins the file that holds them; the rows follow, big-endian.
const stampsHead = "strongroom/1 sightings\n"

func (w *LocalState) stampsPath(id string) string { return filepath.Join(w.Dir, id+".sightings") }

func (w *LocalState) readStamps(id string) ([]fileStamp, error) {
	b, err := os.ReadFile(w.stampsPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the local witness: %w", err)
	}
	rest := len(b) - len(stampsHead)
	size := binary.Size(fileStamp{})
	if rest < 0 || string(b[:len(stampsHead)]) != stampsHead || rest%size != 0 {
		return nil, fmt.Errorf("the local witness %s is not what was written (deleting it loses nothing)", w.stampsPath(id))
	}
	rows := make([]fileStamp, rest/size)
	if _, err := binary.Decode(b[len(stampsHead):], binary.BigEndian, rows); err != nil {
		return nil, fmt.Errorf("the local witness %s: %w", w.stampsPath(id), err)
	}
	return rows, nil
}

func (w *LocalState) writeStamps(id string, rows []fileStamp) error {
	b := make([]byte, 0, len(stampsHead)+binary.Size(rows))
	b, err := binary.Append(append(b, stampsHead...), binary.BigEndian, rows)
	if err != nil {
		return fmt.Errorf("encoding the local witness: %w", err)
	}
	return w.write(w.stampsPath(id), b)
}
