package cloud

import (
	"context"
	"errors"
	"io"
	"strings"

	"gocloud.dev/blob"

	"github.com/strongroom-dev/strongroom/store"
)

// Portable is the half of a Store that all adapters share: it reads and lists through a *blob.Bucket that
// NewBucket returned.
type Portable struct {
	Bucket *blob.Bucket
	Prefix string                                // the archive's prefix in the bucket: empty, or ends in "/"
	Order  *Order                                // of the bucket's listings
	Fail   func(op, key string, err error) error // returns err as an *Error of an operation on a key
}

// Get implements store.Store. An offset at or beyond the end returns no bytes and no error.
func (p *Portable) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := CheckKey(key); err != nil {
		return nil, p.Fail("getting", key, err)
	}
	r, err := p.Bucket.NewRangeReader(ctx, p.Prefix+key, offset, length, nil)
	if err != nil {
		return nil, p.Fail("getting", key, p.own(err))
	}
	return &reader{ctx, r, key, p}, nil
}

// reader returns errors that name the key: a connection may break in the middle of an object. It ends with the context
// of its Get, also if the driver reads a local file.
type reader struct {
	ctx context.Context
	io.ReadCloser
	key      string
	portable *Portable
}

func (r *reader) Read(b []byte) (int, error) {
	if r.ctx.Err() != nil {
		return 0, r.portable.Fail("reading", r.key, context.Cause(r.ctx))
	}
	n, err := r.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.portable.Fail("reading", r.key, r.portable.own(err))
	}
	return n, err
}

// Stat implements store.Store.
func (p *Portable) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := p.Attributes(ctx, key)
	return o, p.Fail("checking", key, err)
}

// Attributes is Stat with the error of the driver.
func (p *Portable) Attributes(ctx context.Context, key string) (store.Object, error) {
	if err := CheckKey(key); err != nil {
		return store.Object{}, err
	}
	a, err := p.Bucket.Attributes(ctx, p.Prefix+key)
	if err != nil {
		return store.Object{}, p.own(err)
	}
	o := store.Object{Size: a.Size, Modified: a.ModTime}
	a.As(&o)
	o.Key = key
	return o, nil
}

// own returns the driver's own error, without the text that gocloud adds to it.
func (p *Portable) own(err error) error {
	inner := err
	if p.Bucket.ErrorAs(err, &inner) {
		return inner
	}
	return err
}

// Close closes the bucket.
func (p *Portable) Close() error { return p.Bucket.Close() }

// NoContent is the body of a read that begins at or beyond an object's end.
func NoContent() io.ReadCloser { return io.NopCloser(strings.NewReader("")) }
