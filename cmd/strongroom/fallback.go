package main

import (
	"context"
	"errors"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store"
)

// otherDestinations returns the names of the archives that are listed under the same destinations
// in the configuration.
func (a *app) otherDestinations(where string) ([]string, error) {
	if isURL(where) {
		return nil, nil
	}
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	one, err := namedArchive(c, where)
	if err != nil || one.Group == "" {
		return nil, err
	}
	var others []string
	for i := range c.Archives {
		if s := &c.Archives[i]; s.Group == one.Group && s.Name != one.Name {
			others = append(others, s.Name)
		}
	}
	return others, nil
}

// withFallback calls do with an archive and, if that cannot be read, with the database's other
// archives in turn. Snapshot numbers differ between archives, so it does not fall back if the
// argument has one.
func (a *app) withFallback(ctx context.Context, arg, flag string, do func(arg string) error) error {
	err := do(arg)
	if err == nil || ctx.Err() != nil || !canFallBack(err) {
		return err
	}
	where, which, bad := selector(arg, flag)
	if bad != nil {
		return err
	}
	others, bad := a.otherDestinations(where)
	if bad != nil || len(others) == 0 {
		return err
	}
	if which.Sequence > 0 {
		a.log.Warn("another destination has the same database, with its own snapshots and numbers", "archives", others)
		return err
	}
	suffix := arg[len(where):]
	for _, other := range others {
		a.log.Warn("trying another destination", "archive", where, "other", other, "error", err)
		next := do(other + suffix)
		if next == nil {
			return nil
		}
		err = errors.Join(err, next)
	}
	return err
}

// canFallBack reports whether another archive may not have the error.
func canFallBack(err error) bool {
	for _, target := range []error{archive.ErrDamaged, archive.ErrNoArchive, archive.ErrNoSnapshot, store.ErrGone, store.ErrFrozen} {
		if errors.Is(err, target) {
			return true
		}
	}
	return errors.As(err, new(*providers.Error))
}
