package drivertest

import (
	"bytes"
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/drivertest"
	"gocloud.dev/gcerrors"
)

// A Subject is a driver that reads and lists, with what the suite needs beside it. The suite writes, with attributes
// that archives do not have. So Run writes with the functions of the test, and keeps the attributes itself.
type Subject struct {
	Driver driver.Bucket
	// Missing is a driver of a bucket that does not exist; nil if there is no such thing.
	Missing driver.Bucket
	// Put creates or replaces an object, and Delete deletes one that exists.
	Put    func(ctx context.Context, key string, content []byte) error
	Delete func(ctx context.Context, key string) error
	// KeepsOddKeys means that the driver itself represents keys that no archive has, and rolls up at any delimiter.
	// Otherwise Run escapes the keys, and rolls up itself at other delimiters than "/": emulators do not, or list without
	// end.
	KeepsOddKeys bool
	// IgnoresPageSize means that the emulator returns all rolled-up prefixes on one page, whatever its size.
	IgnoresPageSize bool
	// EndsEmpty means that the service may announce another page after the last object. That is legal, and the suite does
	// not expect it.
	EndsEmpty bool
}

// Run runs the suite. It skips signed URLs only. fresh returns an empty bucket.
func Run(t *testing.T, fresh func(t *testing.T) Subject) {
	drivertest.RunConformanceTests(t, func(_ context.Context, t *testing.T) (drivertest.Harness, error) {
		return &harness{newWritable(fresh(t))}, nil
	}, nil)
}

type harness struct{ bucket *writable }

// MakeDriver implements drivertest.Harness.
func (h *harness) MakeDriver(context.Context) (driver.Bucket, error) { return h.bucket, nil }

// MakeDriverForNonexistentBucket implements drivertest.Harness.
func (h *harness) MakeDriverForNonexistentBucket(context.Context) (driver.Bucket, error) {
	if h.bucket.Missing == nil {
		return nil, nil
	}
	return h.bucket.Missing, nil
}

func (*harness) HTTPClient() *http.Client { return nil } // no signed URLs
func (*harness) SupportsCopy() bool       { return true }
func (*harness) Close()                   {}

// SupportsNonSlashDelimiters implements drivertest.Harness. Without it the suite does not test rolled-up pages at all.
func (h *harness) SupportsNonSlashDelimiters() bool { return !h.bucket.IgnoresPageSize }

// writable is a driver that can write, too.
type writable struct {
	driver.Bucket
	Subject

	mu         sync.Mutex
	attributes map[string]driver.Attributes // what was written with an object, by key
}

func newWritable(s Subject) *writable {
	return &writable{Bucket: s.Driver, Subject: s, attributes: map[string]driver.Attributes{}}
}

var (
	errExists = errors.New("the blob exists")
	errNoKey  = errors.New("a blob needs a key")
)

// ErrorCode implements driver.Bucket.
func (w *writable) ErrorCode(err error) gcerrors.ErrorCode {
	if errors.Is(err, errExists) {
		return gcerrors.FailedPrecondition
	}
	return w.Bucket.ErrorCode(err)
}

// Attributes implements driver.Bucket.
func (w *writable) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	a, err := w.Bucket.Attributes(ctx, w.escapeKey(key))
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if own, ok := w.attributes[key]; ok {
		a.CacheControl, a.ContentDisposition, a.ContentEncoding = own.CacheControl, own.ContentDisposition, own.ContentEncoding
		a.ContentLanguage, a.ContentType, a.Metadata = own.ContentLanguage, own.ContentType, maps.Clone(own.Metadata)
	}
	return a, nil
}

// NewRangeReader implements driver.Bucket.
func (w *writable) NewRangeReader(ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	if key == "" {
		return nil, errNoKey
	}
	r, err := w.Bucket.NewRangeReader(ctx, w.escapeKey(key), offset, length, o)
	if err != nil {
		return nil, err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if own, ok := w.attributes[key]; ok {
		about := *r.Attributes()
		about.ContentType = own.ContentType
		return &typedReader{r, about}, nil
	}
	return r, nil
}

type typedReader struct {
	driver.Reader
	about driver.ReaderAttributes
}

// Attributes implements driver.Reader.
func (r *typedReader) Attributes() *driver.ReaderAttributes { return &r.about }

// ListPaged implements driver.Bucket.
func (w *writable) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if o.Delimiter != "" && o.Delimiter != "/" && !w.KeepsOddKeys {
		return w.rollUp(ctx, o)
	}
	own := *o
	own.Prefix = w.escape(o.Prefix)
	page, err := w.Bucket.ListPaged(ctx, &own)
	if err != nil {
		return nil, err
	}
	for _, object := range page.Objects {
		object.Key = w.unescape(object.Key)
	}
	if w.EndsEmpty && len(page.NextPageToken) > 0 {
		own.PageToken, own.BeforeList = page.NextPageToken, nil
		next, err := w.Bucket.ListPaged(ctx, &own)
		if err == nil && len(next.Objects) == 0 && len(next.NextPageToken) == 0 {
			page.NextPageToken = nil
		}
	}
	return page, nil
}

