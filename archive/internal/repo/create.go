package repo

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

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
