package entries

import (
	"context"
	"fmt"
	"io"
	"math"
)

// Resyncs reports whether a file has valid entries after an invalid one. So it distinguishes a
// damaged entry from an unfinished one, which the database is writing or was writing when it
// crashed. It reads a file of size bytes from the end of the last whole valid entry. A log is
// written in order, so a valid entry after that end proves that the bytes before it were complete
// once. Resyncs returns true if it finds one of these:
//
//   - a valid entry that has that end as its previous offset. If it is within what may be an
//     unfinished entry, it counts only if the file ends with it;
//   - two valid entries, where the second follows the first and has its offset.
//
// Offsets count from the beginning of the file. So copies of log entries within a record, or in a
// block that was moved, do not have each other's offsets.
//
// If the file header is damaged, Resyncs searches the whole file for two such entries. It returns
// false for an undamaged file with another file's number, and for an unknown log version.
//
// The search reads the rest of the file once, in pieces, and needs up to 32 MiB of memory. It
// reads garbage that resembles entries of more than 8 MiB again, up to farRounds times, and ignores
// the rest. It returns the error of ctx, or of reading file.
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
		s.rules, s.from, s.end = r.format.Latest, 1, -1 // the header itself is not searched
	}
	if s.from > math.MaxUint32 || size-s.from <= frameSize {
		return false, nil
	}
	found, err := s.search()
	if err != nil {
		return false, fmt.Errorf("reading the bytes after the last whole entry: %w", err)
	}
	return found, nil
}

// goesOnUnderAnyNumber is Resyncs for a file with another file's header. Perhaps only a block of
// that file was written here by mistake; then the entries after the block are invalid.
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
