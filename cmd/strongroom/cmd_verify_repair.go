package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// repairFlags are the flags of verify that control a repair.
type repairFlags struct {
	repair, noProof bool
	from            []string
	source          string
}

func (r *repairFlags) check(args []string) error {
	if !r.repair {
		if len(r.from) > 0 || r.source != "" {
			return usage("--from and --source need --repair")
		}
		return nil
	}
	for _, arg := range args {
		if err := noSnapshot("verify --repair", arg); err != nil {
			return err
		}
	}
	if len(args) > 1 && (len(r.from) > 0 || r.source != "") {
		return usage("--from and --source apply to one archive; name one")
	}
	return nil
}

// nowhere reports whether a repair has neither a copy nor a source.
func (r *repairFlags) nowhere(where string) bool {
	return r.repair && isURL(where) && len(r.from) == 0 && r.source == ""
}

// repairFrom opens the copies and the source of a repair; done closes them.
func (a *app) repairFrom(ctx context.Context, where string, r *repairFlags) (_ *archive.RepairFrom, done func(), err error) {
	from := &archive.RepairFrom{}
	var open []*openArchive
	done = func() {
		for _, o := range open {
			var ignored error
			o.close(&ignored)
		}
	}
	for _, place := range r.from {
		o, err := a.open(ctx, place)
		if err != nil {
			done()
			return nil, nil, err
		}
		open = append(open, o)
		// Otherwise no message would report why this copy restores nothing.
		if _, err := o.List(ctx, 1); errors.Is(err, archive.ErrNoArchive) || errors.Is(err, store.ErrGone) {
			done()
			return nil, nil, fmt.Errorf("--from %s: %w", o.name, err)
		}
		from.Copies = append(from.Copies, o.Archive)
	}
	others, err := a.otherDestinations(where)
	if err != nil {
		done()
		return nil, nil, err
	}
	for _, place := range others {
		o, err := a.open(ctx, place)
		if err != nil {
			done()
			return nil, nil, err
		}
		open = append(open, o)
		from.Others = append(from.Others, o.Archive)
	}
	src, err := a.repairSource(where, r)
	if err != nil && (r.source != "" || len(open) == 0) {
		done()
		return nil, nil, err
	}
	if src != nil {
		from.Source = src
	}
	return from, done, nil
}

// repairSource returns the archive's source; nil if it has none.
func (a *app) repairSource(where string, r *repairFlags) (*source.Directory, error) {
	if isURL(where) {
		if r.source == "" {
			return nil, nil // the ledger can be rebuilt without a source
		}
		j, err := adHoc(&backupFlags{dir: r.source}, where)
		if err != nil {
			return nil, err
		}
		return j.openSource()
	}
	c, err := a.config()
	if err != nil {
		return nil, err
	}
	one, err := namedArchive(c, where)
	if err != nil {
		return nil, err
	}
	j := configured(c, one, archive.BackupOptions{})
	return j.openSource()
}
