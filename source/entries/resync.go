package entries

import (
	"cmp"
	"context"
	"encoding/binary"
	"io"
	"slices"
)

// The memory of a search, in bytes: the piece that is read, and the bytes before it that are kept.
// A pair whose first entry begins before those bytes is compared later.
const (
	pieceSize = 8 << 20
	backSize  = 8 << 20
	copySize  = 256 << 10
)

// The offsets of fields in a frame.
const (
	typeAt     = 4
	flagsAt    = 5
	previousAt = 6
	sizeAt     = 10
)

// In 1 GiB of noise, about eleven million offsets have fields that may belong to an entry of more
// than backSize bytes. They are compared in rounds of a million, and each round reads the file at
// most once. So farRounds limits the search to seconds.
const (
	farMost   = 1 << 20
	farRounds = 16
)

// A resync searches a file for valid entries after an offset that has none.
//
// It searches for the second of two entries, since that one has the offset of the first. At nearly
// every offset, the eight bytes with the previous offset and the size exclude an entry. Checksums
// are computed only if the sizes and offsets of two entries match.
type resync struct {
	ctx    context.Context
	file   io.ReaderAt
	format *Format
	rules  FileHeader
	from   int64 // the lowest offset at which the first of two entries may begin
	end    int64 // offset at which the last whole valid entry ends; -1 if the file header is damaged
	last   int64 // offset of that entry
	size   int64

	// The offset at which the entry at end would end, by its size, if it is an unfinished
	// entry, whose item may have any bytes. 0 if its frame is not that of the next entry.
	covered int64

	buf  []byte // bytes of the file, from base on
	base int64
	copy []byte // buffer for entries that are not in buf

	far    []pair // pairs whose first entry begins before base
	rounds int

	// How many more bytes may be summed. Entries do not overlap, so only bytes that were made
	// to resemble entries need more than a few times the size of the file.
	left, leftAlone int64
}

// A pair is two offsets at which entries may begin, the second directly after the first.
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

// fill reads the next piece of the file, and reports whether it is the last one.
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
	case err == io.EOF: // the file may have become shorter
		s.size = at + int64(n)
	case err != nil:
		return false, err
	}
	return at+int64(n) >= s.size, nil
}

// cover returns the value of covered.
func (s *resync) cover() int64 {
	if s.end < 0 || len(s.buf) < frameSize || int64(binary.LittleEndian.Uint32(s.buf[previousAt:])) != s.last {
		return 0
	}
	return s.end + s.length(s.buf)
}

// compare searches buf for entries that begin at next or later and have the offset of an entry
// before them.
func (s *resync) compare(next int64) (bool, error) {
	b, from := s.buf, uint64(s.from)
	for i := int(next - s.base); i+frameSize <= len(b); i++ {
		link := binary.LittleEndian.Uint64(b[i+previousAt:])
		if link == 0 {
			i += 4 // the next four offsets have no entry either
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

// candidate checks the bytes at offset at, with that frame, and at the offset previous that the
// frame has. It reports whether they are valid entries.
func (s *resync) candidate(previous, at int64, frame []byte) (bool, error) {
	length := s.length(frame)
	if length < 0 || at+length > s.size {
		return false, nil
	}
	// An unfinished record may contain a copy of another log's entry with this offset. If the
	// file ends with the entry, it is no such copy.
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

// compareFar checks the pairs whose first entry was not in memory. It reads them in ascending
// order, so that it reads the file at most once.
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

// validPair reports whether both entries of a pair are valid. length is that of the second.
func (s *resync) validPair(p pair, length int64) (bool, error) {
	if !s.afford(&s.left, p.second-p.first+length) {
		return true, nil // bytes that resemble entries this often count as a log
	}
	ok, err := s.valid(p.first, p.second-p.first)
	if !ok || err != nil {
		return false, err
	}
	return s.valid(p.second, length)
}

// afford subtracts bytes from *left, and reports whether enough were left.
func (s *resync) afford(left *int64, bytes int64) bool {
	if bytes > *left {
		return false
	}
	*left -= bytes
	return true
}

// length returns the length of the entry with a frame; -1 if the frame is invalid.
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

// valid reports whether the entry at an offset, with a plausible length, is valid. An erased entry
// is valid if its item is all zeros.
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

// read returns length bytes of the file, or fewer. If length is at least that of a frame, it
// returns at least a whole frame.
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

// endless returns an error of reading, except that of a file that has become shorter: then there
// is no entry any more.
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
