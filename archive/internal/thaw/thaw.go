package thaw

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// Files makes the objects of files readable. Without options it returns a FrozenError if any is frozen.
func Files(ctx context.Context, a *objects.Objects, files []manifest.File, o *values.ThawOptions) error {
	return Objects(ctx, a, ObjectReads(a.NewSlots(), files), o)
}

// Objects is Files for objects.
func Objects(ctx context.Context, a *objects.Objects, reads map[string]*values.ObjectRead, o *values.ThawOptions) error {
	if !IsPossible(a) {
		return nil
	}
	var states []*State
	examine := func(ctx context.Context) (err error) {
		if err = classify(ctx, a, reads, objects.SortedKeys(reads)); err == nil {
			states, err = ReadStates(ctx, a, reads)
		}
		return err
	}
	if o == nil {
		if err := examine(ctx); err != nil {
			return err
		}
	} else {
		if err := Patiently(ctx, a, "examining what must be thawed", examine); err != nil || len(states) == 0 {
			return err
		}
		return Run(ctx, a, states, o)
	}
	if plan := PlanThaw(a.Store, states); plan != nil {
		return &values.FrozenError{Plan: *plan}
	}
	return nil
}

// ReadThawing calls read, which reads a file. If that fails because an object must be thawed, it thaws the file's objects
// and calls read again, unless o is nil. thawErr is why a thaw failed. It is final, although it may wrap store.ErrFrozen
// as well: each further thaw would be paid for.
func ReadThawing(
	ctx context.Context, a *objects.Objects, f *manifest.File, o *values.ThawOptions, read func() error,
) (readErr, thawErr error) {
	readErr = read()
	for tries := 0; o != nil && errors.Is(readErr, store.ErrFrozen) && tries < ThawFailures; tries++ {
		if err := Files(ctx, a, []manifest.File{*f}, o); err != nil {
			return readErr, err
		}
		readErr = read()
	}
	return readErr, nil
}

// ExplainFrozen returns a FrozenError for a read of files that failed because an object must be thawed, and any other
// error unchanged.
func ExplainFrozen(ctx context.Context, a *objects.Objects, files []manifest.File, err error) error {
	if !errors.Is(err, store.ErrFrozen) || errors.As(err, new(*values.FrozenError)) {
		return err
	}
	if planned := Files(ctx, a, files, nil); errors.As(planned, new(*values.FrozenError)) {
		return planned
	}
	return err
}

// State is an object, and how far its thaw is.
type State struct {
	object  store.Object // as Stat returned it; Key alone before
	missing bool

	requests  int       // that the service accepted in this call
	requested time.Time // the last of them
}

// isDone reports whether the object can be read, or never will be.
func (s *State) isDone() bool { return s.missing || s.object.Frozen == "" }

// ReadStates requests how far the thaws are of those objects that may be frozen. objects were classified.
func ReadStates(ctx context.Context, a *objects.Objects, reads map[string]*values.ObjectRead) ([]*State, error) {
	thawer, ok := a.Store.(store.Thawer)
	if !ok {
		return nil, nil
	}
	var all []*State
	for _, key := range objects.SortedKeys(reads) {
		if o := reads[key]; !o.Missing && (o.Frozen || thawer.MayBeFrozen(o.Class)) {
			all = append(all, &State{object: store.Object{Key: key}})
		}
	}
	err := objects.EachAtOnce(ctx, a.Transfers, all, func(ctx context.Context, s *State) error { return readThaw(ctx, a, s) })
	if err != nil {
		return nil, err
	}
	if err := readDisputed(ctx, a, all); err != nil {
		return nil, err
	}
	for _, s := range all {
		o := reads[s.object.Key]
		o.Frozen, o.Thawing, o.Size, o.Missing = s.object.Frozen != "", s.object.Thawing, s.object.Size, s.missing
	}
	return all, nil
}

// readDisputed reads the first byte of one object of each class. Where the store returns it, the name of the class
// proves nothing: MinIO reports the name that its administrator gave a remote tier, which may be GLACIER. Then it reads
// one of each object of the class, and takes those for readable that it got.
func readDisputed(ctx context.Context, a *objects.Objects, states []*State) error {
	by := map[string][]*State{}
	for _, s := range states {
		if !s.isDone() && !s.object.Thawing {
			by[s.object.Frozen] = append(by[s.object.Frozen], s)
		}
	}
	for _, class := range objects.SortedKeys(by) {
		switch cold, err := a.IsCold(ctx, class, by[class][0].object.Key); {
		case err != nil:
			return err
		case cold:
			continue
		}
		err := objects.EachAtOnce(ctx, a.Transfers, by[class], func(ctx context.Context, s *State) error {
			frozen, err := a.RefusesFrozen(ctx, s.object.Key)
			if err == nil && !frozen {
				s.object.Frozen = ""
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return context.Cause(ctx)
}

// readThaw requests how far the thaw of an object is.
func readThaw(ctx context.Context, a *objects.Objects, s *State) error {
	o, err := a.Store.Stat(ctx, s.object.Key)
	switch {
	case errors.Is(err, fs.ErrNotExist): // what reads it reports that
		s.missing = true
		return nil
	case err != nil:
		return fmt.Errorf("reading the attributes of %s: %w", s.object.Key, err)
	}
	s.object = o
	return nil
}

// thawAhead is how long a thawed copy must last at the beginning of a restore. Else its end is put off, which costs a
// request: a copy that ends before it is read must be thawed again, which takes hours.
const thawAhead = 6 * time.Hour

// endsSoon reports whether the temporary copy of an object may end before it is read.
func (s *State) endsSoon(now time.Time) bool {
	until := s.object.ThawedUntil
	return s.object.Frozen == "" && !until.IsZero() && until.Before(now.Add(thawAhead))
}

// thawChecks is the number of objects whose state a restore requests before it begins.
const thawChecks = 16

// IsPossible reports whether the store can thaw objects.
func IsPossible(a *objects.Objects) bool {
	_, ok := a.Store.(store.Thawer)
	return ok
}

// IsAnyFrozen requests the state of a few objects, evenly spread, and reports whether one must be thawed, or was thawed
// for some days. What cannot be read is left to the restore, which reports the error.
//
// A class alone proves nothing (readDisputed has the reason). So a read must be refused, too.
func IsAnyFrozen(ctx context.Context, a *objects.Objects, reads map[string]*values.ObjectRead) bool {
	keys := objects.SortedKeys(reads)
	step := max(1, (len(keys)+thawChecks-1)/thawChecks)
	var states []*State
	for i := 0; i < len(keys); i += step {
		states = append(states, &State{object: store.Object{Key: keys[i]}})
	}
	read := func(ctx context.Context, s *State) error { return readThaw(ctx, a, s) }
	if err := objects.EachAtOnce(ctx, a.Transfers, states, read); err != nil && ctx.Err() == nil {
		a.Log.Debug("whether objects must be thawed is not known", "error", err)
	}
	if slices.ContainsFunc(states, func(s *State) bool { return !s.object.ThawedUntil.IsZero() }) {
		return true
	}
	for _, s := range states {
		if s.object.Frozen == "" {
			continue
		}
		cold, err := a.IsCold(ctx, s.object.Frozen, s.object.Key)
		if err != nil && ctx.Err() == nil {
			a.Log.Debug("whether objects must be thawed is not known", "error", err)
		}
		if cold {
			return true
		}
	}
	return false
}
