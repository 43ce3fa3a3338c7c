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

// A large object goes out in chunks, one after another; several files at once fill the
// line. Parts of one object side by side would fill it with a single file, but the service
// has no way for that which keeps our promises:
//
//   - Composed of temporary objects, as the module's experimental parallel uploads do it
//     (and over gRPC only): after a crash they lie in the bucket for good and show in
//     listings, and taking them away needs the permission to delete, which an archive can
//     do without.
//   - The multipart uploads of the XML API know no preconditions: their end overwrites what
//     is there.
//   - The module's transfermanager downloads only.
const (
	chunkSize   = 8 << 20   // what a large object is sent in, and its buffer
	compareSize = 1 << 20   // from this size on is looked, before an object is sent in vain
	retryFor    = time.Hour // no limit on a chunk's attempts: they are counted, and some links are slow

	contentType = "application/octet-stream"
)

// Put implements store.Store. The service makes the object only where there is none,
// and only when what it got has the CRC-32C that sums promises. What is sent is hashed,
// and an upload ends only if that is what was promised.
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
		if sums.Size > cloud.SingleMax { // its requests had attempts of their own
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

// afterFailure finds out what a failed Put has come to. Its answer may have been lost, or
// another writer was faster: then what is there decides.
func (s *adapter) afterFailure(ctx context.Context, key string, sums store.Sums, err error) (store.PutResult, error) {
	var broken *cloud.BodyError
	switch k := dialect.Classify(err); {
	case errors.As(err, &broken) || errors.Is(err, store.ErrMismatch):
		return store.PutResult{}, err
	case ctx.Err() != nil:
		return store.PutResult{}, ctx.Err()
	case k == cloud.NotFound && !s.seen.Load():
		return store.PutResult{}, errNoBucket // nothing else can be missing but an upload's session
	case k == cloud.NoBucket || k == cloud.BadCredentials || k == cloud.Misconfigured || k == cloud.Unreachable:
		return store.PutResult{}, err // looking would fail the same way
	}
	stored, lookErr := s.compareExisting(ctx, key, sums)
	if lookErr == nil || errors.Is(lookErr, store.ErrExists) {
		return stored, lookErr
	}
	return store.PutResult{}, err
}

// compareExisting compares the object that is there with what was to be put: the same is success,
// another is ErrExists. The error is of Kind NotFound when there is none.
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

// insert makes one attempt to send an object. Whatever goes wrong on this side, the attempt
// has failed before the module hears of it: nothing is sent after that, so that no end can
// be taken for the object's.
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
	if ended := w.Close(); err == nil { // it waits for the end of all requests
		err = ended
	}
	var broken *cloud.BodyError
	switch {
	case errors.As(err, &broken):
		return broken
	case err != nil:
		return fmt.Errorf("inserting: %w", err)
	}
	s.seen.Store(true)
	return s.verify(ctx, key, w.Attrs(), sums)
}

// writer begins an object: to be sent in one request, which is not buffered, or beyond
// SingleMax in chunks, each of which is sent again when it fails.
func (s *adapter) writer(ctx context.Context, key string, sums store.Sums) *storage.Writer {
	o := s.bucket.Object(s.prefix + key).If(storage.Conditions{DoesNotExist: true})
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

// piece is what the module is given at a time: it passes on 32 KiB, or fills its buffer.
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

// again decides whether a request is sent again. The module asks after each one, also
// after success. An upload that the service has forgotten must be begun anew.
func (c *chunkRetry) again(err error) bool {
	if err == nil {
		c.failures = 0
		return false
	}
	c.failures++
	return isTransient(err, c.failures) && !isSessionGone(err) && c.budget.Spend() == nil
}

// isSessionGone reports whether the service knows nothing of an upload any more, which has
// to be begun anew.
func isSessionGone(err error) bool {
	var api *googleapi.Error
	return errors.As(err, &api) && api.Code == http.StatusGone
}

// verify compares what the service says it has made with the promise. The service itself
// does so before it makes anything; one that does not is not trusted with the object,
// which nobody has been told of yet.
func (s *adapter) verify(ctx context.Context, key string, made *storage.ObjectAttrs, sums store.Sums) error {
	crc := manifest.CRC32C(made.CRC32C)
	if made.Size == sums.Size && crc == sums.CRC32C {
		return nil
	}
	err := fmt.Errorf("the service made an object of %d bytes and CRC-32C %s of %d bytes and CRC-32C %s", made.Size, crc, sums.Size, sums.CRC32C)
	if made.Generation == 0 {
		return fmt.Errorf("%w; it could not be deleted: its generation is not known", err)
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cloud.AbortTimeout)
	defer cancel()
	gone := s.try(ctx, s.short(), func(ctx context.Context) error {
		return s.bucket.Object(s.prefix + key).Generation(made.Generation).Delete(ctx)
	})
	if gone != nil && dialect.Classify(gone) != cloud.NotFound {
		return fmt.Errorf("%w; it could not be deleted: %w", err, gone)
	}
	return fmt.Errorf("%w; it is deleted again", err)
}

// promisedReader reads content that must be what was promised: at its end there is an error
// instead of an io.EOF if it is not, so that the upload never ends well.
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
