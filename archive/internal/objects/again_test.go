package objects_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// An operation starts over as often as the kind of its error allows, and returns any other error at once.
func TestStartOver(t *testing.T) {
	t.Parallel()
	first, moved, progress, broken := errors.New("first"), errors.New("moved"), errors.New("progress"), errors.New("broken")
	gaveUp := errors.New("gave up")
	is := func(kind error) func(error) bool { return func(err error) bool { return errors.Is(err, kind) } }
	kinds := []objects.Retry{
		objects.Raced(first),
		{is(moved), 3, func(n int, err error) error { return fmt.Errorf("%w %d: %w", gaveUp, n, err) }},
		{Is: is(progress)},
	}
	for name, c := range map[string]struct {
		errs  []error // of the attempts; the last is also that of all later ones
		calls int
		want  []error
		most  time.Duration // bounds the pauses
	}{
		"success at once":         {[]error{nil}, 1, nil, 0},
		"another error":           {[]error{broken}, 1, []error{broken}, 0},
		"a lost race":             {[]error{first, first, nil}, 3, nil, 1200 * time.Millisecond},
		"lost races without end":  {[]error{first}, objects.RaceAttempts, []error{values.ErrLostRace, first}, 100 * time.Second},
		"a bound of its own":      {[]error{moved}, 3, []error{gaveUp, moved}, 1200 * time.Millisecond},
		"kinds count apart":       {[]error{first, moved, first, moved, first, moved}, 6, []error{gaveUp}, 12 * time.Second},
		"the first kind decides":  {[]error{errors.Join(moved, first)}, objects.RaceAttempts, []error{values.ErrLostRace}, 100 * time.Second},
		"an error after a race":   {[]error{first, broken}, 2, []error{broken}, 400 * time.Millisecond},
		"progress without bounds": {append(repeated(progress, 99), nil), 100, nil, 99 * 200 * time.Millisecond},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				calls, began := 0, time.Now()
				err := objects.New(storetest.Memory(t), objects.Options{}).StartOver(t.Context(), "test", func() error {
					calls++
					return c.errs[min(calls, len(c.errs))-1]
				}, kinds...)
				if calls != c.calls || (err == nil) != (c.want == nil) {
					t.Errorf("%v after %d calls", err, calls)
				}
				for _, want := range c.want {
					if !errors.Is(err, want) {
						t.Errorf("%v is not: %v", err, want)
					}
				}
				if took := time.Since(began); took > c.most {
					t.Errorf("the pauses took %s", took)
				}
			})
		})
	}
}

// An operation whose context ends during a pause is not begun again.
func TestStartOverEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		lost, stop := errors.New("lost"), errors.New("stop")
		ctx, cancel := context.WithCancelCause(t.Context())
		calls := 0
		err := objects.New(storetest.Memory(t), objects.Options{}).StartOver(ctx, "test", func() error {
			if calls++; calls == 3 {
				cancel(stop)
			}
			return lost
		}, objects.Raced(lost))
		if !errors.Is(err, stop) || calls != 3 {
			t.Errorf("%v after %d calls", err, calls)
		}
	})
}

func repeated(err error, n int) []error {
	all := make([]error, n)
	for i := range all {
		all[i] = err
	}
	return all
}
