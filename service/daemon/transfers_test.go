package daemon

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// An archive that holds all free slots leaves each of the others one slot, and the slots that it
// releases are shared.
func TestSlots(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const size = 4
		p := newTransferPool(size)
		greedy, other := p.share(), p.share()
		var back []func()
		for range size + 1 {
			release, err := greedy.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			back = append(back, release)
		}
		mine, err := other.Acquire(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		errGone := errors.New("gone")
		ctx, cancel := context.WithCancelCause(t.Context())
		done := make(chan error)
		go func() {
			_, err := other.Acquire(ctx)
			done <- err
		}()
		synctest.Wait()
		select {
		case <-done:
			t.Fatal("there are more slots than there should be")
		default:
		}
		cancel(errGone)
		if err := <-done; !errors.Is(err, errGone) {
			t.Errorf("%v", err)
		}
		go func() {
			release, err := other.Acquire(t.Context())
			if err == nil {
				release()
			}
			done <- err
		}()
		synctest.Wait()
		for _, release := range back {
			release()
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		mine()
		for _, s := range []*transferShare{greedy, other} { // all are back
			for range size + 1 {
				if _, err := s.Acquire(t.Context()); err != nil {
					t.Fatal(err)
				}
			}
			for range size {
				<-*p.slots.Load()
			}
		}
	})
}

// A reload with more transfers takes effect at once, and earlier slots are released without
// counting.
func TestSlotsGrow(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newTransferPool(1)
		one := p.share()
		take := func() func() {
			release, err := one.Acquire(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			return release
		}
		back := []func(){take(), take()} // its own, and the pool's
		p.resize(3)
		back = append(back, take(), take(), take())
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if _, err := one.Acquire(ctx); err == nil {
			t.Error("there are more slots than there should be")
		}
		for _, release := range back {
			release()
		}
		for range 4 {
			take()
		}
		if _, err := one.Acquire(ctx); err == nil {
			t.Error("afterwards there are more slots than there should be")
		}
	})
}

// The metrics show whether archives wait for each other.
func TestTransfersAreCounted(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		pool := newTransferPool(1)
		s := pool.share()
		own, err1 := s.Acquire(t.Context())
		shared, err2 := s.Acquire(t.Context())
		if err1 != nil || err2 != nil {
			t.Fatal(err1, err2)
		}
		ended := make(chan func(), 1)
		go func() {
			release, err := s.Acquire(t.Context())
			if err != nil {
				t.Error(err)
			}
			ended <- release
		}()
		synctest.Wait()
		if slots, used, waiting := pool.load(); slots != 1 || used != 2 || waiting != 1 {
			t.Errorf("%d slots, %d used, %d waiting", slots, used, waiting)
		}
		own()
		(<-ended)()
		shared()
		if _, used, waiting := pool.load(); used != 0 || waiting != 0 {
			t.Errorf("at the end: %d used, %d waiting", used, waiting)
		}
	})
}
