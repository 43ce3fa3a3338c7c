package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// DefaultThawDays is how many days a thawed copy can be read if ThawOptions.Days is 0. A slow tier may thaw the first
// objects two days before the last ones.
const DefaultThawDays = 3

// ThawOptions configures a thaw. The zero value is ready for use.
type ThawOptions struct {
	Tier store.ThawTier // empty: store.ThawStandard
	Days int            // how many days a thawed copy can be read; 0: DefaultThawDays
}

func (o *ThawOptions) request() store.ThawRequest {
	r := store.ThawRequest{Tier: o.Tier, Days: o.Days}
	if r.Tier == "" {
		r.Tier = store.ThawStandard
	}
	if r.Days <= 0 {
		r.Days = DefaultThawDays
	}
	return r
}

// ErrNoThaw means that the objects cannot be thawed in the way that was requested.
var ErrNoThaw = errors.New("the objects cannot be thawed like that")

// Thaw makes the objects readable that a restore of a snapshot reads, or that these files of it need; without names, of
// all. It requests what is frozen and not requested yet, and waits until all can be read, which may take days. After an
// interruption, the same call goes on. Errors: ErrNoFile, ErrNoThaw, store.ErrNoThawCapacity.
func (a *Archive) Thaw(ctx context.Context, m *manifest.Manifest, names []string, o ThawOptions) error {
	defer a.hold()()
	needed := allPages
	if len(names) > 0 {
		needed = pagesOf(names)
	}
	m, err := a.withPages(ctx, m, needed)
	if err != nil {
		return err
	}
	files := m.Files
	if len(names) > 0 {
		files = nil
	}
	for _, name := range names {
		f := entry(m.Files, name)
		if f == nil {
			return fmt.Errorf("%w: %q in snapshot %d", ErrNoFile, name, m.Sequence)
		}
		files = append(files, *f)
	}
	if err := a.thawFiles(ctx, files, &o); err != nil {
		return fmt.Errorf("thawing snapshot %d: %w", m.Sequence, err)
	}
	return nil
}

// thawFiles makes the objects of files readable. Without options it returns a FrozenError if any is frozen.
func (a *Archive) thawFiles(ctx context.Context, files []manifest.File, o *ThawOptions) error {
	return a.thawObjects(ctx, objectReads(a.newSlots(), files), o)
}

// thawObjects is thawFiles for objects.
func (a *Archive) thawObjects(ctx context.Context, objects map[string]*ObjectRead, o *ThawOptions) error {
	if !a.canThaw() {
		return nil
	}
	if err := a.classify(ctx, objects, sortedKeys(objects)); err != nil {
		return err
	}
	states, err := a.thawStates(ctx, objects)
	if err != nil {
		return err
	}
	if o != nil && len(states) > 0 {
		return a.thaw(ctx, states, o)
	}
	if plan := planThaw(a.store, states); plan != nil {
		return &FrozenError{Plan: *plan}
	}
	return nil
}

// explainFrozen returns a FrozenError for a read of files that failed because an object must be thawed, and any other
// error unchanged.
func (a *Archive) explainFrozen(ctx context.Context, files []manifest.File, err error) error {
	if !errors.Is(err, store.ErrFrozen) || errors.As(err, new(*FrozenError)) {
		return err
	}
	if planned := a.thawFiles(ctx, files, nil); errors.As(planned, new(*FrozenError)) {
		return planned
	}
	return err
}

// thawState is an object, and how far its thaw is.
type thawState struct {
	object  store.Object // as Stat returned it; Key alone before
	missing bool
}

// isDone reports whether the object can be read, or never will be.
func (s *thawState) isDone() bool { return s.missing || s.object.Frozen == "" }

// thawStates requests how far the thaws are of those objects that may be frozen. objects were classified.
func (a *Archive) thawStates(ctx context.Context, objects map[string]*ObjectRead) ([]*thawState, error) {
	thawer, ok := a.store.(store.Thawer)
	if !ok {
		return nil, nil
	}
	var all []*thawState
	for _, key := range sortedKeys(objects) {
		if o := objects[key]; !o.Missing && (o.Frozen || thawer.MayBeFrozen(o.Class)) {
			all = append(all, &thawState{object: store.Object{Key: key}})
		}
	}
	err := eachAtOnce(ctx, a.transfers, all, func(ctx context.Context, s *thawState) error { return a.readThaw(ctx, s) })
	if err != nil {
		return nil, err
	}
	for _, s := range all {
		o := objects[s.object.Key]
		o.Frozen, o.Thawing, o.Size, o.Missing = s.object.Frozen != "", s.object.Thawing, s.object.Size, s.missing
	}
	return all, nil
}

// readThaw requests how far the thaw of an object is.
func (a *Archive) readThaw(ctx context.Context, s *thawState) error {
	o, err := a.store.Stat(ctx, s.object.Key)
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
func (s *thawState) endsSoon(now time.Time) bool {
	until := s.object.ThawedUntil
	return s.object.Frozen == "" && !until.IsZero() && until.Before(now.Add(thawAhead))
}
