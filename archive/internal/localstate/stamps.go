package localstate

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io/fs"
	"path/filepath"
	"slices"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// A FileStamp is what the source's file system reported of a file when its content was that of the newest snapshot. A
// database that rewrites entries in place, or a disk tool, may leave size and modification time unchanged; it cannot
// set the change time. Stamps are small, since there may be very many files.
type FileStamp struct {
	Name    uint64 // a hash of it
	Content uint64 // the beginning of its SHA-256
	Inode   uint64 // without the device, which may have another number after a restart
	Changed int64  // ns since 1970
	Links   uint32
	Flags   StampFlags
	Looks   uint64 // a hash of the size and the modification time
}

// StampFlags are what a stamp states of a file's entry in the snapshot.
type StampFlags uint32

// The flags of a stamp.
const (
	StampClosed    StampFlags = 1 << iota // the file is closed in the source and in the snapshot, and has an identity
	StampUnchecked                        // the entry has no result of an entry check
	StampEncrypted                        // a part is encrypted
)

// stampBytes is the size of a stamp, in a file and in memory.
const stampBytes = 8 + 8 + 8 + 8 + 4 + 4 + 8

// FileStamps are those of one archive. They never change, except for Stale.
type FileStamps struct {
	Archive  string       // the id
	Snapshot manifest.Ref // the snapshot with the files' content; zero if it is not known
	Stale    bool         // Match met a file with another stamp, or with none, that counts as unchanged all the same

	rows   []byte   // one for each file of the snapshot, in name order, if Snapshot is set; else in any order
	next   int      // the row that Match probably needs next
	byName []uint32 // the rows in the order of FileStamp.Name, once Match needs them
}

// NewStamps returns stamps without a row, with room for count.
func NewStamps(id string, of manifest.Ref, count int) *FileStamps {
	return &FileStamps{Archive: id, Snapshot: of, rows: make([]byte, 0, count*stampBytes)}
}

// Add appends the row of a captured file whose content is that of an entry; nil means that it has none.
func (s *FileStamps) Add(f *source.File, was *manifest.File) {
	row := FileStamp{Name: hashName(f.Name)}
	if was != nil {
		row = stampOf(f, was)
	}
	s.rows = row.append(s.rows)
}

// AddRows appends rows from lo to hi, without hi, of other stamps.
func (s *FileStamps) AddRows(from *FileStamps, lo, hi int) {
	s.rows = append(s.rows, from.rows[lo*stampBytes:hi*stampBytes]...)
}

// Len returns the number of rows.
func (s *FileStamps) Len() int { return len(s.rows) / stampBytes }

// Row returns one row.
func (s *FileStamps) Row(i int) FileStamp {
	b := s.rows[i*stampBytes : (i+1)*stampBytes]
	return FileStamp{
		Name: binary.BigEndian.Uint64(b), Content: binary.BigEndian.Uint64(b[8:]), Inode: binary.BigEndian.Uint64(b[16:]),
		Changed: int64(binary.BigEndian.Uint64(b[24:])), Links: binary.BigEndian.Uint32(b[32:]),
		Flags: StampFlags(binary.BigEndian.Uint32(b[36:])), Looks: binary.BigEndian.Uint64(b[40:]),
	}
}

func (r *FileStamp) append(b []byte) []byte {
	b = binary.BigEndian.AppendUint64(b, r.Name)
	b = binary.BigEndian.AppendUint64(b, r.Content)
	b = binary.BigEndian.AppendUint64(b, r.Inode)
	b = binary.BigEndian.AppendUint64(b, uint64(r.Changed))
	b = binary.BigEndian.AppendUint32(b, r.Links)
	b = binary.BigEndian.AppendUint32(b, uint32(r.Flags))
	return binary.BigEndian.AppendUint64(b, r.Looks)
}

// Names reports whether a row is of a file's name.
func (r *FileStamp) Names(f *source.File) bool { return r.Name == hashName(f.Name) }

// LooksLike reports whether a closed file has the size and the time that it had in the snapshot, as a closed file.
func (r *FileStamp) LooksLike(f *source.File) bool {
	return r.Flags&StampClosed != 0 && f.State == source.Closed && r.Looks == hashLooks(f)
}

// IsOf reports whether a file is, as far as the file system shows, the one of the row, with the content that it had.
func (r *FileStamp) IsOf(f *source.File) bool {
	id := f.ID()
	return r.Names(f) && r.LooksLike(f) && id.Inode == r.Inode && id.Changed == r.Changed && linksOf(id) == r.Links
}

// Match reports whether nothing contradicts that a file is what the snapshot has of it. A change time that moved
// together with the number of links is that of a link made or removed, which a database's cleaner does all the time.
func (s *FileStamps) Match(f *source.File, was *manifest.File) bool {
	if f.ID() == (source.ID{}) || f.State != source.Closed {
		return true
	}
	now := stampOf(f, was)
	row, ok := s.find(now.Name)
	switch {
	case !ok || row.Flags&StampClosed == 0 || row.Content != now.Content:
		s.Stale = true
		return true
	case row.Inode == now.Inode && row.Changed == now.Changed && row.Links == now.Links:
		return true
	}
	s.Stale = true
	// Some network file systems give the inode another number each time.
	return row.Changed == now.Changed || row.Inode == now.Inode && row.Links != now.Links
}

// nearRows is how many rows find tries before it sorts all: callers mostly come in the order of the rows.
const nearRows = 16

