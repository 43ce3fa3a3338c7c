package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// digestBuffer is the number of bytes per read. It is large enough to keep the disk busy, and small enough for the
// processor's cache while two checksums are computed.
const digestBuffer = 256 << 10

var buffers = sync.Pool{New: func() any { return new([digestBuffer]byte) }}

// hashReader reads size bytes once and returns their checksums.
func hashReader(ctx context.Context, r io.ReaderAt, size int64) (store.Sums, error) {
	s := digest.New()
	err := copyRange(ctx, r, 0, size, s)
	return s.Sums(), err
}

// copyRange writes the bytes of r between two offsets to w.
func copyRange(ctx context.Context, r io.ReaderAt, from, to int64, w io.Writer) error {
	buf := buffers.Get().(*[digestBuffer]byte)
	defer buffers.Put(buf)
	for from < to {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		b := buf[:min(to-from, digestBuffer)]
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

// unsteady reports whether an error means that the source changed while it was read, so that a new capture may succeed.
func unsteady(err error) bool {
	return errors.Is(err, source.ErrChanged) || errors.Is(err, source.ErrVanished) || errors.Is(err, source.ErrDiskPressure) || errors.Is(err, store.ErrMismatch)
}
