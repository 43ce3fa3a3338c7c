package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"

	"github.com/strongroom-dev/strongroom/store"
)

// ListPage is the number of objects that one listing request asks for. S3, GCS and Azure return at most
// that many.
const ListPage = 1000

// pageKey is the key of a context's value for WithPages.
type pageKey struct{}

// WithPages makes listings request at most n objects at once, so that a test of several pages needs few objects.
func WithPages(ctx context.Context, n int) context.Context {
	return context.WithValue(ctx, pageKey{}, n)
}

// Driver is the part of a gocloud driver.Bucket that is the same for all adapters. An adapter's driver embeds
// it, and reads and lists with the adapter's own client. gocloud's own drivers escape keys that the format
// allows, and their listings believe answers that are cut.
//
// Only Put and Delete of an adapter write, so the methods of a driver that write return ErrUnsupported.
type Driver struct{ Dialect *Dialect }

// ErrUnsupported is the error of a driver's methods that archives do not use.
var ErrUnsupported = errors.New("archives do not use this method of the driver")

// ErrorCode implements driver.Bucket.
func (d *Driver) ErrorCode(err error) gcerrors.ErrorCode {
	if errors.Is(err, ErrUnsupported) {
		return gcerrors.Unimplemented
	}
	switch d.Dialect.KindOf(err) {
	case NotFound, NoBucket:
		return gcerrors.NotFound
	case Denied, BadCredentials:
		return gcerrors.PermissionDenied
	case Precondition:
		return gcerrors.FailedPrecondition
	case Throttled:
		return gcerrors.ResourceExhausted
	case TimedOut:
		return gcerrors.DeadlineExceeded
	case Canceled:
		return gcerrors.Canceled
	}
	return gcerrors.Unknown
}

// As implements driver.Bucket. There are no provider types.
func (*Driver) As(any) bool { return false }

// ErrorAs implements driver.Bucket. The type error returns the driver's own error.
func (*Driver) ErrorAs(err error, target any) bool {
	own, ok := target.(*error)
	if ok {
		*own = err
	}
	return ok
}

// NewTypedWriter implements driver.Bucket.
func (*Driver) NewTypedWriter(context.Context, string, string, *driver.WriterOptions) (driver.Writer, error) {
	return nil, fmt.Errorf("writing: %w", ErrUnsupported)
}

// Copy implements driver.Bucket.
func (*Driver) Copy(context.Context, string, string, *driver.CopyOptions) error {
	return fmt.Errorf("copying: %w", ErrUnsupported)
}

// Delete implements driver.Bucket.
func (*Driver) Delete(context.Context, string, *driver.DeleteOptions) error {
	return fmt.Errorf("deleting: %w", ErrUnsupported)
}

// SignedURL implements driver.Bucket.
func (*Driver) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", fmt.Errorf("signing a URL: %w", ErrUnsupported)
}

// Close implements driver.Bucket. The adapter closes its client.
func (*Driver) Close() error { return nil }

// DefaultType is the content type of objects that have none.
const DefaultType = "application/octet-stream"

// AttributesOf returns what Portable needs of an object. The type store.Object returns all of it.
func AttributesOf(o *store.Object, contentType, etag string) *driver.Attributes {
	if contentType == "" {
		contentType = DefaultType
	}
	if etag == "" {
		etag = `"` + o.Version + `"`
	}
	return &driver.Attributes{ContentType: contentType, ModTime: o.Modified, Size: o.Size, ETag: etag, AsFunc: asObject(o)}
}

// ListedObject returns an object of a listing. Its Key is the full key in the bucket.
func ListedObject(o *store.Object) *driver.ListObject {
	return &driver.ListObject{Key: o.Key, IsDir: o.IsDir, Size: o.Size, ModTime: o.Modified, AsFunc: asObject(o)}
}

// ListedPrefix returns a rolled-up prefix of a listing.
func ListedPrefix(key string) *driver.ListObject {
	return ListedObject(&store.Object{Key: key, IsDir: true})
}

func asObject(o *store.Object) func(any) bool {
	is := *o
	return func(target any) bool {
		out, ok := target.(*store.Object)
		if ok {
			*out = is
		}
		return ok
	}
}

// ObjectReader is the driver.Reader of an object's content.
type ObjectReader struct {
	io.Reader
	io.Closer
	About driver.ReaderAttributes
}

