package localstate

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// A FileStamp is what the source's file system reported of a closed file when its content was that of the newest
// snapshot. A database that rewrites entries in place, or a disk tool, may leave size and modification time
// unchanged; it cannot set the change time. Stamps are small, since there may be very many files.
type FileStamp struct {
	Name    uint64 // a hash of it
	Content uint64 // the beginning of its SHA-256
	Inode   uint64 // without the device, which may have another number after a restart
	Changed int64  // ns since 1970
	Links   uint64
}

// FileStamps are those of one archive.
type FileStamps struct {
	Archive string      // the id
	Stale   bool        // Match met a file with another stamp, or with none, that counts as unchanged all the same
	rows    []FileStamp // ascending by Name
}

// StampsOf returns the stamps of those closed files of a capture whose content a snapshot holds. The function entry
// returns a file's entry in the snapshot's manifest, or nil.
func StampsOf(id string, captured []source.File, entry func(name string) *manifest.File) *FileStamps {
	s := &FileStamps{Archive: id, rows: make([]FileStamp, 0, len(captured))}
	for i := range captured {
		f := &captured[i]
		was := entry(f.Name)
		if was != nil && f.State == source.Closed && was.State == manifest.Closed && f.ID() != (source.ID{}) {
			s.rows = append(s.rows, stampOf(f, was))
		}
	}
	slices.SortFunc(s.rows, func(a, b FileStamp) int { return cmp.Compare(a.Name, b.Name) })
	return s
}

// Match reports whether nothing contradicts that a file is what the snapshot has of it. A change time that moved
// together with the number of links is that of a link made or removed, which a database's cleaner does all the time.
func (s *FileStamps) Match(f *source.File, was *manifest.File) bool {
	if f.ID() == (source.ID{}) || f.State != source.Closed {
		return true
	}
	now := stampOf(f, was)
	i, ok := slices.BinarySearchFunc(s.rows, now.Name, func(r FileStamp, name uint64) int {
		return cmp.Compare(r.Name, name)
	})
	switch {
	case !ok || s.rows[i].Content != now.Content:
		s.Stale = true
		return true
	case s.rows[i] == now:
		return true
	}
	s.Stale = true
	// Some network file systems give the inode another number each time.
	return s.rows[i].Changed == now.Changed || s.rows[i].Inode == now.Inode && s.rows[i].Links != now.Links
}

func stampOf(f *source.File, was *manifest.File) FileStamp {
	name := uint64(14695981039346656037) // FNV-1a, which costs nothing and stays the same
	for i := range len(f.Name) {
		name = (name ^ uint64(f.Name[i])) * 1099511628211
	}
	return FileStamp{
		Name: name, Content: binary.BigEndian.Uint64(was.SHA256[:]),
		Inode: f.ID().Inode, Changed: f.ID().Changed, Links: f.ID().Links,
	}
}

// stampsHead begins the file that holds the stamps; the rows follow, big-endian.
const stampsHead = "strongroom/1 sightings\n"

func (s *State) stampsPath(id string) string { return filepath.Join(s.Dir, id+".sightings") }

// LoadStamps returns the stamps of an archive's source. They are not nil: without a file, and with an error, there
// are none of any file.
func (s *State) LoadStamps(id string) (*FileStamps, error) {
	rows, err := s.readStamps(id)
	return &FileStamps{Archive: id, rows: rows}, err
}

func (s *State) readStamps(id string) ([]FileStamp, error) {
	b, err := s.read(s.stampsPath(id), maxStampBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, unusable(s.stampsPath(id), err)
	}
	rest := len(b) - len(stampsHead)
	size := binary.Size(FileStamp{})
	if rest < 0 || string(b[:len(stampsHead)]) != stampsHead || rest%size != 0 {
		return nil, fmt.Errorf("the local state %s is not what was written (deleting it loses nothing)", s.stampsPath(id))
	}
	rows := make([]FileStamp, rest/size)
	if _, err := binary.Decode(b[len(stampsHead):], binary.BigEndian, rows); err != nil {
		return nil, fmt.Errorf("the local state %s: %w", s.stampsPath(id), err)
	}
	return rows, nil
}

// SaveStamps replaces the stamps of an archive's source.
func (s *State) SaveStamps(stamps *FileStamps) error {
	b := make([]byte, 0, len(stampsHead)+binary.Size(stamps.rows))
	b, err := binary.Append(append(b, stampsHead...), binary.BigEndian, stamps.rows)
	if err != nil {
		return fmt.Errorf("encoding the local state: %w", err)
	}
	return s.write(s.stampsPath(stamps.Archive), b, maxStampBytes)
}
