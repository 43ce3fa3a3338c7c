package gcs

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"cloud.google.com/go/storage"
	"github.com/googleapis/gax-go/v2"
	"google.golang.org/api/googleapi"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Put sends the chunks of a large object one after another. Several files at once use the whole bandwidth.
// Concurrent parts of one object would do so with a single file, but no method of the service gives the
// guarantees that an archive needs:
//
//   - Temporary objects that the service composes, as in the module's experimental parallel uploads over
//     gRPC: a crash leaves them in the bucket, and listings show them. Removing them needs the permission
//     to delete, which an archive can do without.
//   - The multipart uploads of the XML API have no preconditions: their end overwrites an existing object.
//   - The module's transfermanager only downloads.
const (
	chunkSize   = 8 << 20   // the bytes of a chunk of a large object, and of its buffer
	compareSize = 1 << 20   // objects of at least this size are compared first, so that none is sent in vain
	retryFor    = time.Hour // practically no limit: attempts are counted, and some links are slow

	contentType = "application/octet-stream"
)

// Put implements store.Store. The service creates the object only if none exists and if the content has the
// CRC-32C in sums. Put hashes the content while it sends it, and completes an upload only if the sums match.
func (s *adapter) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	stored, err := s.put(ctx, key, cloud.NewBodyUntil(ctx, body, sums.Size), sums)
	return stored, s.fail("putting", key, err)
}

func (s *adapter) put(ctx context.Context, key string, src *cloud.CheckedBody, sums store.Sums) (store.PutResult, error) {
	if sums.Size >= compareSize {
		if stored, err := s.compareExisting(ctx, key, sums); dialect.KindOf(err) != cloud.NotFound {
			return stored, err
		}
	}
	if sums.Size > cloud.SingleMax {
		select {
		case s.uploads <- struct{}{}:
			defer func() { <-s.uploads }()
		case <-ctx.Done():
			return store.PutResult{}, ctx.Err()
		}
	}
	var err error
	for attempt := 1; ; attempt++ {
		if err = s.insert(ctx, key, src, sums); err == nil {
			return store.PutResult{}, nil
		}
		again := isTransient(err, attempt)
		if sums.Size > cloud.SingleMax { // its requests were retried already
			again = isSessionGone(err) && attempt < cloud.PutRounds
		}
		if ctx.Err() != nil || !again && !(isBadChecksum(err) && attempt < cloud.PutRounds) {
			break
		}
		if spent := s.budget.Spend(); spent != nil {
			err = errors.Join(err, spent)
			break
		}
		if cloud.Pause(ctx, cloud.Backoff(attempt)) != nil {
			break
		}
	}
	return s.afterFailure(ctx, key, sums, err)
}

// afterFailure determines the outcome of a failed Put. The answer may have been lost, or another writer may
// have been faster. Then the existing object decides.
func (s *adapter) afterFailure(ctx context.Context, key string, sums store.Sums, err error) (store.PutResult, error) {
	var broken *cloud.BodyError
	switch k := dialect.Classify(err); {
	case errors.As(err, &broken) || errors.Is(err, store.ErrMismatch):
		return store.PutResult{}, err
	case ctx.Err() != nil:
		return store.PutResult{}, ctx.Err()
	case k == cloud.NotFound && !s.seen.Load():
		return store.PutResult{}, errNoBucket // an upload reports only a missing bucket or session
	case k == cloud.NoBucket || k == cloud.BadCredentials || k == cloud.Misconfigured || k == cloud.Unreachable || k == cloud.Blocked:
		return store.PutResult{}, err // a comparison would fail in the same way
	}
	stored, lookErr := s.compareExisting(ctx, key, sums)
	if lookErr == nil || errors.Is(lookErr, store.ErrExists) {
		return stored, lookErr
	}
	k := dialect.KindOf(lookErr)
	if k == cloud.BadCredentials || k != cloud.NotFound && dialect.Classify(err) == cloud.Precondition {
		return store.PutResult{}, lookErr // an object is there, and what prevents reading it is the cause
	}
	return store.PutResult{}, err
}

// compareExisting compares the existing object with sums. An equal object is success, another one is
// ErrExists. The error has Kind NotFound if no object exists.
func (s *adapter) compareExisting(ctx context.Context, key string, sums store.Sums) (store.PutResult, error) {
	o, err := s.Stat(ctx, key)
	switch {
	case err != nil:
		return store.PutResult{}, err
	case o.Size != sums.Size, o.CRC32C != nil && *o.CRC32C != sums.CRC32C:
		return store.PutResult{}, s.Exists(key)
	case o.CRC32C != nil && sums.Size > cloud.CompareMax:
		return store.PutResult{Existed: true}, nil
	}
	r, err := s.Get(ctx, key, 0, -1)
	if err != nil {
		return store.PutResult{}, err
	}
	defer r.Close()
	got, err := cloud.SumUp(ctx, r)
	if err != nil {
		return store.PutResult{}, err
	}
	if got != sums {
		return store.PutResult{}, s.Exists(key)
	}
	return store.PutResult{Existed: true}, nil
}

