package archiver

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/guard"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// unsteadyAttempts is how often a backup starts over because a file changed or vanished while it was read.
const unsteadyAttempts = 5

// Options are the options of a backup, with those that only other operations set.
type Options struct {
	values.BackupOptions
	Lost map[string]bool // places of content that the base has lost, regardless of what verifies found; nil disables it
	Onto *int64          // the required newest snapshot, 0 for none; any other is ErrLostRace; nil accepts any

	whole bool // the attempt reads all pages of the base
}

// Backup is Backup with all options.
func Backup(ctx context.Context, a *repo.Repo, src values.Source, o Options) (*values.BackupResult, error) {
	defer a.Begin()()
	ctx = store.InOrder(ctx)
	start := time.Now()
	res := &values.BackupResult{}
	if err := cmp.Or(a.CheckSource(src), o.checkTexts()); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	if err := a.TakesBackups(); err != nil {
		return res, fmt.Errorf("backup: %w", err)
	}
	moved := objects.Retry{Is: unsteady, Attempts: unsteadyAttempts, GaveUp: func(captures int, err error) error {
		return fmt.Errorf("gave up after %d captures: %w: %w", captures, values.ErrUnsteady, err)
	}}
	err := a.StartOver(ctx, "backup", func() error {
		attempt := func() error {
			return (&backupRun{repo: a, from: src, o: &o, src: &guard.Source{Repo: a, Res: res}}).attempt(ctx)
		}
		err := attempt()
		if errors.Is(err, repo.ErrNeedsWhole) && !o.whole && ctx.Err() == nil {
			o.whole = true
			err = attempt()
		}
		if err != nil && ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return err
	}, objects.Raced(repo.ErrRaced), moved)
	res.Took = time.Since(start)
	if err != nil {
		err = fmt.Errorf("backup: %w", err)
	}
	return res, err
}

// unsteady reports whether an error means that the source changed while it was read, so that another capture may
// succeed.
func unsteady(err error) bool {
	return errors.Is(err, source.ErrChanged) || errors.Is(err, source.ErrVanished) ||
		errors.Is(err, source.ErrDiskPressure) || errors.Is(err, store.ErrMismatch)
}

// checkTexts returns an error for a text that the manifest cannot have, before the whole source is sent in vain.
func (o *Options) checkTexts() error {
	for _, f := range []struct{ name, value string }{{"node", o.Node}, {"tool", o.Tool}} {
		if f.value == "" && o.DryRun {
			continue // it writes no manifest
		}
		if err := manifest.CheckText(f.value); err != nil {
			return fmt.Errorf("the name %.80q of the %s: %w", f.value, f.name, err)
		}
	}
	return nil
}
