package manifest

import (
	"bytes"
	"errors"
	"fmt"
	"hash/crc32"
	"iter"
	"slices"

	"github.com/klauspost/compress/zstd"
)

// A Page is a page of a parent manifest with its entries.
type Page struct {
	Ref   PageRef
	Files []File // nil if they were not read
}

// A Piece is one page of a new manifest: an unchanged page of its parent if Kept is not nil, and
// otherwise entries that need a new page.
type Piece struct {
	Kept  *PageRef
	Files []File // nil if the parent's page has none
}

// CutPages cuts a list of entries, in name order, into pages. It keeps unchanged pages of the
// parent. Changed entries are cut into new pages, with at most one neighbouring page on either
// side. It returns nil if the entries fit into the manifest itself.
func CutPages(files []File, parent []Page) []Piece {
	pieces, _ := CutSomePages(files, parent)
	return pieces
}

// CutSomePages is CutPages for a caller that has not read all pages of the parent. Those without
// Files are unchanged, and files has none of their entries. If one of them has to be cut again, it
// returns its index, and no pieces: the caller adds its entries to both and calls again. Otherwise
// the index is -1.
func CutSomePages(files []File, parent []Page) (pieces []Piece, unread int) {
	count := len(files)
	for i := range parent {
		if parent[i].Files == nil {
			count += parent[i].Ref.Count
		}
	}
	if count <= MaxInline {
		return nil, firstUnread(parent)
	}
	runs, unread := absorb(partition(files, parent))
	if unread >= 0 {
		return nil, unread
	}
	for _, r := range runs {
		switch {
		case r.unread >= 0:
			pieces = append(pieces, Piece{Kept: r.kept})
			continue
		case r.kept != nil:
			pieces = append(pieces, Piece{Kept: r.kept, Files: files[r.lo:r.hi]})
			continue
		}
		pieces = append(pieces, cutRun(files[r.lo:r.hi])...)
	}
	return pieces, -1
}

// firstUnread returns the index of the first page without entries; -1 if there is none.
func firstUnread(parent []Page) int {
	return slices.IndexFunc(parent, func(p Page) bool { return p.Files == nil })
}

// A run is a range files[lo:hi] that equals a page of the parent if kept is not nil, and otherwise
// needs new pages.
type run struct {
	lo, hi int
	kept   *PageRef
	unread int // index of the page if its entries are not in files, and then lo is hi; -1 otherwise
}

// partition assigns to each page of the parent the entries from its first name up to that of the
// next page, and joins neighbouring pages that have changed.
func partition(files []File, parent []Page) []run {
	var runs []run
	lo := 0
	for i := range parent {
		if parent[i].Files == nil {
			runs = append(runs, run{lo: lo, hi: lo, kept: &parent[i].Ref, unread: i})
			continue
		}
		hi := len(files)
		if i+1 < len(parent) {
			next := parent[i+1].Ref.First
			for hi = lo; hi < len(files) && files[hi].Name < next; hi++ {
			}
		}
		r := run{lo: lo, hi: hi, unread: -1}
		if sameFiles(files[lo:hi], parent[i].Files) {
			r.kept = &parent[i].Ref
		}
		runs = join(runs, r)
		lo = hi
	}
	return join(runs, run{lo: lo, hi: len(files), unread: -1})
}

func join(runs []run, r run) []run {
	if r.lo == r.hi {
		return runs
	}
	if n := len(runs); n > 0 && runs[n-1].kept == nil && r.kept == nil {
		runs[n-1].hi = r.hi
		return runs
	}
	return append(runs, r)
}

// absorb joins a run that is too short for a page with the page before it or, without one, with
// the page after it. If that page was not read, it returns its index, and otherwise -1.
func absorb(runs []run) (out []run, unread int) {
	out = runs[:0] // never longer than the runs that were read
	for _, r := range runs {
		last := len(out) - 1
		if last < 0 || !(r.short() || out[last].short()) {
			out = append(out, r)
			continue
		}
		if unread = max(r.unread, out[last].unread); unread >= 0 {
			return nil, unread
		}
		out[last].hi, out[last].kept = r.hi, nil
	}
	return out, -1
}

func (r *run) short() bool { return r.kept == nil && r.hi-r.lo < MinPage }

// cutRun cuts entries into pages of equal size, about three quarters full, so that a few later
// additions fit in.
func cutRun(files []File) []Piece {
	n := len(files)
	k := 1
	if n > MaxPage {
		k = (n + MaxPage*3/4 - 1) / (MaxPage * 3 / 4)
	}
	pieces := make([]Piece, 0, k)
	for i := range k {
		pieces = append(pieces, Piece{Files: files[i*n/k : (i+1)*n/k]})
	}
	return pieces
}

func sameFiles(a, b []File) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if !a[i].Equal(&b[i]) {
			return false
		}
	}
	return true
}

// A PageCodec encodes and decodes pages. It is safe for concurrent use. It keeps its buffers
// between calls, so callers should share one.
type PageCodec struct {
	enc *zstd.Encoder
	dec *zstd.Decoder
}

// NewPageCodec returns a codec that needs at most MaxPageBytes of memory for each page, in addition
// to the entries.
func NewPageCodec() *PageCodec {
	enc, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithWindowSize(1<<20))
	if err != nil {
		panic(err) // the options are constants
	}
	dec, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1),
		zstd.WithDecoderMaxMemory(MaxPageBytes), zstd.WithDecoderMaxWindow(8<<20))
	if err != nil {
		panic(err)
	}
	return &PageCodec{enc, dec}
}

