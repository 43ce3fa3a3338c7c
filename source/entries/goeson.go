package entries

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"io"
	"math"
)

// window is how far GoesOn looks: much further than a database writes at once.
const window = 16 << 20

// GoesOn tells an entry that is damaged from one that is still being written, or was when
// its database died. It looks behind the last whole valid entry of a file of so many bytes,
// up to 16 MiB, for a valid entry that names what is there as the entry before it: a log
// is written in order, so that one was whole once. It is false where that cannot be told,
// such as in a file without a header that can be read.
func (r *Reader) GoesOn(file io.ReaderAt, size int64) (bool, error) {
	end := r.res.End
	if r.res.HeaderSize == 0 || end > math.MaxUint32 || size-end <= frameSize {
		return false, nil
	}
	b := make([]byte, min(size-end, window))
	if _, err := file.ReadAt(b, end); err != nil && err != io.EOF {
		return false, fmt.Errorf("reading what follows the last whole entry: %w", err)
	}
	const named = 6 // where a frame names the entry before
	previous := binary.LittleEndian.AppendUint32(nil, uint32(end))
	for at := 1; ; at++ {
		k := bytes.Index(b[min(at+named, len(b)):], previous)
		if k < 0 {
			return false, nil
		}
		if at += k; r.valid(b[at:]) {
			return true, nil
		}
	}
}

// valid reports whether b begins with a whole entry whose checksum holds.
func (r *Reader) valid(b []byte) bool {
	if len(b) < frameSize {
		return false
	}
	head := uint64(frameSize)
	if b[5]&r.header.VLSN != 0 {
		head = headMax
	}
	size := binary.LittleEndian.Uint32(b[10:])
	end := head + uint64(size)
	if end > uint64(len(b)) || size > r.format.MaxItem || r.header.Erases && b[4] == r.header.Erased {
		return false
	}
	frame := [2]byte{b[4], b[5] &^ r.header.Invisible}
	sum := r.format.Sum(r.format.Sum(r.format.Seed, frame[:]), b[6:end])
	return sum == binary.LittleEndian.Uint32(b)
}
