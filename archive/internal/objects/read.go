package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// FetchAttempts is the number of attempts to fetch an object whose transfer fails after it began. The store
// itself retries what fails before the first byte.
const FetchAttempts = 4

// ErrTooLarge means that an object is larger than any valid object under its key. Fetching it again would not help.
var ErrTooLarge = errors.New("it is too large")

// Get reads a whole object of at most limit bytes and calls check with it. If either fails, it fetches the
// object again. With an error, it returns the bytes of the last attempt, or nil if they were not read.
func (a *Objects) Get(ctx context.Context, key string, limit int64, check func([]byte) error) ([]byte, error) {
	var before []byte
	for attempt := 0; ; attempt++ {
		b, err := a.GetOnce(ctx, key, limit)
		isRead := err == nil
		if isRead {
			err = check(b)
		}
		if err == nil {
			return b, nil
		}
		if isRead && before != nil && bytes.Equal(b, before) { // the transfer is not what damages it
			return b, err
		}
		if before = nil; isRead {
			before = b
		}
		if attempt == FetchAttempts-1 || errors.Is(err, fs.ErrNotExist) || errors.Is(err, manifest.ErrVersion) || errors.Is(err, ErrTooLarge) || errors.As(err, new(*OpenError)) || ctx.Err() != nil {
			return b, err
		}
		if isRead && attempt == 0 {
			continue // most likely the object itself is damaged, and there may be hundreds of such
		}
		if err := Pause(ctx, attempt); err != nil {
			return nil, err
		}
	}
}

// OpenError is the error of a Get that failed before its first byte. The store has retried already; further
// attempts here would multiply its attempts and its timeouts.
type OpenError struct{ error }

func (e *OpenError) Unwrap() error { return e.error }

// open calls the store's Get and wraps its error in an OpenError.
func (a *Objects) open(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := a.Store.Get(ctx, key, offset, length)
	if err != nil {
		return nil, &OpenError{err}
	}
	return r, nil
}

func (a *Objects) GetOnce(ctx context.Context, key string, limit int64) ([]byte, error) {
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
		return nil, fmt.Errorf("reading %s: %w, more than %d bytes: %w", key, ErrTooLarge, limit, values.ErrDamaged)
	}
	return b, nil
}

// Hash returns the SHA-256 of an object's stored bytes. Of an object with more than limit bytes it is the hash of the
// first limit+1, which no object within the limit has: an attacker may put terabytes under any key.
func (a *Objects) Hash(ctx context.Context, key string, limit int64) (manifest.Hash, error) {
	r, err := a.Store.Get(ctx, key, 0, -1)
	if err != nil {
		return manifest.Hash{}, fmt.Errorf("reading %s: %w", key, err)
	}
	defer r.Close()
	h := digest.NewSHA256()
	if _, err := io.Copy(h, io.LimitReader(r, limit+1)); err != nil {
		return manifest.Hash{}, fmt.Errorf("reading %s: %w", key, err)
	}
	return h.Sums().SHA256, nil
}

// PutBytes creates an object from bytes in memory.
func (a *Objects) PutBytes(ctx context.Context, key string, b []byte) (store.PutResult, error) {
	s := manifest.StoredSumsOf(b)
	return a.Store.Put(ctx, key, bytes.NewReader(b), store.Sums{Size: s.Size, SHA256: s.SHA256, CRC32C: s.CRC32C})
}
