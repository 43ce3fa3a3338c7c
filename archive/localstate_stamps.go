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
type sighting struct {
	Name    uint64 // a hash of it
	Content uint64 // the beginning of its SHA-256
	Inode   uint64 // without the device, which may have another number after a restart
	Changed int64  // ns since 1970
	Links   uint64
}

// sightings are those of one archive, by Name.
type sightings struct {
	archive string
	rows    []sighting
	stale   bool // some file was seen otherwise since, and is the same all the same
}

// agrees reports whether nothing is known that speaks against a file being what the
// snapshot has of it. A change time that moved together with the number of links is that
// of a link made or removed, which a database's cleaner does all the time.
func (s *sightings) agrees(f *source.File, was *manifest.File) bool {
	if f.ID() == (source.ID{}) || f.State != source.Closed {
		return true
	}
	now := sightingOf(f, was)
	i, ok := slices.BinarySearchFunc(s.rows, now.Name, func(r sighting, name uint64) int { return cmp.Compare(r.Name, name) })
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

func sightingOf(f *source.File, was *manifest.File) sighting {
	name := uint64(14695981039346656037) // FNV-1a, which costs nothing and stays the same
	for i := range len(f.Name) {
		name = (name ^ uint64(f.Name[i])) * 1099511628211
	}
	return sighting{
		Name: name, Content: binary.BigEndian.Uint64(was.SHA256[:]),
		Inode: f.ID().Inode, Changed: f.ID().Changed, Links: f.ID().Links,
	}
}

// sighted gives what is known of the files of an archive.
func (a *Archive) sighted(id string) *sightings {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.sightings == nil || a.sightings.archive != id {
		a.sightings = &sightings{archive: id}
		if a.witness != nil && id != "" {
			rows, err := a.witness.loadSightings(id)
			if err != nil {
				a.log.Warn("what the source's files were like cannot be read again", "error", err)
			}
			a.sightings.rows = rows
		}
	}
	s := *a.sightings // for one backup
	return &s
}

// sight remembers the files of a capture, as they are in a snapshot.
func (a *Archive) sight(id string, captured []source.File, files []manifest.File) {
	seen := &sightings{archive: id, rows: make([]sighting, 0, len(files))}
	for i := range captured {
		f := &captured[i]
		was := entry(files, f.Name)
		if was != nil && f.State == source.Closed && was.State == manifest.Closed && f.ID() != (source.ID{}) {
			seen.rows = append(seen.rows, sightingOf(f, was))
		}
	}
	slices.SortFunc(seen.rows, func(a, b sighting) int { return cmp.Compare(a.Name, b.Name) })
	a.mu.Lock()
	a.sightings = seen
	a.mu.Unlock()
	if a.witness == nil {
		return
	}
	if err := a.witness.saveSightings(id, seen.rows); err != nil {
		a.log.Warn("what the source's files are like was not written", "error", err)
	}
}

// sightingsHead begins the file that holds them; the rows follow, big-endian.
const sightingsHead = "strongroom/1 sightings\n"

func (w *Witness) sightingsPath(id string) string { return filepath.Join(w.Dir, id+".sightings") }

func (w *Witness) loadSightings(id string) ([]sighting, error) {
	b, err := os.ReadFile(w.sightingsPath(id))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("reading the local witness: %w", err)
	}
	rest := len(b) - len(sightingsHead)
	size := binary.Size(sighting{})
	if rest < 0 || string(b[:len(sightingsHead)]) != sightingsHead || rest%size != 0 {
		return nil, fmt.Errorf("the local witness %s is not what was written (deleting it loses nothing)", w.sightingsPath(id))
	}
	rows := make([]sighting, rest/size)
	if _, err := binary.Decode(b[len(sightingsHead):], binary.BigEndian, rows); err != nil {
		return nil, fmt.Errorf("the local witness %s: %w", w.sightingsPath(id), err)
	}
	return rows, nil
}

func (w *Witness) saveSightings(id string, rows []sighting) error {
	b := make([]byte, 0, len(sightingsHead)+binary.Size(rows))
	b, err := binary.Append(append(b, sightingsHead...), binary.BigEndian, rows)
	if err != nil {
		return fmt.Errorf("encoding the local witness: %w", err)
	}
	return w.write(w.sightingsPath(id), b)
}