// find returns the row with a hash of a name.
func (s *FileStamps) find(name uint64) (FileStamp, bool) {
	for i := s.next; i < min(s.next+nearRows, s.Len()); i++ {
		if row := s.Row(i); row.Name == name {
			s.next = i + 1
			return row, true
		}
	}
	if s.byName == nil {
		s.byName = make([]uint32, s.Len())
		for i := range s.byName {
			s.byName[i] = uint32(i)
		}
		slices.SortFunc(s.byName, func(i, k uint32) int { return cmp.Compare(s.nameAt(i), s.nameAt(k)) })
	}
	i, ok := slices.BinarySearchFunc(s.byName, name, func(i uint32, name uint64) int { return cmp.Compare(s.nameAt(i), name) })
	if !ok {
		return FileStamp{}, false
	}
	s.next = int(s.byName[i]) + 1
	return s.Row(s.next - 1), true
}

func (s *FileStamps) nameAt(i uint32) uint64 {
	return binary.BigEndian.Uint64(s.rows[int(i)*stampBytes:])
}

func stampOf(f *source.File, was *manifest.File) FileStamp {
	id := f.ID()
	row := FileStamp{
		Name: hashName(f.Name), Content: binary.BigEndian.Uint64(was.SHA256[:]),
		Inode: id.Inode, Changed: id.Changed, Links: linksOf(id), Looks: hashLooks(f),
	}
	if f.State == source.Closed && was.State == manifest.Closed && id != (source.ID{}) {
		row.Flags |= StampClosed
	}
	if was.Check == nil {
		row.Flags |= StampUnchecked
	}
	for i := range was.Parts {
		if how := was.Parts[i].Encoding; how == manifest.Age || how == manifest.ZstdAge {
			row.Flags |= StampEncrypted
		}
	}
	return row
}

func linksOf(id source.ID) uint32 { return uint32(id.Links) } // a file system has at most 2^32

func hashName(name string) uint64 {
	h := uint64(14695981039346656037) // FNV-1a, which costs nothing and stays the same
	for i := range len(name) {
		h = (h ^ uint64(name[i])) * 1099511628211
	}
	return h
}

// hashLooks hashes two numbers, each with the last step of MurmurHash3, so that each bit changes about half of the
// hash's.
func hashLooks(f *source.File) uint64 {
	mix := func(h uint64) uint64 {
		h = (h ^ h>>33) * 0xff51afd7ed558ccd
		h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
		return h ^ h>>33
	}
	return mix(mix(uint64(f.Size)+1) ^ uint64(f.Modified.UnixNano()))
}

// The file that holds the stamps has a line that begins it, the sequence number and the hash of the snapshot, the rows,
// and the CRC-32C of all that, big-endian. Earlier versions wrote formerHead and rows of formerBytes, without the rest.
const (
	stampsHead  = "strongroom/2 sightings\n"
	refBytes    = 8 + len(manifest.Hash{})
	formerHead  = "strongroom/1 sightings\n"
	formerBytes = 40
)

func (s *State) stampsPath(id string) string { return filepath.Join(s.Dir, id+".sightings") }

// LoadStamps returns the stamps of an archive's source. They are not nil: without a file, and with an error, there
// are none of any file.
func (s *State) LoadStamps(id string) (*FileStamps, error) {
	stamps := &FileStamps{Archive: id}
	b, err := s.read(s.stampsPath(id), maxStampBytes)
	if errors.Is(err, fs.ErrNotExist) {
		return stamps, nil
	}
	if err != nil {
		return stamps, unusable(s.stampsPath(id), err)
	}
	if !stamps.decode(b) && !stamps.decodeFormer(b) {
		return stamps, fmt.Errorf("the local state %s is not what was written (deleting it loses nothing)", s.stampsPath(id))
	}
	return stamps, nil
}

// decode sets the rows, which share the memory of b, and reports whether b is what SaveStamps writes.
func (s *FileStamps) decode(b []byte) bool {
	begin, end := len(stampsHead)+refBytes, len(b)-crc32.Size
	if end < begin || string(b[:len(stampsHead)]) != stampsHead || (end-begin)%stampBytes != 0 ||
		binary.BigEndian.Uint32(b[end:]) != crc32.Checksum(b[:end], digest.Castagnoli) {
		return false
	}
	s.Snapshot.Sequence = int64(binary.BigEndian.Uint64(b[len(stampsHead):]))
	copy(s.Snapshot.SHA256[:], b[len(stampsHead)+8:])
	s.rows = b[begin:end]
	return true
}

// decodeFormer is decode for the file of an earlier version.
func (s *FileStamps) decodeFormer(b []byte) bool {
	rest := len(b) - len(formerHead)
	if rest < 0 || string(b[:len(formerHead)]) != formerHead || rest%formerBytes != 0 {
		return false
	}
	s.rows = make([]byte, 0, rest/formerBytes*stampBytes)
	for b = b[len(formerHead):]; len(b) > 0; b = b[formerBytes:] {
		row := FileStamp{
			Name: binary.BigEndian.Uint64(b), Content: binary.BigEndian.Uint64(b[8:]), Inode: binary.BigEndian.Uint64(b[16:]),
			Changed: int64(binary.BigEndian.Uint64(b[24:])), Links: uint32(binary.BigEndian.Uint64(b[32:])), Flags: StampClosed,
		}
		s.rows = row.append(s.rows)
	}
	return true
}

// SaveStamps replaces the stamps of an archive's source.
func (s *State) SaveStamps(stamps *FileStamps) error {
	head := binary.BigEndian.AppendUint64([]byte(stampsHead), uint64(stamps.Snapshot.Sequence))
	head = append(head, stamps.Snapshot.SHA256[:]...)
	sum := crc32.Update(crc32.Checksum(head, digest.Castagnoli), digest.Castagnoli, stamps.rows)
	end := binary.BigEndian.AppendUint32(nil, sum)
	return s.writeAll(s.stampsPath(stamps.Archive), maxStampBytes, head, stamps.rows, end)
}