// insert makes one attempt to send an object. If reading the source fails, it ends the attempt before the
// module learns of the failure. Nothing is sent after that, so the service receives no end that would
// complete the object.
func (s *adapter) insert(ctx context.Context, key string, src *cloud.CheckedBody, sums store.Sums) error {
	ctx, attempt := newAttempt(ctx)
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	w := s.writer(ctx, key, sums)
	content := &promisedReader{r: src.Section(0, sums.Size), sums: sums, got: digest.New()}
	_, err := io.CopyBuffer(w, content, make([]byte, piece(sums.Size)))
	if err != nil {
		attempt.fail(err)
		cancel()
	}
	if ended := w.Close(); err == nil { // Close waits until all requests have ended
		err = ended
	}
	var broken *cloud.BodyError
	switch {
	case errors.As(err, &broken):
		return broken
	case err != nil:
		return fmt.Errorf("inserting: %w", err)
	}
	err = s.verify(ctx, key, w.Attrs(), sums)
	if !errors.Is(err, errUnacknowledged) {
		s.seen.Store(true)
	}
	return err
}

// writer returns a writer of an object. Up to SingleMax it sends one unbuffered request. Beyond that it sends
// chunks, and retries each chunk that fails.
func (s *adapter) writer(ctx context.Context, key string, sums store.Sums) *storage.Writer {
	o := s.bucket.Object(s.Prefix + key).If(storage.Conditions{DoesNotExist: true})
	chunk := 0
	if sums.Size > cloud.SingleMax {
		chunk = chunkSize
		o = o.Retryer(storage.WithPolicy(storage.RetryIdempotent), storage.WithErrorFunc((&chunkRetry{budget: s.budget}).again),
			storage.WithBackoff(gax.Backoff{Initial: cloud.FirstBackoff, Max: cloud.MaxBackoff, Multiplier: 2}))
	}
	w := o.NewWriter(ctx)
	w.ContentType = contentType
	w.CRC32C, w.SendCRC32C = uint32(sums.CRC32C), true
	w.ChunkSize, w.ChunkRetryDeadline = chunk, retryFor
	return w
}

// piece returns the number of bytes that one write passes to the module, which forwards 32 KiB at a time or
// fills its buffer.
func piece(size int64) int {
	if size > cloud.SingleMax {
		return cloud.CopyBuffer
	}
	return 64 << 10
}

// chunkRetry counts the attempts of one upload's requests.
type chunkRetry struct {
	budget   *cloud.Budget
	failures int
}

// again reports whether a request is sent again. The module calls it after each request, also after a
// successful one. If the session is gone, only a new upload helps.
func (c *chunkRetry) again(err error) bool {
	if err == nil {
		c.failures = 0
		return false
	}
	c.failures++
	return isTransient(err, c.failures) && !isSessionGone(err) && c.budget.Spend() == nil
}

// isSessionGone reports whether the service no longer has an upload. Then a new one must be started.
func isSessionGone(err error) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && api.Code == http.StatusGone
}

// errUnacknowledged means that an answer does not describe an object. Something else may have answered in place of the
// service, so the object that exists decides.
var errUnacknowledged = fmt.Errorf("%w: it has no generation, so it does not acknowledge that anything was stored; "+
	"check the endpoint, and the proxies on the way", cloud.ErrBadAnswer)

// verify compares the size and CRC-32C that the service reports with sums. A correct service compares them
// before it creates an object. If they differ, verify deletes the object, which Put has not reported yet.
func (s *adapter) verify(ctx context.Context, key string, made *storage.ObjectAttrs, sums store.Sums) error {
	if made.Generation == 0 {
		return errUnacknowledged
	}
	crc := manifest.CRC32C(made.CRC32C)
	if made.Size == sums.Size && crc == sums.CRC32C {
		return nil
	}
	err := fmt.Errorf("the service stored an object of %d bytes and CRC-32C %s, but was sent %d bytes and CRC-32C %s",
		made.Size, crc, sums.Size, sums.CRC32C)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cloud.AbortTimeout)
	defer cancel()
	gone := s.try(ctx, s.short(), func(ctx context.Context) error {
		return s.bucket.Object(s.Prefix + key).Generation(made.Generation).Delete(ctx)
	})
	if gone != nil && dialect.Classify(gone) != cloud.NotFound {
		return fmt.Errorf("%w; it could not be deleted (%w); delete it, and check the service", err, gone)
	}
	return fmt.Errorf("%w; it was deleted again; this is a fault of the service, or of a proxy on the way; try again", err)
}

// promisedReader reads content that must have the declared sums. If the sums differ, it returns an error in
// place of io.EOF, so that the upload fails.
type promisedReader struct {
	r    io.Reader
	sums store.Sums
	got  *digest.Hasher
}

// Read implements io.Reader.
func (p *promisedReader) Read(b []byte) (int, error) {
	n, err := p.r.Read(b)
	p.got.Write(b[:n])
	if errors.Is(err, io.EOF) && p.got.Sums() != p.sums {
		return 0, cloud.NewBodyError(store.ErrMismatch)
	}
	return n, err
}
