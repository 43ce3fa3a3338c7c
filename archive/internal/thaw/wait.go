package thaw

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/store"
)

const (
	// Between two rounds of requests for the state of the objects, a thaw waits twice as long as before.
	thawFirstWait   = time.Second
	thawLongestWait = 15 * time.Minute
	thawExpedited   = time.Minute // the longest wait with the tier that takes minutes

	// thawSample is the number of objects that are found frozen in a round. Then the round ends, since there is still
	// to wait: a hundred thousand requests, again and again, would cost more than they show.
	thawSample = 1000
	// ThawFailures is how many rounds in a row may fail, or be refused for lack of capacity.
	ThawFailures = 10
	// thawReport is how often a thaw logs how far it is if nothing else changes.
	thawReport = time.Hour

	// thawAccepted is how many accepted requests for an object may show no thaw under way, and thawUnseen how long a
	// service has to show one. Each request may cost.
	thawAccepted = 3
	thawUnseen   = 5 * time.Minute
	// A thaw may take twice as long as the service documents, and thawMargin more. Of a tier whose time is unknown it
	// may take thawUnknown.
	thawMargin  = 24 * time.Hour
	thawUnknown = 5 * 24 * time.Hour
)

// thawRun makes frozen objects readable.
type thawRun struct {
	objects *objects.Objects
	thawer  store.Thawer
	request store.ThawRequest
	pending []*State      // that cannot be read yet, those whose request was refused first
	most    time.Duration // how long the thaw may take after the last accepted request

	requested atomic.Int64 // in this call
	refused   atomic.Int64 // in this round, for lack of capacity
	failures  int          // rounds in a row
	logged    time.Time
}

// Run requests what is frozen and not requested yet, and waits until all of it can be read. The service remembers the
// requests, so another call goes on from there.
func Run(ctx context.Context, a *objects.Objects, states []*State, o *values.ThawOptions) error {
	began := time.Now()
	t := &thawRun{objects: a, request: store.ThawRequest{Tier: cmp.Or(o.Tier, store.ThawStandard), Days: o.Days}}
	var ok bool
	if t.thawer, ok = a.Store.(store.Thawer); !ok {
		return fmt.Errorf("the store thaws nothing: %w", values.ErrNoThaw)
	}
	if err := t.checkTier(states); err != nil {
		return err
	}
	if err := t.chooseDays(states); err != nil {
		return err
	}
	t.most = t.mostTime(states)
	if err := t.judge(ctx, t.begin(ctx, states), 0); err != nil {
		return err
	}
	for round := 0; len(t.pending) > 0; round++ {
		t.report(len(states))
		if err := objects.Sleep(ctx, t.wait(round)); err != nil {
			return err
		}
		if err := t.goOn(ctx); err != nil {
			return err
		}
		if err := t.checkOverdue(ctx, began); err != nil {
			return err
		}
	}
	if t.requested.Load() > 0 || !t.logged.IsZero() {
		a.Log.Info("all objects are thawed", "objects", len(states))
	}
	return nil
}

// begin requests all objects that are frozen and not requested yet, and puts off the end of copies that end soon.
func (t *thawRun) begin(ctx context.Context, states []*State) error {
	now := time.Now()
	err := objects.EachAtOnce(ctx, t.objects.Transfers, states, func(ctx context.Context, s *State) error {
		if s.endsSoon(now) {
			if err := t.thawer.Thaw(ctx, s.object, t.request); err != nil && ctx.Err() == nil {
				t.objects.Log.Warn("a thawed object ends soon, and could not be kept longer", "object", s.object.Key,
					"until", s.object.ThawedUntil, "error", err)
			}
			return nil
		}
		return t.requestThaw(ctx, s)
	})
	t.setPending(states, nil)
	return err
}

