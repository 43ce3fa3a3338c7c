package archive

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// fetchAttempts is how often an object is fetched that does not arrive whole. What
// can be retried before the first byte is the store's business.
const fetchAttempts = 4

// pause waits before attempt n, up to 0.2 s doubling, with full jitter.
func pause(ctx context.Context, n int) error {
	return sleep(ctx, rand.N(200*time.Millisecond<<n))
}

// sleep waits, unless the context ends before that.
func sleep(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// errTooLarge: an object is larger than anything that belongs under its key. Fetching it
// again would not help.
var errTooLarge = errors.New("it is too large")

// get reads a whole object of at most limit bytes and has check look at it, and
// fetches it again when either fails.
func (a *Archive) get(ctx context.Context, key string, limit int64, check func([]byte) error) ([]byte, error) {
	for attempt := 0; ; attempt++ {
		b, err := a.getOnce(ctx, key, limit)
		if err == nil {
			err = check(b)
		}
		if err == nil {
			return b, nil
		}
		if attempt == fetchAttempts-1 || errors.Is(err, fs.ErrNotExist) || errors.Is(err, manifest.ErrVersion) || errors.Is(err, errTooLarge) || errors.As(err, new(*openError)) || ctx.Err() != nil {
			return b, err
		}
		if err := pause(ctx, attempt); err != nil {
			return nil, err
		}
	}
}

// openError is a Get that failed before its first byte. The store has tried all that was
// worth trying: doing so again here would multiply its attempts, and its patience.
type openError struct{ error }

func (e *openError) Unwrap() error { return e.error }

// open is the store's Get.
func (a *Archive) open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := a.store.Get(ctx, key, offset, length)
	if err != nil {
		return nil, &openError{err}
	}
	return r, nil
}

func (a *Archive) getOnce(ctx context.Context, key string, limit int64) ([]byte, error) {
	r, err := a.open(ctx, key, 0, -1)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	defer r.Close()
	b, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	if int64(len(b)) > limit {
		return nil, fmt.Errorf("reading %s: %w, more than %d bytes: %w", key, errTooLarge, limit, ErrDamaged)
	}
	return b, nil
}

// hash gives the SHA-256 of an object of any size, as stored.
func (a *Archive) hash(ctx context.Context, key string) (manifest.Hash, error) {
	r, err := a.store.Get(ctx, key, 0, -1)
	if err != nil {
		return manifest.Hash{}, fmt.Errorf("reading %s: %w", key, err)
	}
	defer r.Close()
	h := sha256.New()
	if _, err := io.Copy(h, r); err != nil {
		return manifest.Hash{}, fmt.Errorf("reading %s: %w", key, err)
	}
	return manifest.Hash(h.Sum(nil)), nil
}

// putBytes makes an object from bytes in memory.
func (a *Archive) putBytes(ctx context.Context, key string, b []byte) (store.PutResult, error) {
	s := manifest.StoredSumsOf(b)
	return a.store.Put(ctx, key, bytes.NewReader(b), store.Sums{Size: s.Size, SHA256: s.SHA256, CRC32C: s.CRC32C})
}