// Encode returns the reference and the stored bytes of a page for a snapshot.
func (c *PageCodec) Encode(files []File, sequence int64) (PageRef, []byte, error) {
	plain, err := encodePage(files, sequence)
	if err != nil {
		return PageRef{}, nil, fmt.Errorf("encoding a page: %w", err)
	}
	stored := c.enc.EncodeAll(plain, make([]byte, 0, len(plain)/3))
	hash := Sum(plain)
	return PageRef{
		Object: PageKey(hash, sequence),
		SHA256: hash,
		Stored: StoredSumsOf(stored),
		Count:  len(files),
		First:  files[0].Name,
		Last:   files[len(files)-1].Name,
	}, stored, nil
}

// encodePage returns the plain JSON Lines of a page.
func encodePage(files []File, sequence int64) ([]byte, error) {
	if len(files) < MinPage || len(files) > MaxPage {
		return nil, fmt.Errorf("%d entries; a page has %d to %d", len(files), MinPage, MaxPage)
	}
	if sequence < 1 || sequence > MaxSequence {
		return nil, fmt.Errorf("sequence %d is not between 1 and %d", sequence, MaxSequence)
	}
	var plain bytes.Buffer
	e := newEncoder(&plain)
	for i := range files {
		if err := files[i].Validate(sequence); err != nil {
			return nil, err
		}
		if err := e.Encode(&files[i]); err != nil { // Encode ends the line too
			return nil, err
		}
		if i == 0 { // most lines are about as long
			plain.Grow(min(plain.Len()*len(files)*9/8, MaxPageBytes))
		}
	}
	if err := checkList(fileNames(files)); err != nil {
		return nil, err
	}
	if plain.Len() > MaxPageBytes {
		return nil, fmt.Errorf("%d bytes are more than %d", plain.Len(), MaxPageBytes)
	}
	return plain.Bytes(), nil
}

// StoredSumsOf returns the size and the checksums of bytes to store.
func StoredSumsOf(b []byte) StoredSums {
	return StoredSums{Size: int64(len(b)), SHA256: Sum(b), CRC32C: CRC32C(crc32.Checksum(b, castagnoli))}
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Hash returns the hash of a page's plain content, which is the one in its key.
func (c *PageCodec) Hash(stored []byte) (Hash, error) {
	plain, err := c.dec.DecodeAll(stored, nil)
	if err != nil {
		return Hash{}, fmt.Errorf("decompressing a page: %w", err)
	}
	return Sum(plain), nil
}

// Decode decodes the stored bytes of the page that ref names in the manifest with this sequence
// number. It checks the entries and the list of their names. Manifest.CheckFiles checks the list
// of all pages.
func (c *PageCodec) Decode(stored []byte, ref *PageRef, sequence int64) ([]File, error) {
	files, err := c.decode(stored, ref, sequence)
	if err != nil {
		return nil, fmt.Errorf("page %s: %w", ref.Object, err)
	}
	return files, nil
}

func (c *PageCodec) decode(stored []byte, ref *PageRef, sequence int64) ([]File, error) {
	if err := ref.validate(sequence); err != nil {
		return nil, err
	}
	if got := StoredSumsOf(stored); got.Size != ref.Stored.Size || got.SHA256 != ref.Stored.SHA256 {
		return nil, fmt.Errorf("its %d stored bytes hash to %s, not the %d bytes and %s of the manifest",
			got.Size, got.SHA256, ref.Stored.Size, ref.Stored.SHA256)
	}
	plain, err := c.dec.DecodeAll(stored, nil)
	if err != nil {
		return nil, fmt.Errorf("decompressing: %w", err)
	}
	if hash := Sum(plain); hash != ref.SHA256 {
		return nil, fmt.Errorf("its content hashes to %s", hash)
	}
	files, err := decodePage(plain, ref.Count, sequence)
	if err != nil {
		return nil, err
	}
	if files[0].Name != ref.First || files[ref.Count-1].Name != ref.Last {
		return nil, errors.New("its first or last name is not the one in the manifest")
	}
	return files, nil
}

// decodePage decodes the plain JSON Lines of a page with count entries.
func decodePage(plain []byte, count int, sequence int64) ([]File, error) {
	files := make([]File, 0, count)
	l := &lexer{data: plain}
	err := decode(l, "page", MaxPageBytes, func() error {
		for range count {
			f, err := l.line()
			if err != nil {
				return err
			}
			if err := f.Validate(sequence); err != nil {
				return err
			}
			files = append(files, f)
		}
		if l.pos < len(l.data) {
			return fmt.Errorf("more follows after %d entries", count)
		}
		return checkList(fileNames(files))
	})
	return files, err
}

// line reads an entry, which must be exactly one line.
func (l *lexer) line() (File, error) {
	start := l.pos
	f, err := l.file()
	if err != nil {
		return f, err
	}
	if l.pos == len(l.data) || l.data[l.pos] != '\n' || bytes.IndexByte(l.data[start:l.pos], '\n') >= 0 {
		return f, errors.New("an entry is not exactly one line")
	}
	l.pos++
	return f, nil
}

func fileNames(files []File) iter.Seq[string] {
	return func(yield func(string) bool) {
		for i := range files {
			if !yield(files[i].Name) {
				return
			}
		}
	}
}
