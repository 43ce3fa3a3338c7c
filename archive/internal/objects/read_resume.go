package objects

import (
	"context"
	"fmt"
	"io"

	"github.com/strongroom-dev/strongroom/archive/values"
)

// ResumingReader reads a range of an object. When the connection breaks, it continues from the same offset. It
// fails after FetchAttempts failures in a row without a byte in between.
type ResumingReader struct {
	ctx          context.Context
	a            *Objects
	key          string
	offset, left int64
	body         io.ReadCloser
	failures     int
	err          error // why reading failed; nil also after the end
}

// ReadRange returns a reader of a range of an object, whose Close must be called.
func (a *Objects) ReadRange(ctx context.Context, key string, offset, length int64) *ResumingReader {
	return &ResumingReader{ctx: ctx, a: a, key: key, offset: offset, left: length}
}

func (r *ResumingReader) Read(b []byte) (int, error) {
	if r.left == 0 && r.body == nil && r.err == nil {
		return 0, io.EOF
	}
	for r.err == nil {
		if r.body == nil {
			r.body, r.err = r.a.open(r.ctx, r.key, r.offset, r.left)
			continue
		}
		n, err := r.body.Read(b[:min(int64(len(b)), r.left+1)])
		if int64(n) > r.left {
			n, r.err = int(r.left), fmt.Errorf("%w: the store returned more bytes than requested", values.ErrDamaged)
		}
		r.offset, r.left = r.offset+int64(n), r.left-int64(n)
		if n > 0 {
			r.failures = 0
			return n, nil
		}
		switch {
		case r.left == 0 && err == io.EOF:
			r.Close()
			return 0, io.EOF
		case err == io.EOF:
			r.err = fmt.Errorf("%w: the object ends %d bytes too early", values.ErrDamaged, r.left)
		case err != nil:
			r.Close()
			if r.failures++; r.failures == FetchAttempts || r.ctx.Err() != nil {
				r.err = err
			} else {
				r.err = Pause(r.ctx, r.failures)
			}
		}
	}
	return 0, r.err
}

// Close closes the connection, if there is one.
func (r *ResumingReader) Close() {
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
}
