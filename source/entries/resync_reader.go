package entries

import (
	"context"
	"fmt"
	"io"
	"math"
)

// Resyncs separates an entry that is damaged from one that the database is still writing, or
// was writing when it died. It reads a file of size bytes from the end of the last whole
// valid entry on. A log is written in order, so a valid entry behind that end proves that
// what lies before it was whole once. Resyncs reports true for either of:
//
//   - a valid entry that names the end as the offset of the entry before it. Where it lies
//     within what may be an unfinished entry, it counts only if the file ends with it;
//   - two valid entries, the second of which follows the first and names its offset.
//
// Offsets count from the beginning of the file. So copies of log entries in a record, or in
// a block that was moved, do not name each other where they are now.
//
// Where the file header is damaged, Resyncs searches the whole file for two such entries. A
// whole file that bears another file's number does not go on, nor does a file of an unknown
// log version.
//
// The search reads the rest of the file once, in pieces, and needs up to 32 MiB of memory.
// Garbage that resembles entries of over 8 MiB is read again, up to farRounds times; what is
// more than that is ignored. It ends with the error of ctx, or with that of file.
func (r *Reader) Resyncs(ctx context.Context, file io.ReaderAt, size int64) (bool, error) {
	problem := r.res.Problem
	switch {
	case r.format == nil || problem != nil && problem.Kind == Version:
		return false, nil
	case problem != nil && problem.Kind == Number:
		return r.goesOnUnderAnyNumber(ctx, file, size)
	}
	s := resync{ctx: ctx, file: file, format: r.format, rules: r.header, size: size}
	s.from, s.end, s.last = r.res.End, r.res.End, r.res.Last
	if r.res.HeaderSize == 0 {
		s.rules, s.from, s.end = r.format.Latest, 1, -1 // the header itself is no candidate
	}
	if s.from > math.MaxUint32 || size-s.from <= frameSize {
		return false, nil
	}
	found, err := s.search()
	if err != nil {
		return false, fmt.Errorf("reading what follows the last whole entry: %w", err)
	}
	return found, nil
}

// goesOnUnderAnyNumber is Resyncs for a file with the header of another one. Only a block of
// that file may have been written here by mistake; then the entries break off behind it.
func (r *Reader) goesOnUnderAnyNumber(ctx context.Context, file io.ReaderAt, size int64) (bool, error) {
	other := NewReader(r.format, AnyNumber)
	buf := make([]byte, copySize)
	for at := int64(0); at < size && other.res.Problem == nil; at += int64(len(buf)) {
		if ctx.Err() != nil {
			return false, context.Cause(ctx)
		}
		n, err := file.ReadAt(buf[:min(int64(len(buf)), size-at)], at)
		other.Write(buf[:n])
		if err == io.EOF {
			break
		}
		if err != nil {
			return false, fmt.Errorf("reading a file with the header of another one: %w", err)
		}
	}
	return other.Resyncs(ctx, file, size)
}
