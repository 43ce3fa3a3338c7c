package entries

import (
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"slices"
)

// What a search holds in memory, in bytes: pieces as they are read, and how much before
// them. An entry that begins before that is compared later, with others of its kind.
const (
	pieceSize = 8 << 20
	backSize  = 8 << 20
	copySize  = 256 << 10
)

// Where the fields of a frame are.
const (
	typeAt     = 4
	flagsAt    = 5
	previousAt = 6
	sizeAt     = 10
)

// Of noise in a file of 1 GiB, about eleven million places have fields that may belong to
// an entry of over backSize bytes. They are compared a million at a time, each of which
// reads the file once at most. So farRounds keeps the search within seconds.
const (
	farMost   = 1 << 20
	farRounds = 16
)

// A resync searches a file for valid entries behind a place where none is.
//
// It goes by the second entry of two, as that one names the first. For nearly every offset
// the eight bytes of an entry's previous offset and size rule an entry out. Checksums are
// computed only where the sizes and offsets of two entries fit each other.
type resync struct {
	ctx    context.Context
	file   io.ReaderAt
	format *Format
	rules  FileHeader
	from   int64 // where the first entry of two may begin
	end    int64 // where the last whole valid entry ends; -1 if the file header is damaged
	last   int64 // where that entry begins
	size   int64

	// Where the entry at end would end by its size, if it is one that was not written to its
	// end: its item may hold anything. 0 if its frame is not that of the next entry.
	covered int64

	buf  []byte // of the file, from base on
	base int64
	copy []byte // for entries that are longer

	far    []pair // whose first entry lies before base
	rounds int

	// How many bytes may yet be summed. Entries do not overlap, so only bytes that were
	// made to resemble entries take more than a few times the size of the file.
	left, leftAlone int64
}

// A pair is where two entries may begin, the second directly behind the first.
type pair struct{ first, second int64 }

func (s *resync) search() (bool, error) {
	s.left = 4 * (s.size - s.from)
	s.leftAlone = s.left
	s.base = s.from
	s.buf = make([]byte, 0, min(s.size-s.from, backSize+pieceSize))
	next := s.from // the next offset to compare
	for {
		last, err := s.fill()
		if err != nil {
			return false, err
		}
		if next == s.from {
			s.covered = s.cover()
		}
		if found, err := s.compare(next); found || err != nil {
			return found, err
		}
		if last {
			return s.compareFar()
		}
		next = max(next, s.base+int64(len(s.buf))-frameSize+1)
	}
}

// fill reads the next piece, and reports whether it is the last.
func (s *resync) fill() (last bool, err error) {
	if s.ctx.Err() != nil {
		return false, context.Cause(s.ctx)
	}
	if drop := len(s.buf) - backSize; drop > 0 {
		s.buf = s.buf[:copy(s.buf, s.buf[drop:])]
		s.base += int64(drop)
	}
	at := s.base + int64(len(s.buf))
	b := s.buf[len(s.buf):cap(s.buf)]
	b = b[:min(int64(len(b)), s.size-at)]
	n, err := s.file.ReadAt(b, at)
	s.buf = s.buf[:len(s.buf)+n]
	switch {
	case err == io.EOF: // it may be shorter by now
		s.size = at + int64(n)
	case err != nil:
		return false, err
	}
	return at+int64(n) >= s.size, nil
}

// cover returns covered.
func (s *resync) cover() int64 {
	if s.end < 0 || len(s.buf) < frameSize || int64(binary.LittleEndian.Uint32(s.buf[previousAt:])) != s.last {
		return 0
	}
	return s.end + s.length(s.buf)
}

// compare searches what is in memory for entries that begin at next or later and name an
// entry before them.
func (s *resync) compare(next int64) (bool, error) {
	b, from := s.buf, uint64(s.from)
	for i := int(next - s.base); i+frameSize <= len(b); i++ {
		link := binary.LittleEndian.Uint64(b[i+previousAt:])
		if link == 0 {
			i += 4 // nor do the next four offsets name any entry
			continue
		}
		previous, at := uint64(uint32(link)), uint64(s.base)+uint64(i)
		if previous-from > at-from || at-previous < frameSize {
			continue
		}
		if found, err := s.candidate(int64(previous), int64(at), b[i:i+frameSize]); found || err != nil {
			return found, err
		}
	}
	return false, nil
}

