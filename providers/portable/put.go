package portable

import (
	"context"
	"errors"
	"fmt"
	"io"

	"gocloud.dev/blob"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/store"
)

// The sizes of the requests of a writer, in bytes. S3 takes 10,000 parts, and Google's chunks are multiples of 256 KiB.
const (
	chunkLeast = 8 << 20
	chunkUnit  = 1 << 20
	chunksMax  = 9000
)

// errDamaged means that the bucket returns other bytes than it was sent.
var errDamaged = errors.New("the bucket returned other bytes than it was sent; check the service, and the proxies on the way")

// upload is one Put.
type upload struct {
	store *adapter
	key   string
	src   *cloud.CheckedBody
	sums  store.Sums
}

func (s *adapter) newUpload(key string, src *cloud.CheckedBody, sums store.Sums) *upload {
	return &upload{s, key, src, sums}
}

// run compares an existing object, or creates the object. It tries again after failures that may pass. After each
// failure the key is compared, since an answer may have been lost, or another writer may have been faster.
func (p *upload) run(ctx context.Context) (store.PutResult, error) {
	if err := checkKey(p.key); err != nil {
		return store.PutResult{}, err
	}
	var failed error
	for round := 1; ; round++ {
		if err := ctx.Err(); err != nil {
			return store.PutResult{}, err
		}
		err := p.compareExisting(ctx)
		switch {
		case err == nil:
			return store.PutResult{Existed: true}, nil
		case dialect.KindOf(err) != cloud.NotFound && failed != nil && !errors.Is(err, store.ErrExists) && !isTaken(failed):
			return store.PutResult{}, failed
		case dialect.KindOf(err) != cloud.NotFound:
			return store.PutResult{}, err
		case failed != nil && (round > cloud.PutRounds || isFinal(failed)):
			return store.PutResult{}, failed
		case failed != nil:
			if err := cloud.Pause(ctx, cloud.Backoff(round)); err != nil {
				return store.PutResult{}, err
			}
		}
		if failed = p.create(ctx); failed == nil {
			return store.PutResult{}, nil
		}
		if isOfSource(failed) {
			return store.PutResult{}, failed
		}
	}
}

// isOfSource reports whether the source is the cause, so that the existing object does not matter.
func isOfSource(err error) bool {
	return errors.As(err, new(*cloud.BodyError)) || errors.Is(err, store.ErrMismatch)
}

// isTaken reports whether an object existed.
func isTaken(err error) bool { return dialect.KindOf(err) == cloud.Precondition }

// isFinal reports whether another attempt would fail in the same way. Drivers have no code for many errors that may
// pass, so an unknown error is tried again.
func isFinal(err error) bool {
	switch dialect.KindOf(err) {
	case cloud.NotFound, cloud.NoBucket, cloud.Denied, cloud.BadCredentials, cloud.Misconfigured, cloud.Canceled:
		return true
	}
	return false
}

// compareExisting returns nil if an object of the promised content exists, and store.ErrExists for another object. The
// error has Kind NotFound if no object exists.
func (p *upload) compareExisting(ctx context.Context) error {
	there, err := p.store.Attributes(ctx, p.key)
	if err != nil {
		return err
	}
	if there.Size != p.sums.Size {
		return p.store.Exists(p.key)
	}
	got, err := p.readBack(ctx)
	if err != nil {
		return err
	}
	if got != p.sums {
		return p.store.Exists(p.key)
	}
	return nil
}

// readBack reads the existing object and returns its sums. A read that broke is tried again.
func (p *upload) readBack(ctx context.Context) (got store.Sums, err error) {
	for round := 1; ; round++ {
		if got, err = p.readOnce(ctx); err == nil || round == cloud.PutRounds || isFinal(err) || ctx.Err() != nil {
			return got, err
		}
		if err := cloud.Pause(ctx, cloud.Backoff(round)); err != nil {
			return got, err
		}
	}
}

func (p *upload) readOnce(ctx context.Context) (store.Sums, error) {
	r, err := p.store.Get(ctx, p.key, 0, -1)
	if err != nil {
		return store.Sums{}, err
	}
	defer r.Close()
	return cloud.SumUp(ctx, r)
}

