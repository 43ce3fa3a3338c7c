package archive

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// MaxThawDays is the greatest ThawOptions.Days. A copy that is needed for longer belongs into another class.
const MaxThawDays = 365

// ThawOptions configures a thaw. The zero value is ready for use.
type ThawOptions struct {
	Tier store.ThawTier // empty: store.ThawStandard
	// Days is how many days a temporary copy can be read, at most MaxThawDays. 0 is the default of TierTime.Days. Where
	// objects move for good, it has no meaning.
	Days int
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
func (a *Archive) thawObjects(ctx context.Context, reads map[string]*ObjectRead, o *ThawOptions) error {
	if !a.canThaw() {
		return nil
	}
	var states []*thawState
	examine := func(ctx context.Context) (err error) {
		if err = a.classify(ctx, reads, sortedKeys(reads)); err == nil {
			states, err = a.thawStates(ctx, reads)
		}
		return err
	}
	if o == nil {
		if err := examine(ctx); err != nil {
			return err
		}
	} else {
		if err := a.patiently(ctx, "examining what must be thawed", examine); err != nil || len(states) == 0 {
			return err
		}
		return a.thaw(ctx, states, o)
	}
	if plan := planThaw(a.store, states); plan != nil {
		return &FrozenError{Plan: *plan}
	}
	return nil
}

// readThawing calls read, which reads a file. If that fails because an object must be thawed, it thaws the file's objects
// and calls read again, unless o is nil. thawErr is why a thaw failed. It is final, although it may wrap store.ErrFrozen
// as well: each further thaw would be paid for.
func (a *Archive) readThawing(
	ctx context.Context, f *manifest.File, o *ThawOptions, read func() error,
) (readErr, thawErr error) {
	readErr = read()
	for tries := 0; o != nil && errors.Is(readErr, store.ErrFrozen) && tries < thawFailures; tries++ {
		if err := a.thawFiles(ctx, []manifest.File{*f}, o); err != nil {
			return readErr, err
		}
		readErr = read()
	}
	return readErr, nil
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

	requests  int       // that the service accepted in this call
	requested time.Time // the last of them
}

// isDone reports whether the object can be read, or never will be.
func (s *thawState) isDone() bool { return s.missing || s.object.Frozen == "" }

// thawStates requests how far the thaws are of those objects that may be frozen. objects were classified.
func (a *Archive) thawStates(ctx context.Context, reads map[string]*ObjectRead) ([]*thawState, error) {
	thawer, ok := a.store.(store.Thawer)
	if !ok {
		return nil, nil
	}
	var all []*thawState
	for _, key := range sortedKeys(reads) {
		if o := reads[key]; !o.Missing && (o.Frozen || thawer.MayBeFrozen(o.Class)) {
			all = append(all, &thawState{object: store.Object{Key: key}})
		}
	}
	err := eachAtOnce(ctx, a.transfers, all, func(ctx context.Context, s *thawState) error { return a.readThaw(ctx, s) })
	if err != nil {
		return nil, err
	}
	if err := a.readDisputed(ctx, all); err != nil {
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
func (a *Archive) readDisputed(ctx context.Context, states []*thawState) error {
	by := map[string][]*thawState{}
	for _, s := range states {
		if !s.isDone() && !s.object.Thawing {
			by[s.object.Frozen] = append(by[s.object.Frozen], s)
		}
	}
	for _, class := range sortedKeys(by) {
		switch cold, err := a.isCold(ctx, class, by[class][0].object.Key); {
		case err != nil:
			return err
		case cold:
			continue
		}
		err := eachAtOnce(ctx, a.transfers, by[class], func(ctx context.Context, s *thawState) error {
			frozen, err := a.refusesFrozen(ctx, s.object.Key)
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

// isCold reports whether objects of a class must be thawed, which one of them shows. A read that fails for another
// reason shows nothing, and isCold returns its error.
func (a *Archive) isCold(ctx context.Context, class, key string) (bool, error) {
	a.mu.Lock()
	is := a.cold[class]
	a.mu.Unlock()
	if is {
		return true, nil
	}
	frozen, err := a.refusesFrozen(ctx, key)
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

// refusesFrozen reports whether the store refuses the first byte of an object because it must be thawed. An object that
// was deleted since is not refused: what reads it reports that.
func (a *Archive) refusesFrozen(ctx context.Context, key string) (bool, error) {
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
func (a *Archive) readByte(ctx context.Context, key string) error {
	r, err := a.store.Get(ctx, key, 0, 1)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = io.Copy(io.Discard, r)
	return err
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