// NewObjectReader returns a reader of at most length bytes of an answer's body, or of all of them if length is
// negative. A service that ignores a range may send more.
func NewObjectReader(body io.ReadCloser, length int64, about driver.ReaderAttributes) *ObjectReader {
	if about.ContentType == "" {
		about.ContentType = DefaultType
	}
	r := &ObjectReader{Reader: body, Closer: body, About: about}
	if length >= 0 {
		r.Reader = io.LimitReader(body, length)
	}
	return r
}

// Attributes implements driver.Reader.
func (r *ObjectReader) Attributes() *driver.ReaderAttributes { return &r.About }

// As implements driver.Reader.
func (*ObjectReader) As(any) bool { return false }

// Before calls a hook of gocloud that a driver must call, without any types. A nil hook does nothing.
func Before(hook func(as func(any) bool) error) error {
	if hook == nil {
		return nil
	}
	return hook(func(any) bool { return false })
}

// A ListRequest passes from a listing to a driver, and back, what driver.ListOptions and driver.ListPage lack. A driver
// gets it from NewListRequest.
type ListRequest struct {
	// After is a full key, or empty. The driver lists the keys after it if the service can begin there. The caller skips
	// all others.
	After string
	// Unordered is set by a driver whose service did not list in the order of the keys.
	Unordered bool
	// Resume is what a driver keeps between two pages of one listing; nil if each page is requested by itself.
	Resume *Resume

	check func(token []byte, page *driver.ListPage, unordered bool) error
}

// Resume is the state of a driver between two pages of a listing. Close is called when the listing ends.
type Resume struct {
	Value any
	Close func()
}

// NewListRequest calls the hook of a listing, which sets the request's fields.
func NewListRequest(o *driver.ListOptions) (*ListRequest, error) {
	q := &ListRequest{}
	if o.BeforeList == nil {
		return q, nil
	}
	return q, o.BeforeList(func(target any) bool {
		out, ok := target.(**ListRequest)
		if ok {
			*out = q
		}
		return ok
	})
}

// Merge returns the objects and the rolled-up prefixes of a page in the order of their keys. Services return
// them separately.
func (q *ListRequest) Merge(objects, prefixes []*driver.ListObject) []*driver.ListObject {
	byKey := func(a, b *driver.ListObject) int { return strings.Compare(a.Key, b.Key) }
	if !slices.IsSortedFunc(objects, byKey) || !slices.IsSortedFunc(prefixes, byKey) {
		q.Unordered = true
	}
	all := slices.Concat(objects, prefixes)
	slices.SortStableFunc(all, byKey)
	return all
}

// NewBucket returns a bucket of a driver. A page of a listing may take at most as long as limit, with all attempts.
//
// A listing with a BeforeList gets the pages as the service returns them. gocloud would fill a page that is short by a
// few objects, as pages of versions are, with a further request for these few.
func NewBucket(d driver.Bucket, limit time.Duration) *blob.Bucket {
	return blob.NewBucket(&pagedDriver{d, limit})
}

// pagedDriver checks each page of a listing before gocloud requests the next one: gocloud itself would request
// pages without end if they are empty.
type pagedDriver struct {
	driver.Bucket
	limit time.Duration
}

// ListPaged implements driver.Bucket.
func (d *pagedDriver) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	limited, cancel := context.WithTimeout(ctx, d.limit)
	defer cancel()
	var q *ListRequest
	own := *o
	if o.BeforeList != nil {
		own.PageSize = ListPage
		if n, ok := ctx.Value(pageKey{}).(int); ok {
			own.PageSize = n
		}
		own.BeforeList = func(as func(any) bool) error {
			as(&q)
			return o.BeforeList(as)
		}
	}
	page, err := d.Bucket.ListPaged(limited, &own)
	switch {
	case err != nil && ctx.Err() == nil && limited.Err() != nil:
		return nil, fmt.Errorf("a page of the listing took longer than %s: %w", d.limit, limited.Err())
	case err != nil:
		return nil, err
	case q == nil || q.check == nil:
		return page, nil
	}
	return page, q.check(o.PageToken, page, q.Unordered)
}

// PageLimit returns how long a page of a listing may take with all attempts: each of them may stand still for a timeout
// or trickle in for another one.
func PageLimit(timeout time.Duration) time.Duration {
	return 2*MaxStandstills*timeout + MaxAttempts*MaxBackoff
}
