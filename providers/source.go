package providers

import (
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// copyBuffer is the size of the buffers in which content is hashed and written.
const copyBuffer = 256 << 10

// bodyError is a failure to read what is to be stored, as opposed to one of the
// service: no retry mends it. A source that is shorter than promised is ErrMismatch.
type bodyError struct{ err error }

func (e *bodyError) Error() string { return "reading the content: " + e.err.Error() }
func (e *bodyError) Unwrap() error { return e.err }

// cancelReaderAt gives nothing more once ctx has ended: what is read while that happens would be the
// last that a request needs, and make an object of a Put that was given up.
type cancelReaderAt struct {
	ctx  context.Context //nolint:containedctx // of one Put
	body io.ReaderAt
}

// ReadAt implements io.ReaderAt.
func (h cancelReaderAt) ReadAt(b []byte, off int64) (int, error) {
	n, err := h.body.ReadAt(b, off)
	if h.ctx.Err() != nil {
		return 0, context.Cause(h.ctx)
	}
	return n, err
}

// checkedBody is the content of an object to be stored: the first size bytes of a ReaderAt.
// Its errors are told from those of whoever it is handed to.
type checkedBody struct {
	body io.ReaderAt
	size int64
}

// ReadAt implements io.ReaderAt within the promised size.
func (s *checkedBody) ReadAt(b []byte, off int64) (int, error) {
	if off >= s.size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), s.size-off)]
	n, err := s.body.ReadAt(b, off)
	switch {
	case n == len(b) && off+int64(n) == s.size:
		return n, io.EOF
	case n == len(b):
		return n, nil
	case err == nil || errors.Is(err, io.EOF):
		err = fmt.Errorf("it ends after %d of %d bytes: %w", off+int64(n), s.size, store.ErrMismatch)
	}
	return n, &bodyError{err}
}

// section is a stretch of the source, to be read once from the start and rewound.
func (s *checkedBody) section(offset, size int64) *io.SectionReader {
	return io.NewSectionReader(s, offset, size)
}

// crc reads a stretch and gives its CRC-32C.
func (s *checkedBody) crc(ctx context.Context, offset, size int64) (manifest.CRC32C, error) {
	h := crc32.New(digest.Castagnoli)
	if err := copyBody(ctx, h, s.section(offset, size)); err != nil {
		return 0, err
	}
	return manifest.CRC32C(h.Sum32()), nil
}

// check reads all of the source and tells whether it still is what was promised.
func (s *checkedBody) check(ctx context.Context, sums store.Sums) error {
	got, err := sumUp(ctx, s.section(0, s.size))
	if err != nil {
		return err
	}
	if got != sums {
		return store.ErrMismatch
	}
	return nil
}

// sumUp reads r to its end and gives its sums.
func sumUp(ctx context.Context, r io.Reader) (store.Sums, error) {
	s := digest.New()
	if err := copyBody(ctx, s, r); err != nil {
		return store.Sums{}, err
	}
	return s.Sums(), nil
}

// copyBody copies until the end of r or of ctx, with no buffer beyond copyBuffer.
func copyBody(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := make([]byte, copyBuffer)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := r.Read(buf)
		if _, werr := w.Write(buf[:n]); werr != nil {
			return werr
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
