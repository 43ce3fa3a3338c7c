// Package bufcopy copies bytes through pooled buffers, mostly into checksums.
package bufcopy

import (
	"context"
	"fmt"
	"io"
	"sync"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// Size is how much is read at a time: enough to keep the disk busy, small enough to stay in the processor's cache
// while two checksums run over it.
const Size = 256 << 10

var buffers = sync.Pool{New: func() any { return new([Size]byte) }}

// All copies from a reader to a writer until EOF, and returns how many bytes.
func All(w io.Writer, r io.Reader) (int64, error) {
	buf := buffers.Get().(*[Size]byte)
	defer buffers.Put(buf)
	return io.CopyBuffer(onlyWriter{w}, r, buf[:])
}

// onlyWriter hides ReadFrom, so that the buffer is used.
type onlyWriter struct{ io.Writer }

// Sums reads size bytes once and returns their checksums. Its errors are those of Range.
func Sums(ctx context.Context, r io.ReaderAt, size int64) (store.Sums, error) {
	s := digest.New()
	err := Range(ctx, r, 0, size, s)
	return s.Sums(), err
}

// Range writes the bytes of r between two offsets to w, whose errors it ignores: hashes have none. If r ends before,
// the error is source.ErrChanged; if ctx ends, it is the context's cause.
func Range(ctx context.Context, r io.ReaderAt, from, to int64, w io.Writer) error {
	buf := buffers.Get().(*[Size]byte)
	defer buffers.Put(buf)
	for from < to {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		b := buf[:min(to-from, Size)]
		n, err := r.ReadAt(b, from)
		if n < len(b) {
			if err == nil || err == io.EOF {
				err = fmt.Errorf("it ends at byte %d: %w", from+int64(n), source.ErrChanged)
			}
			return err
		}
		w.Write(b) // hashes never fail
		from += int64(n)
	}
	return nil
}
