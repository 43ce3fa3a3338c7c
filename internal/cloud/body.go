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

// CopyBuffer is the size, in bytes, of the buffers in which content is hashed and written.
const CopyBuffer = 256 << 10

// BodyError is a failure to read the content to be stored, as opposed to a failure of the service. A
// retry does not help. A source that is shorter than declared wraps store.ErrMismatch.
type BodyError struct{ err error }

// NewBodyError returns a BodyError that wraps err.
func NewBodyError(err error) *BodyError { return &BodyError{err} }

func (e *BodyError) Error() string { return "reading the content: " + e.err.Error() }
func (e *BodyError) Unwrap() error { return e.err }

// cancelReaderAt returns no bytes once ctx has ended. Otherwise the last bytes of a request could still be
// sent, and a canceled Put would create an object.
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

// CheckedBody is the content of an object to be stored: the first Size bytes of a ReaderAt. Its errors
// are BodyErrors, which distinguishes them from the errors of the SDK that reads it.
type CheckedBody struct {
	body io.ReaderAt
	Size int64 // in bytes
}

// NewBody returns the first size bytes of content as the content of an object.
func NewBody(content io.ReaderAt, size int64) *CheckedBody { return &CheckedBody{content, size} }

// NewBodyUntil returns the same as NewBody, and its reads fail once ctx has ended.
func NewBodyUntil(ctx context.Context, content io.ReaderAt, size int64) *CheckedBody {
	return &CheckedBody{cancelReaderAt{ctx, content}, size}
}

// ReadAt implements io.ReaderAt within Size.
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
		err = fmt.Errorf("it ended after %d of %d bytes: %w", off+int64(n), s.Size, store.ErrMismatch)
	}
	return n, &BodyError{err}
}

// Section returns a reader of size bytes from offset.
func (s *CheckedBody) Section(offset, size int64) *io.SectionReader {
	return io.NewSectionReader(s, offset, size)
}

// Crc reads size bytes from offset and returns their CRC-32C.
func (s *CheckedBody) Crc(ctx context.Context, offset, size int64) (manifest.CRC32C, error) {
	h := crc32.New(digest.Castagnoli)
	if err := CopyBody(ctx, h, s.Section(offset, size)); err != nil {
		return 0, err
	}
	return manifest.CRC32C(h.Sum32()), nil
}

// Check reads the whole source and returns store.ErrMismatch if its sums differ from sums.
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

// SumUp reads r to its end and returns the sums of its content.
func SumUp(ctx context.Context, r io.Reader) (store.Sums, error) {
	s := digest.New()
	if err := CopyBody(ctx, s, r); err != nil {
		return store.Sums{}, err
	}
	return s.Sums(), nil
}

// CopyBody copies r to w until r ends or ctx ends, through one buffer of CopyBuffer bytes.
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

// PromiseOf returns the sums of content, as a Put of it declares them.
func PromiseOf(content []byte) store.Sums {
	s := digest.New()
	s.Write(content)
	return s.Sums()
}