// rollUp lists all objects with the prefix, and rolls them up. The token of a page is the number of its first object.
func (w *writable) rollUp(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	var all []*driver.ListObject
	flat := driver.ListOptions{Prefix: o.Prefix, BeforeList: o.BeforeList}
	for more := true; more; more = len(flat.PageToken) > 0 {
		page, err := w.ListPaged(ctx, &flat)
		if err != nil {
			return nil, err
		}
		flat.PageToken, flat.BeforeList = page.NextPageToken, nil
		for _, object := range page.Objects {
			rest := strings.TrimPrefix(object.Key, o.Prefix)
			if i := strings.Index(rest, o.Delimiter); i >= 0 {
				object = &driver.ListObject{Key: o.Prefix + rest[:i+len(o.Delimiter)], IsDir: true}
			}
			all = append(all, object)
		}
	}
	slices.SortStableFunc(all, func(a, b *driver.ListObject) int { return strings.Compare(a.Key, b.Key) })
	all = slices.CompactFunc(all, func(a, b *driver.ListObject) bool { return a.Key == b.Key })
	from, _ := strconv.Atoi(string(o.PageToken)) // zero without a token
	rest := all[min(from, len(all)):]
	if o.PageSize == 0 || len(rest) <= o.PageSize {
		return &driver.ListPage{Objects: rest}, nil
	}
	next := strconv.AppendInt(nil, int64(from+o.PageSize), 10)
	return &driver.ListPage{Objects: rest[:o.PageSize], NextPageToken: next}, nil
}

// blobWriter collects the content of a blob, and puts it when it is closed.
type blobWriter struct {
	bytes.Buffer
	ctx     context.Context
	bucket  *writable
	key     string
	content driver.Attributes
	options *driver.WriterOptions
}

// NewTypedWriter implements driver.Bucket.
func (w *writable) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	if key == "" {
		return nil, errNoKey
	}
	if err := called(o.BeforeWrite); err != nil {
		return nil, err
	}
	return &blobWriter{ctx: ctx, bucket: w, key: key, options: o, content: driver.Attributes{
		CacheControl: o.CacheControl, ContentDisposition: o.ContentDisposition, ContentEncoding: o.ContentEncoding,
		ContentLanguage: o.ContentLanguage, ContentType: contentType, Metadata: o.Metadata,
	}}, nil
}

// Close implements driver.Writer.
func (b *blobWriter) Close() error {
	if err := b.ctx.Err(); err != nil {
		return err
	}
	if sum := md5.Sum(b.Bytes()); len(b.options.ContentMD5) > 0 && !bytes.Equal(sum[:], b.options.ContentMD5) {
		return fmt.Errorf("the content has MD5 %x", sum)
	}
	if _, err := b.bucket.Attributes(b.ctx, b.key); err == nil && b.options.IfNotExist {
		return errExists
	}
	return b.bucket.write(b.ctx, b.key, b.Bytes(), &b.content)
}

func (w *writable) write(ctx context.Context, key string, content []byte, a *driver.Attributes) error {
	if err := w.Put(ctx, w.escapeKey(key), content); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.attributes[key] = *a
	return nil
}

// Copy implements driver.Bucket.
func (w *writable) Copy(ctx context.Context, to, from string, o *driver.CopyOptions) error {
	a, err := w.Attributes(ctx, from)
	if err != nil {
		return err
	}
	r, err := w.NewRangeReader(ctx, from, 0, -1, &driver.ReaderOptions{})
	if err != nil {
		return err
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err == nil {
		err = called(o.BeforeCopy)
	}
	if err != nil {
		return err
	}
	return w.write(ctx, to, content, a)
}

// Delete implements driver.Bucket.
func (w *writable) Delete(ctx context.Context, key string, o *driver.DeleteOptions) error {
	if _, err := w.Attributes(ctx, key); err != nil {
		return err
	}
	if err := called(o.BeforeDelete); err != nil {
		return err
	}
	if err := w.Subject.Delete(ctx, w.escapeKey(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.attributes, key)
	return nil
}

// Close implements driver.Bucket. The suite opens one driver several times.
func (w *writable) Close() error { return nil }

func called(hook func(as func(any) bool) error) error {
	if hook == nil {
		return nil
	}
	return hook(func(any) bool { return false })
}
