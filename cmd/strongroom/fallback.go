package main

import (
	"context"
	"errors"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store"
)

// otherDestinations are the other archives of the configuration that have the same database: what
// stands under destinations together.
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

// withFallback does something with an archive and, if that cannot be read, with the next one of the
// same database. Numbers of snapshots mean something in one archive only, so that it takes
// the newest one, or one of a time.
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
		a.log.Warn("another destination has the database, too, with snapshots and numbers of its own", "archives", others)
		return err
	}
	suffix := arg[len(where):]
	for _, other := range others {
		a.log.Warn("it is tried with the other destination", "archive", where, "other", other, "error", err)
		next := do(other + suffix)
		if next == nil {
			return nil
		}
		err = errors.Join(err, next)
	}
	return err
}

// canFallBack reports whether what went wrong may go well with another archive.
func canFallBack(err error) bool {
	for _, target := range []error{archive.ErrDamaged, archive.ErrNoArchive, archive.ErrNoSnapshot, store.ErrGone} {
		if errors.Is(err, target) {
			return true
		}
	}
	return errors.As(err, new(*providers.Error))
}
