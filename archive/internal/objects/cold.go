package objects

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/strongroom-dev/strongroom/store"
)

// IsCold reports whether objects of a class must be thawed, which one of them shows. A read that fails for another
// reason shows nothing, and IsCold returns its error.
func (a *Objects) IsCold(ctx context.Context, class, key string) (bool, error) {
	a.mu.Lock()
	is := a.cold[class]
	a.mu.Unlock()
	if is {
		return true, nil
	}
	frozen, err := a.RefusesFrozen(ctx, key)
	if frozen {
		a.mu.Lock()
		defer a.mu.Unlock()
		if a.cold == nil {
			a.cold = map[string]bool{}
		}
		a.cold[class] = true
	}
	return frozen, err
}

// RefusesFrozen reports whether the store refuses the first byte of an object because it must be thawed. An object that
// was deleted since is not refused: what reads it reports that.
func (a *Objects) RefusesFrozen(ctx context.Context, key string) (bool, error) {
	err := a.readByte(ctx, key)
	switch {
	case errors.Is(err, store.ErrFrozen):
		return true, nil
	case err == nil || errors.Is(err, fs.ErrNotExist):
		return false, nil
	}
	return false, fmt.Errorf("reading the first byte of %s, to find out whether it must be thawed: %w", key, err)
}

// readByte reads the first byte of an object, if it has one.
func (a *Objects) readByte(ctx context.Context, key string) error {
	r, err := a.Store.Get(ctx, key, 0, 1)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
}