// candidate compares what may be an entry at an offset, with that frame, with the entry at
// the offset that it names.
func (s *resync) candidate(previous, at int64, frame []byte) (bool, error) {
	length := s.length(frame)
	if length < 0 || at+length > s.size {
		return false, nil
	}
	// Within an unfinished record a copy of another log's entry may name this offset too. It
	// is none if the file ends with it.
	alone := previous == s.end && !s.erased(frame) && (at >= s.covered || at+length == s.size)
	if alone && s.afford(&s.leftAlone, length) {
		if ok, err := s.valid(at, length); ok || err != nil {
			return ok, err
		}
	}
	p := pair{previous, at}
	switch {
	case previous < s.base && s.rounds == farRounds:
		return false, nil
	case previous < s.base:
		if s.far = append(s.far, p); len(s.far) == farMost {
			return s.compareFar()
		}
		return false, nil
	case s.length(s.buf[previous-s.base:]) != at-previous:
		return false, nil
	}
	return s.validPair(p, length)
}

// compareFar compares the pairs whose first entry was not in memory. It reads them in
// order, so that many of them cost one reading of the file.
func (s *resync) compareFar() (bool, error) {
	pairs := s.far
	s.far = s.far[:0]
	s.rounds++
	slices.SortFunc(pairs, func(a, b pair) int { return cmp.Compare(a.first, b.first) })
	var block []byte
	blockAt := int64(0)
	for i, p := range pairs {
		if i%4096 == 0 && s.ctx.Err() != nil {
			return false, context.Cause(s.ctx)
		}
		if p.first+frameSize > blockAt+int64(len(block)) {
			blockAt, block = p.first, s.buffer()
			n, err := s.file.ReadAt(block[:min(int64(len(block)), s.size-blockAt)], blockAt)
			if block = block[:n]; n < frameSize {
				return false, endless(err)
			}
		}
		if s.length(block[p.first-blockAt:]) != p.second-p.first {
			continue
		}
		var frame [frameSize]byte
		if n, err := s.file.ReadAt(frame[:], p.second); n < len(frame) {
			return false, endless(err)
		}
		found, err := s.validPair(p, s.length(frame[:]))
		if found || err != nil {
			return found, err
		}
		block = nil // its memory was used for the entries
	}
	return false, nil
}

// validPair reports whether both entries of a pair are valid, the second having that
// length.
func (s *resync) validPair(p pair, length int64) (bool, error) {
	if !s.afford(&s.left, p.second-p.first+length) {
		return true, nil // it is too much like a log to be called none
	}
	ok, err := s.valid(p.first, p.second-p.first)
	if !ok || err != nil {
		return false, err
	}
	return s.valid(p.second, length)
}

// afford takes bytes from those that may yet be summed.
func (s *resync) afford(left *int64, bytes int64) bool {
	if bytes > *left {
		return false
	}
	*left -= bytes
	return true
}

// length is the length of the entry with a frame; -1 where no entry has it.
func (s *resync) length(frame []byte) int64 {
	size := binary.LittleEndian.Uint32(frame[sizeAt:])
	if size > s.format.MaxItem {
		return -1
	}
	if frame[flagsAt]&s.rules.VLSN != 0 {
		return headMax + int64(size)
	}
	return frameSize + int64(size)
}

func (s *resync) erased(frame []byte) bool { return s.rules.Erases && frame[typeAt] == s.rules.Erased }

// valid reports whether the entry at an offset, with a plausible length, is valid. As
// everywhere an erased one is when it holds nothing.
func (s *resync) valid(at, length int64) (bool, error) {
	sum, want, erased := s.format.Seed, uint32(0), false
	head := true
	for end := at + length; at < end; {
		b, err := s.read(at, end-at)
		if err != nil {
			return false, endless(err)
		}
		at += int64(len(b))
		if head {
			head = false
			want, erased = binary.LittleEndian.Uint32(b), s.erased(b)
			frame := [...]byte{b[typeAt], b[flagsAt] &^ s.rules.Invisible}
			sum = s.format.Sum(sum, frame[:])
			if erased {
				b = b[s.length(b)-int64(binary.LittleEndian.Uint32(b[sizeAt:])):]
			} else {
				b = b[previousAt:]
			}
		}
		switch {
		case !erased:
			sum = s.format.Sum(sum, b)
		case !zeros(b):
			return false, nil
		}
	}
	return erased || sum == want, nil
}

// read returns bytes of the file: length of them, or fewer, but a whole head at least where
// so many are asked for.
func (s *resync) read(at, length int64) ([]byte, error) {
	if at >= s.base && at+length <= s.base+int64(len(s.buf)) {
		return s.buf[at-s.base:][:length], nil
	}
	if s.ctx.Err() != nil {
		return nil, context.Cause(s.ctx)
	}
	b := s.buffer()
	b = b[:min(int64(len(b)), length)]
	n, err := s.file.ReadAt(b, at)
	if n == len(b) {
		return b, nil
	}
	return nil, err
}

// endless is an error of reading, but for that of a file which has become shorter: what it
// held is no entry any more.
func endless(err error) error {
	if err == io.EOF {
		return nil
	}
	return err
}

func (s *resync) buffer() []byte {
	if s.copy == nil {
		s.copy = make([]byte, copySize)
	}
	return s.copy
}
