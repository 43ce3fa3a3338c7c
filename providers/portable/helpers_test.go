package portable

import (
	"bytes"
	"context"
	"testing"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"
	"gocloud.dev/blob/memblob"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// open returns the store of a bucket, for a test.
func open(t *testing.T, b *blob.Bucket) *adapter {
	t.Helper()
	return openPages(t, b, 0)
}

// openPages returns an archive in a bucket that is listed with at most page objects per request.
func openPages(t *testing.T, b *blob.Bucket, page int) *adapter {
	t.Helper()
	s, err := New(b, Options{Name: "a test's bucket", Scratch: t.TempDir(), page: page})
	t.Cleanup(func() { b.Close() })
	return storetest.Opened(t, s, err).(*adapter)
}

// faulty is a bucket with faults, on a bucket without. The fields may be nil.
type faulty struct {
	*bucketDriver
	spoil     func(content []byte) []byte              // what is stored in place of the content
	created   func() error                             // called once an object exists; its error is the writer's
	read      func(ctx context.Context, s *adapter)    // called before each read, with a store without faults
	writer    func(ctx context.Context, key string)    // called before each writer is opened
	newWriter func(w *faultyWriter) driver.Writer      // replaces the writer
	reader    func(offset, length int64) driver.Reader // replaces the reader
}

// newFaulty returns the faulty bucket, a store on it, and a store without faults of the same objects.
func newFaulty(t *testing.T) (f *faulty, s, correct *adapter) {
	t.Helper()
	inner := memblob.OpenBucket(nil)
	f = &faulty{bucketDriver: &bucketDriver{Driver: cloud.Driver{Dialect: dialect}, bucket: inner}}
	return f, open(t, blob.NewBucket(f)), open(t, inner)
}

func (f *faulty) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	if f.writer != nil {
		f.writer(ctx, key)
	}
	if f.newWriter != nil { // it may ignore a cancellation
		ctx = context.WithoutCancel(ctx)
	}
	w, err := f.bucket.NewWriter(ctx, key, &blob.WriterOptions{ContentType: contentType, IfNotExist: o.IfNotExist})
	fw := &faultyWriter{Writer: w, f: f}
	if err == nil && f.newWriter != nil {
		return f.newWriter(fw), nil
	}
	return fw, err
}

func (f *faulty) NewRangeReader(ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	if f.read != nil {
		s, err := New(f.bucket, Options{})
		if err != nil {
			return nil, err
		}
		f.read(ctx, s.(*adapter))
	}
	if f.reader != nil {
		return f.reader(offset, length), nil
	}
	return f.bucketDriver.NewRangeReader(ctx, key, offset, length, o)
}

func (f *faulty) Delete(ctx context.Context, key string, _ *driver.DeleteOptions) error {
	return f.bucket.Delete(ctx, key)
}

// faultyWriter keeps the content until it is closed.
type faultyWriter struct {
	*blob.Writer
	f       *faulty
	content bytes.Buffer
}

func (w *faultyWriter) Write(b []byte) (int, error) { return w.content.Write(b) }

func (w *faultyWriter) Close() error {
	content := w.content.Bytes()
	if w.f.spoil != nil {
		content = w.f.spoil(content)
	}
	_, err := w.Writer.Write(content)
	if closeErr := w.Writer.Close(); err == nil {
		err = closeErr
	}
	if err == nil && w.f.created != nil {
		err = w.f.created()
	}
	return err
}