// create sends the body in one pass, and reads the object back.
func (p *upload) create(ctx context.Context) error {
	if err := p.send(ctx); err != nil {
		return err
	}
	return p.confirm(ctx, p.sums)
}

// send creates the object from the source, with one reading of it.
func (p *upload) send(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &sourceReader{body: p.src.Section(0, p.sums.Size), sums: p.sums, sent: digest.New(), cancel: cancel}
	err := p.store.createFrom(ctx, p.key, r, p.sums.Size)
	switch {
	case r.err == nil:
		return err
	case err == nil: // the driver ignores the error and the cancellation, and has created the object
		return errors.Join(r.err, p.remove(ctx))
	}
	return r.err
}

// createFrom creates an object, if none exists. Write of a blob.Writer is not used: azureblob panics if the service
// refuses the object before Close.
func (s *adapter) createFrom(ctx context.Context, key string, r io.Reader, size int64) error {
	o := &blob.WriterOptions{ContentType: cloud.DefaultType, IfNotExist: true, BufferSize: chunkOf(size)}
	if size <= chunkLeast {
		o.MaxConcurrency = 1
	}
	return s.bucket.Upload(ctx, key, r, o)
}

// sourceReader reads the source once. If the source fails or has changed, it cancels the writer's context before the
// driver gets the error and closes the writer. Otherwise Close could commit what was sent.
type sourceReader struct {
	body   io.Reader
	sums   store.Sums
	sent   *digest.Hasher
	cancel context.CancelFunc
	err    error // of the source
}

// Read implements io.Reader.
func (r *sourceReader) Read(b []byte) (int, error) {
	if r.err != nil {
		return 0, r.err
	}
	n, err := r.body.Read(b)
	r.sent.Write(b[:n])
	if errors.Is(err, io.EOF) && r.sent.Sums() != r.sums {
		err = store.ErrMismatch
	}
	if err != nil && !errors.Is(err, io.EOF) {
		r.err = err
		r.cancel()
	}
	return n, err
}

// chunkOf returns the size of the requests for an object, so that it has few enough of them.
func chunkOf(size int64) int {
	chunk := (size/chunksMax + chunkUnit) / chunkUnit * chunkUnit
	return int(max(chunk, chunkLeast))
}

// confirm reads back the object that this upload has created. If its content has other sums, it deletes the object and
// returns errDamaged.
func (p *upload) confirm(ctx context.Context, sums store.Sums) error {
	created, err := p.store.bucket.Attributes(ctx, p.key)
	var got store.Sums
	if err == nil {
		got, err = p.readBack(ctx)
	}
	switch {
	case err != nil && dialect.KindOf(err) == cloud.NotFound:
		return fmt.Errorf("the bucket took the object, and does not return it: %v", err) //nolint:errorlint // it is not missing
	case err != nil:
		return fmt.Errorf("reading the object back: %w", err)
	case got == sums:
		return nil
	}
	return errors.Join(errDamaged, p.removeIf(ctx, created))
}

// removeIf deletes the object that this upload has created, unless another one is there now. No request compares and
// deletes in one step, so an object that is created between the two stays unnoticed.
func (p *upload) removeIf(ctx context.Context, created *blob.Attributes) error {
	now, err := p.store.bucket.Attributes(ctx, p.key)
	switch {
	case err != nil && dialect.KindOf(err) == cloud.NotFound:
		return nil
	case err != nil:
		return fmt.Errorf("the object stays: %w", err)
	case now.ETag != created.ETag || !now.ModTime.Equal(created.ModTime) || now.Size != created.Size:
		return nil
	}
	return p.remove(ctx)
}

// remove deletes the object that this upload has created, even if ctx has ended.
func (p *upload) remove(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cloud.AbortTimeout)
	defer cancel()
	if err := p.store.bucket.Delete(ctx, p.key); err != nil && dialect.KindOf(err) != cloud.NotFound {
		return fmt.Errorf("the object stays, and cannot be deleted: %w", err)
	}
	return nil
}
