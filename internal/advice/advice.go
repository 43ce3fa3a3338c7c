// Package advice names the commands and flags that help with an error of the archive. The library names the
// condition alone; the command line and the service add the remedy.
package advice

import (
	"errors"
	"fmt"
	"strings"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/store"
)

const identityRemedy = "name its file with --identity or " + encoding.IdentityVariable

// For returns the remedy for an error; empty if its text has one or there is none.
func For(err error) string {
	text := err.Error()
	unreadable, _ := errors.AsType[*archive.UnreadableError](err)
	switch {
	case unreadable != nil && unreadable.Older > 0:
		return fmt.Sprintf("--snapshot %d selects that one, and strongroom verify --read-data lists all problems", unreadable.Older)
	case errors.Is(err, archive.ErrNoIdentity):
		return identityRemedy
	case errors.As(err, new(*archive.FrozenError)):
		return "strongroom restore, cat, drill and verify --read-data request the thaw with --thaw=TIER, wait until it is " +
			"done, and go on; strongroom restore --dry-run has the prices"
	case errors.Is(err, archive.ErrDamaged) && strings.Contains(text, "forget snapshot"):
		return "strongroom verify --repair repairs, and strongroom prune --forget with its number forgets a snapshot"
	case errors.Is(err, archive.ErrDamaged) && strings.Contains(text, "a repair writes a new one"):
		return "run strongroom verify --repair"
	case errors.Is(err, store.ErrUnordered):
		return "backup, copy, hold and prune need a service that does; " +
			"strongroom list, verify and restore read this archive all the same"
	case errors.Is(err, store.ErrWeakStore):
		return "strongroom check reports what the store does"
	}
	return ""
}

// Text returns the text of an error with its remedy.
func Text(err error) string {
	if remedy := For(err); remedy != "" {
		return err.Error() + "; " + remedy
	}
	return err.Error()
}

// Add returns an error whose text has the remedy too; nil for nil.
func Add(err error) error {
	if err == nil || For(err) == "" {
		return err
	}
	return &advised{err}
}

type advised struct{ error }

func (a *advised) Error() string { return Text(a.error) }
func (a *advised) Unwrap() error { return a.error }

// Findings replaces the neutral words of the library's advice by the commands that a user types.
func Findings(text string) string { return commands.Replace(text) }

var commands = strings.NewReplacer(
	encoding.ErrNoIdentity.Error(), encoding.ErrNoIdentity.Error()+" ("+identityRemedy+")",
	"verify the archive for a full report", "strongroom verify --read-data gives a full report",
	"a repair writes", "strongroom verify --repair writes",
	"copy one of them to an address apart", "copy one of them to an address apart (strongroom copy)",
	"if there is a copy of the archive, copy its snapshots back",
	"if there is a copy of the archive, strongroom copy brings its snapshots back",
)
