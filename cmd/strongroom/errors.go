package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/web"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// The exit codes of cli.md.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitDamaged     = 3
	exitNotFound    = 4
	exitConflict    = 5
	exitInterrupted = 130
)

var errInterrupted = errors.New("interrupted")

// usageError is a mistake on the command line.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// conflicts are the errors of exitConflict.
var conflicts = []error{
	archive.ErrEmptySource,
	archive.ErrRolledBack,
	archive.ErrForeign,
	archive.ErrMissingFiles,
	archive.ErrNoCopy,
	archive.ErrNested,
	archive.ErrInUse,
	archive.ErrLostRace,
	archive.ErrPruneLimit,
	source.ErrMissing,
	source.ErrEmpty,
	web.ErrNotPending,
}

// exitCode sorts an error into what a script can act on. Of several archives each may
// have failed in its own way: then what is wrong with stored data (3) goes before a source
// that was refused (5), what is not there (4), a mistake in the call (2) and the rest (1).
func exitCode(ctx context.Context, err error) int {
	var wrong usageError
	var badConfig *config.Error
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return exitDone
	case is(errInterrupted) || (ctx.Err() != nil && is(context.Canceled)):
		return exitInterrupted
	case is(archive.ErrDamaged, store.ErrGone, archive.ErrDrillFailed, errDamaged, errLogLeftOut):
		return exitDamaged
	case is(conflicts...):
		return exitConflict
	case is(archive.ErrNoArchive, archive.ErrNoSnapshot, archive.ErrNoFile, errLogMissing, errNotArchived):
		return exitNotFound
	case errors.As(err, &wrong) || errors.As(err, &badConfig):
		return exitUsage
	}
	return exitFailed
}

// about says with which archive something went wrong, unless the error does that: those of
// a provider tell the URL.
func about(name, what string, err error) error {
	if isURL(name) && errors.As(err, new(*providers.Error)) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// message adds what the user can do where the error itself does not say it.
func message(err error) string {
	m := err.Error()
	switch {
	case errors.Is(err, archive.ErrNoArchive):
		m += "; check the address, or make the first snapshot with strongroom backup"
	case errors.Is(err, source.ErrEmpty):
		m += "; is the file system mounted, and the directory the right one?"
	case errors.Is(err, archive.ErrLostID):
		m += "; strongroom verify tells what else is missing, and with --repair it writes this one again"
	case errors.Is(err, archive.ErrNoSnapshot):
		m += "; strongroom list shows which there are"
	case errors.Is(err, archive.ErrNoFile):
		m += "; strongroom show lists the files"
	case errors.Is(err, archive.ErrNoIdentity):
		m += "; name its file with --identity or " + encoding.IdentityVariable
	case errors.Is(err, archive.ErrDamaged) && strings.Contains(m, "forget snapshot"):
		m += "; strongroom verify --repair repairs, and strongroom prune --forget N forgets a snapshot"
	case errors.Is(err, archive.ErrDamaged) && strings.Contains(m, "a repair writes"):
		m += "; run strongroom verify --repair"
	case errors.Is(err, archive.ErrPruneLimit):
		m += "; look at it with --dry-run, and if it is right, prune without --limit"
	case errors.Is(err, archive.ErrInUse):
		m += "; stop the database and all that reads its files, and run the same command again"
	case errors.Is(err, archive.ErrNoSpace):
		m += "; make room, and run the same command again"
	case errors.Is(err, store.ErrWeakStore):
		m += "; strongroom check reports what the store does"
	case errors.Is(err, archive.ErrUnsteady):
		m += "; is the file really closed? A layout that fits, or a longer quiet time, may help"
	case errors.Is(err, archive.ErrDamaged) && !errors.As(err, new(problems)) && !strings.Contains(m, "strongroom verify --repair"):
		m += "; strongroom verify --read-data tells all that is wrong"
	case errors.Is(err, fs.ErrPermission) && !errors.As(err, new(*providers.Error)): // which says what it takes
		m += "; the user that runs strongroom needs access to it"
	}
	return m
}
