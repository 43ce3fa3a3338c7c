package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/internal/advice"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/web"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// The exit codes; docs/cli.md documents them.
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

// usageError is a mistake on the command line or in a setting. Its exit code is exitUsage.
type usageError struct{ error }

func (u usageError) Unwrap() error { return u.error }

func usage(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// conflicts are the errors with exit code exitConflict.
var conflicts = []error{
	archive.ErrEmptySource,
	archive.ErrRolledBack,
	archive.ErrForeign,
	archive.ErrMissingFiles,
	archive.ErrForked,
	archive.ErrNoCopy,
	archive.ErrNested,
	archive.ErrInUse,
	archive.ErrLostRace,
	archive.ErrPruneLimit,
	source.ErrMissing,
	source.ErrEmpty,
	web.ErrNotPending,
}

// exitCode returns the exit code for an error. The errors of several archives may have different
// codes; then the first of these applies: damaged data (3), a refused source (5), something that
// does not exist (4), a usage error (2), any other failure (1).
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
	case errors.As(err, &wrong) || errors.As(err, &badConfig) ||
		is(archive.ErrFreezes, archive.ErrNoThaw, archive.ErrOverlap, archive.ErrBadTarget):
		return exitUsage
	}
	return exitFailed
}

// about adds the archive to an error. A provider's error names the URL already, and so does one of the URL itself.
func about(name, what string, err error) error {
	if isURL(name) && (errors.As(err, new(*providers.Error)) || strings.HasPrefix(err.Error(), "archive URL ")) {
		return err
	}
	return fmt.Errorf("%s: %w", what, err)
}

// message returns the text of an error with a hint about what the user can do. Each of joined errors, such as those of
// several archives, has its own hint.
func message(err error) string {
	joined := joinedErrors(err)
	if len(joined) == 0 {
		return messageOf(err)
	}
	var all []string
	for _, one := range joined {
		all = append(all, message(one))
	}
	return strings.Join(all, "\n")
}

// joinedErrors returns what errors.Join has joined; nil if an error is not its result. An error whose text is its own, and
// not that of the errors it wraps, stays whole.
func joinedErrors(err error) []error {
	j, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return nil
	}
	var texts []string
	for _, one := range j.Unwrap() {
		texts = append(texts, one.Error())
	}
	if strings.Join(texts, "\n") != err.Error() {
		return nil
	}
	return j.Unwrap()
}

// messageOf returns the text of one error with a hint.
func messageOf(err error) string {
	m := err.Error()
	switch {
	case isListed(err):
	case errors.Is(err, archive.ErrHoldsArchives):
		m += "; strongroom list with this address names them"
	case errors.Is(err, archive.ErrNoArchive) && errors.Is(err, archive.ErrDamaged):
		m += "; if there is a copy of the archive, strongroom copy brings it back to an empty address"
	case errors.Is(err, archive.ErrWithin):
		m += "; use the address of that archive"
	case errors.Is(err, archive.ErrNoArchive):
		m += "; check the address, or make the first snapshot with strongroom backup"
	case errors.Is(err, source.ErrEmpty):
		m += "; is the file system mounted, and is this the right directory?"
	case errors.Is(err, archive.ErrDrillFailed):
		m += "; strongroom verify --read-data checks the archive, and strongroom drill runs it again"
	case errors.Is(err, archive.ErrLostID):
		m += "; strongroom verify reports what else is missing, and with --repair it restores this object"
	case errors.Is(err, archive.ErrNoSnapshot):
		m += "; strongroom list shows the snapshots"
	case errors.Is(err, archive.ErrNoFile):
		m += "; strongroom show lists the files"
	case advice.For(err) != "":
		m = advice.Text(err)
	case errors.Is(err, archive.ErrPruneLimit):
		m += "; check the plan with --dry-run; if it is right, prune without --limit"
	case errors.Is(err, archive.ErrInUse):
		m += "; stop the database and every program that reads its files, and run the same command again"
	case errors.Is(err, archive.ErrNoSpace):
		m += "; free some space, and run the same command again"
	case errors.Is(err, archive.ErrUnsteady):
		m += "; is the file really closed? Another layout, or a longer quiet time, may help"
	case errors.Is(err, archive.ErrDamaged) && !errors.As(err, new(problems)):
		m += "; strongroom verify --read-data lists all problems"
	case errors.Is(err, fs.ErrPermission) && !errors.As(err, new(*providers.Error)): // that has its own hint
		m += "; the user that runs strongroom needs access to it"
	}
	return m
}
