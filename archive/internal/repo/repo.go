package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/archive/internal/findings"
	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// A Repo is the state of an archive: what its records, manifests and pages say, and what this host remembers of them.
// Its methods may be called from several goroutines.
type Repo struct {
	*objects.Objects
	Findings *findings.Findings

	Codec     *manifest.PageCodec
	ReadsOnly bool                      // the operation changes nothing in the archive
	Sealed    *localstate.SealedRecords // encrypted objects, recorded before they are stored; nil without the cache

	memory
}

// New returns the archive in a store. It sends no request: the archive need not exist yet.
func New(s store.Store, o objects.Options) *Repo {
	all := objects.New(s, o)
	return &Repo{
		Objects: all, Findings: findings.New(all), Codec: manifest.NewPageCodec(),
		Sealed: localstate.NewSealedRecords(all.State, all.Log),
	}
}

// WithoutCache returns the same archive with an empty cache, so that everything is read again.
func (a *Repo) WithoutCache() *Repo {
	all := a.Objects.WithoutCache()
	return &Repo{Objects: all, Findings: findings.New(all), Codec: a.Codec}
}

// WithDecoder returns the same archive with another decoder, whose identities decrypt the content. It shares no cache
// with the original.
func (a *Repo) WithDecoder(d *encoding.Decoder) *Repo {
	b := a.WithoutCache()
	b.Decoder = d
	return b
}

// MakeDurable makes the objects durable that an operation relies on: the newest manifest and the newest ledger record.
// It takes their numbers, or zero if there is none. A killed run may have created them and not synced them. A power
// loss could then remove a snapshot that a backup reported as unchanged, or a record by which a prune has deleted
// objects. The objects that a manifest names, and earlier manifests, were durable before the manifest was created. The
// error is ErrGone if an object is gone by now. Operations that only read do not call it: a disk may still be readable
// when its fsync fails.
func (a *Repo) MakeDurable(ctx context.Context, newest, record int64) error {
	if newest > 0 {
		if err := a.SyncThere(ctx, manifest.ManifestKey(newest)); err != nil {
			return err
		}
	}
	if record > 0 {
		return a.SyncThere(ctx, manifest.LedgerKey(record))
	}
	return nil
}

// TryDurable is MakeDurable with a time limit, for operations that continue without it.
func (a *Repo) TryDurable(ctx context.Context, newest, record int64) error {
	ctx, cancel := context.WithTimeout(ctx, objects.SyncPatience)
	defer cancel()
	return a.MakeDurable(ctx, newest, record)
}

// Create creates a manifest or a record, for which several writers may aim at the same key. The error is ErrRaced if
// another object has the key. If a response was lost, and if the store reports that the object existed, it reads the
// object back and compares it: size and CRC-32C can be forged. doing begins the text of other errors.
func (a *Repo) Create(ctx context.Context, doing, key string, b []byte) error {
	stored, err := a.PutBytes(ctx, key, b)
	switch {
	case err == nil && !stored.Existed:
		return nil
	case errors.Is(err, store.ErrExists):
		return fmt.Errorf("%s: %w", key, ErrRaced)
	case errors.Is(err, store.ErrBlocked): // a read may follow a link that no listing shows
		return fmt.Errorf("%s %s: %w", doing, key, err)
	}
	there, readErr := a.Get(ctx, key, manifest.MaxManifestBytes, func([]byte) error { return nil })
	switch {
	case readErr == nil && bytes.Equal(there, b):
		return nil
	case readErr == nil, errors.Is(readErr, objects.ErrTooLarge):
		return fmt.Errorf("%s: %w", key, ErrRaced)
	case err == nil:
		err = readErr
	}
	return fmt.Errorf("%s %s: %w", doing, key, err)
}
