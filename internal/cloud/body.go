package cloud

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

// CopyBuffer is the size of the buffers in which content is hashed and written.
const CopyBuffer = 256 << 10

// BodyError is a failure to read what is to be stored, as opposed to one of the
// service: no retry mends it. A source that is shorter than promised is ErrMismatch.
type BodyError struct{ err error }

// NewBodyError returns err as a failure to read the content.
func NewBodyError(err error) *BodyError { return &BodyError{err} }

func (e *BodyError) Error() string { return "reading the content: " + e.err.Error() }
func (e *BodyError) Unwrap() error { return e.err }

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

// CheckedBody is the content of an object to be stored: the first size bytes of a ReaderAt.
// Its errors are told from those of whoever it is handed to.
type CheckedBody struct {
	body io.ReaderAt
	Size int64
}

// NewBody returns the first size bytes of content as the content of an object.
func NewBody(content io.ReaderAt, size int64) *CheckedBody { return &CheckedBody{content, size} }

// NewBodyUntil is NewBody for a Put that ends with ctx.
func NewBodyUntil(ctx context.Context, content io.ReaderAt, size int64) *CheckedBody {
	return &CheckedBody{cancelReaderAt{ctx, content}, size}
}

// ReadAt implements io.ReaderAt within the promised size.
func (s *CheckedBody) ReadAt(b []byte, off int64) (int, error) {
	if off >= s.Size {
		return 0, io.EOF
	}
	b = b[:min(int64(len(b)), s.Size-off)]
	n, err := s.body.ReadAt(b, off)
	switch {
	case n == len(b) && off+int64(n) == s.Size:
		return n, io.EOF
	case n == len(b):
		return n, nil
	case err == nil || errors.Is(err, io.EOF):
		err = fmt.Errorf("it ends after %d of %d bytes: %w", off+int64(n), s.Size, store.ErrMismatch)
	}
	return n, &BodyError{err}
}

// Section is a stretch of the source, to be read once from the start and rewound.
func (s *CheckedBody) Section(offset, size int64) *io.SectionReader {
	return io.NewSectionReader(s, offset, size)
}

// Crc reads a stretch and gives its CRC-32C.
func (s *CheckedBody) Crc(ctx context.Context, offset, size int64) (manifest.CRC32C, error) {
	h := crc32.New(digest.Castagnoli)
	if err := CopyBody(ctx, h, s.Section(offset, size)); err != nil {
		return 0, err
	}
	return manifest.CRC32C(h.Sum32()), nil
}

// Check reads all of the source and tells whether it still is what was promised.
func (s *CheckedBody) Check(ctx context.Context, sums store.Sums) error {
	got, err := SumUp(ctx, s.Section(0, s.Size))
	if err != nil {
		return err
	}
	if got != sums {
		return store.ErrMismatch
	}
	return nil
}

// SumUp reads r to its end and gives its sums.
func SumUp(ctx context.Context, r io.Reader) (store.Sums, error) {
	s := digest.New()
	if err := CopyBody(ctx, s, r); err != nil {
		return store.Sums{}, err
	}
	return s.Sums(), nil
}

// CopyBody copies until the end of r or of ctx, with no buffer beyond CopyBuffer.
func CopyBody(ctx context.Context, w io.Writer, r io.Reader) error {
	buf := make([]byte, CopyBuffer)
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

// PromiseOf is what is promised of content: the truth.
func PromiseOf(content []byte) store.Sums {
	s := digest.New()
	s.Write(content)
	return s.Sums()
}