// requestThaw requests an object, unless it can be read or a thaw is under way.
func (t *thawRun) requestThaw(ctx context.Context, s *State) error {
	if s.isDone() || s.object.Thawing {
		return nil
	}
	if s.requests > 0 {
		if time.Since(s.requested) < thawUnseen {
			return nil
		}
		frozen, err := t.objects.RefusesFrozen(ctx, s.object.Key)
		if err != nil {
			return err
		}
		if !frozen { // whatever its attributes are
			s.object.Frozen = ""
			return nil
		}
	}
	if s.requests == thawAccepted {
		return fmt.Errorf("the service accepted %d requests to thaw %s, and does not report that a thaw is under way; "+
			"find out there why: %w", s.requests, s.object.Key, store.ErrFrozen)
	}
	err := t.thawer.Thaw(ctx, s.object, t.request)
	switch {
	case err == nil:
		s.requests++
		s.object.Thawing, s.requested = true, time.Now()
		t.requested.Add(1)
		return nil
	case errors.Is(err, store.ErrNoThawCapacity):
		t.refused.Add(1)
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	}
	// A rule of the bucket, or another program, may have made it readable since it was examined.
	if again := readThaw(ctx, t.objects, s); again != nil || !s.isDone() && !s.object.Thawing {
		return fmt.Errorf("thawing: %w", err)
	}
	return nil
}

// goOn reads how far the pending objects are, and requests those whose request was refused or lost. A failure that
// may pass does not end hours of waiting.
func (t *thawRun) goOn(ctx context.Context) error {
	t.refused.Store(0)
	before := t.requested.Load()
	var stillFrozen atomic.Int64
	var unseen []*State
	var seen []*State
	var err error
	for batch := range slices.Chunk(t.pending, thawSample) {
		if err != nil || stillFrozen.Load() >= thawSample {
			unseen = append(unseen, batch...)
			continue
		}
		seen = append(seen, batch...)
		err = objects.EachAtOnce(ctx, t.objects.Transfers, batch, func(ctx context.Context, s *State) error {
			if err := readThaw(ctx, t.objects, s); err != nil {
				return err
			}
			if !s.isDone() {
				stillFrozen.Add(1)
			}
			return t.requestThaw(ctx, s)
		})
	}
	t.setPending(seen, unseen)
	return t.judge(ctx, err, before)
}

// judge returns the error of a round that ends the thaw. before is how many requests the service had accepted until
// then.
func (t *thawRun) judge(ctx context.Context, err error, before int64) error {
	isRefused := t.refused.Load() > 0 && t.requested.Load() == before
	switch {
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case err == nil && !isRefused:
		t.failures = 0
		return nil
	case err != nil && !errors.Is(err, store.ErrTransient):
		return err
	case err == nil:
		err = fmt.Errorf("%d requests with the tier %s: %w", t.refused.Load(), t.request.Tier, store.ErrNoThawCapacity)
	}
	if t.failures++; t.failures == ThawFailures {
		return fmt.Errorf("after %d attempts: %w", ThawFailures, err)
	}
	t.objects.Log.Warn("how far the thaw is could not be read, or it was refused; it is tried again", "error", err)
	return nil
}

// setPending keeps what cannot be read yet: first what is not requested, then the rest in order.
func (t *thawRun) setPending(seen, unseen []*State) {
	left := slices.DeleteFunc(slices.Clone(seen), (*State).isDone)
	slices.SortStableFunc(left, func(a, b *State) int {
		switch {
		case a.object.Thawing == b.object.Thawing:
			return 0
		case b.object.Thawing:
			return -1
		}
		return 1
	})
	t.pending = append(left, unseen...)
}

// wait returns how long to wait after a round.
func (t *thawRun) wait(round int) time.Duration {
	longest := thawLongestWait
	if t.request.Tier == store.ThawExpedited {
		longest = thawExpedited
	}
	return min(thawFirstWait<<min(round, 20), longest)
}

// Patiently calls f until it does not fail, or fails with an error that does not pass, as often as a round of a thaw
// may fail.
func Patiently(ctx context.Context, a *objects.Objects, what string, f func(context.Context) error) error {
	for tries := 1; ; tries++ {
		err := f(ctx)
		switch {
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case err == nil || !errors.Is(err, store.ErrTransient):
			return err
		case tries == ThawFailures:
			return fmt.Errorf("%s, after %d attempts: %w", what, tries, err)
		}
		a.Log.Warn(what+" failed; it is tried again", "error", err)
		if err := objects.Sleep(ctx, min(thawFirstWait<<tries, thawExpedited)); err != nil {
			return err
		}
	}
}

// report logs how far the thaw is: at first, and then each hour.
func (t *thawRun) report(all int) {
	if time.Since(t.logged) < thawReport {
		return
	}
	t.logged = time.Now()
	t.objects.Log.Info("waiting for objects to be thawed; after an interruption, the same command goes on",
		"thawed", all-len(t.pending), "left", len(t.pending), "requested now", t.requested.Load(), "tier", t.request.Tier)
}
