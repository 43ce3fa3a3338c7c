package archive

import (
	"context"
	"fmt"
	"io"
)

// resumingReader reads a range of an object. When the connection breaks, it continues from the same offset. It
// fails after fetchAttempts failures in a row without a byte in between.
type resumingReader struct {
	ctx          context.Context
	a            *Archive
	key          string
	offset, left int64
	body         io.ReadCloser
	failures     int
	err          error // why reading failed; nil also after the end
}

func (r *resumingReader) Read(b []byte) (int, error) {
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
			n, r.err = int(r.left), fmt.Errorf("%w: the store returned more bytes than requested", ErrDamaged)
		}
		r.offset, r.left = r.offset+int64(n), r.left-int64(n)
		if n > 0 {
			r.failures = 0
			return n, nil
		}
		switch {
		case r.left == 0 && err == io.EOF:
			r.close()
			return 0, io.EOF
		case err == io.EOF:
			r.err = fmt.Errorf("%w: the object ends %d bytes too early", ErrDamaged, r.left)
		case err != nil:
			r.close()
			if r.failures++; r.failures == fetchAttempts || r.ctx.Err() != nil {
				r.err = err
			} else {
				r.err = pause(r.ctx, r.failures)
			}
		}
	}
	return 0, r.err
}

func (r *resumingReader) close() {
	if r.body != nil {
		r.body.Close()
		r.body = nil
	}
}
