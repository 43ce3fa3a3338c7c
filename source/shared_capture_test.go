package source

import (
	"context"
	"errors"
	"os"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

// member runs as one destination's backup would, and is done when it has its capture.
type member struct {
	*Participant[string]
	c    *Capture
	err  error
	took time.Duration
	done chan struct{}
}

func enter(g *SharedCapture[string]) *member {
	return &member{Participant: g.Enter(), done: make(chan struct{})}
}

func (m *member) capture(ctx context.Context, d *Directory, want ...string) {
	go func() {
		defer close(m.done)
		start := time.Now()
		m.c, m.err = m.Capture(ctx, d, func(f File) bool { return slices.Contains(want, f.Name) })
		m.took = time.Since(start)
	}()
}

func (m *member) wait(t *testing.T) {
	t.Helper()
	<-m.done
	if m.err != nil {
		t.Fatal(m.err)
	}
	t.Cleanup(func() { m.c.Close() })
}

// Two backups that run at the same time have one set, of one instant, although the database goes
// on. Each of them can read its wanted files until it is finished.
func TestGroupSharesACapture(t *testing.T) {
	t.Parallel()
	d := newDir(t, LayoutOptions{Name: "bdb"}, "log.0000000001", "log.0000000002", "log.0000000003")
	synctest.Test(t, func(t *testing.T) {
		g := NewSharedCapture[string](2)
		a := enter(g)
		a.capture(t.Context(), d, "log.0000000001")
		time.Sleep(settle / 2) // the second one is started a little later
		b := enter(g)
		time.Sleep(patience / 2) // and its provider takes its time
		b.capture(t.Context(), d, "log.0000000001", "log.0000000002")
		a.wait(t)
		b.wait(t)
		if b.took != 0 || !a.c.At.Equal(b.c.At) || set(a.c) != set(b.c) {
			t.Errorf("the captures are of %v and %v: %s, %s", a.c.At, b.c.At, set(a.c), set(b.c))
		}
		remove(t, d, "log.0000000001", "log.0000000002")
		one := read(t, a.c, "log.0000000001")
		if err := a.c.Close(); err != nil {
			t.Error(err)
		}
		if _, err := a.c.Open("log.0000000002"); !errors.Is(err, os.ErrClosed) {
			t.Errorf("a closed capture opens a file: %v", err)
		}
		if read(t, b.c, "log.0000000001") != one || read(t, b.c, "log.0000000002") == "" {
			t.Error("it does not hold what it had")
		}
		if n := pins(b.c); n != 0 {
			t.Errorf("%d files are held after both have read them", n)
		}
		if got := a.Leave("a"); got != nil {
			t.Errorf("the first to leave got %q", got)
		}
		if got := b.Leave("b"); !slices.Equal(got, []string{"a", "b"}) {
			t.Errorf("the last to leave got %q", got)
		}
	})
}

// A participant that does not come delays the others only briefly, and not at all if it is known to
// be busy with an older round.
func TestGroupWaitsForNobodyLong(t *testing.T) {
	t.Parallel()
	d := newDir(t, LayoutOptions{Name: "bdb"}, "log.0000000001", "log.0000000002")
	synctest.Test(t, func(t *testing.T) {
		g := NewSharedCapture[string](2)
		failed, other := enter(g), enter(g)
		failed.Leave("")
		other.capture(t.Context(), d)
		other.wait(t)
		if other.took != 0 {
			t.Errorf("waited for %v although the other has failed already", other.took)
		}
		other.Leave("")

		alone := enter(g) // the other is between two attempts
		alone.capture(t.Context(), d)
		alone.wait(t)
		if alone.took != settle {
			t.Errorf("waited for %v, not %v", alone.took, settle)
		}
		alone.Leave("")

		slow, quick := enter(g), enter(g)
		quick.capture(t.Context(), d)
		quick.wait(t)
		if quick.took != patience {
			t.Errorf("waited for %v, not %v", quick.took, patience)
		}
		quick.Leave("")
		again := enter(g) // while the slow one hangs
		again.capture(t.Context(), d)
		again.wait(t)
		if again.took != 0 {
			t.Errorf("waited for %v although the other is busy", again.took)
		}
		time.Sleep(time.Minute)
		slow.capture(t.Context(), d)
		slow.wait(t)
		if slow.took != 0 || slow.c.At.Equal(quick.c.At) {
			t.Errorf("the late participant has an old capture, or waited: %v", slow.took)
		}
		again.Leave("")
		if got := slow.Leave("late"); !slices.Equal(got, []string{"", "late"}) {
			t.Errorf("the last of its round got %q", got)
		}
	})
}

// One that fails before it captures is not waited for, and one that captures again does so
// alone.
func TestGroupGoesOnWithout(t *testing.T) {
	t.Parallel()
	d := newDir(t, LayoutOptions{Name: "bdb"}, "log.0000000001", "log.0000000002")
	synctest.Test(t, func(t *testing.T) {
		g := NewSharedCapture[string](3)
		a, b, c := enter(g), enter(g), enter(g)
		a.capture(t.Context(), d)
		b.capture(t.Context(), d)
		time.Sleep(2 * time.Second)
		c.Leave("failed")
		a.wait(t)
		b.wait(t)
		if a.took != 2*time.Second || !a.c.At.Equal(b.c.At) {
			t.Errorf("waited for %v; %v and %v", a.took, a.c.At, b.c.At)
		}
		time.Sleep(time.Second)
		once := a.c
		a.done = make(chan struct{})
		a.capture(t.Context(), d)
		a.wait(t)
		if a.took != 0 || a.c.At.Equal(once.At) {
			t.Errorf("the second capture took %v, and is of %v", a.took, a.c.At)
		}
	})
}

// A cancelled participant neither holds up nor cancels the others.
func TestGroupOutlivesItsFirst(t *testing.T) {
	t.Parallel()
	d := newDir(t, LayoutOptions{Name: "bdb"}, "log.0000000001", "log.0000000002")
	synctest.Test(t, func(t *testing.T) {
		g := NewSharedCapture[string](3)
		ctx, stop := context.WithCancel(t.Context())
		a, b := enter(g), enter(g)
		enter(g) // does nothing
		a.capture(ctx, d)
		synctest.Wait()
		b.capture(t.Context(), d)
		synctest.Wait()
		stop()
		<-a.done
		b.wait(t)
		if !errors.Is(a.err, context.Canceled) || b.took != 0 {
			t.Errorf("%v; the other waited for %v", a.err, b.took)
		}
	})
}

// The shared first step is done once, and its failure is that of all its participants.
func TestGroupBeginsOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewSharedCapture[string](2)
		times, fails := 0, errors.New("no room")
		first := func() error {
			times++
			time.Sleep(time.Minute)
			return fails
		}
		a, b := g.Enter(), g.Enter()
		errs := make(chan error, 2)
		for _, m := range []*Participant[string]{a, b} {
			go func() { errs <- m.Begin(t.Context(), first) }()
		}
		if x, y := <-errs, <-errs; !errors.Is(x, fails) || !errors.Is(y, fails) || times != 1 {
			t.Errorf("%v, %v, after %d", x, y, times)
		}
		fails = nil // participants that try again have a round of their own, although one has not left
		a.Leave("")
		if err := g.Enter().Begin(t.Context(), first); err != nil || times != 2 {
			t.Errorf("%v, after %d", err, times)
		}
	})
}

// A participant that is cancelled while it runs the shared first step does not cancel the others,
// and neither does one that panics.
func TestGroupBeginsWithoutWhoEnds(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewSharedCapture[string](3)
		ctx, stop := context.WithCancel(t.Context())
		a, b, c := g.Enter(), g.Enter(), g.Enter()
		ended, panicked, done := make(chan error, 1), make(chan any, 1), make(chan error, 1)
		go func() {
			ended <- a.Begin(ctx, func() error { <-ctx.Done(); return ctx.Err() })
		}()
		synctest.Wait()
		go func() {
			defer func() { panicked <- recover() }()
			_ = b.Begin(t.Context(), func() error { panic("a mistake") })
		}()
		synctest.Wait()
		stop()
		if err, p := <-ended, <-panicked; !errors.Is(err, context.Canceled) || p != "a mistake" {
			t.Errorf("%v, %v", err, p)
		}
		times := 0
		go func() { done <- c.Begin(t.Context(), func() error { times++; return nil }) }()
		if err := <-done; err != nil || times != 1 {
			t.Errorf("%v, after %d", err, times)
		}
	})
}

// A participant that comes while another one still hangs on the way to its capture does not share
// that one's first step.
func TestGroupBeginsAfresh(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := NewSharedCapture[string](2)
		times := 0
		first := func() error { times++; return nil }
		begin := func() *Participant[string] {
			m := g.Enter()
			if err := m.Begin(t.Context(), first); err != nil {
				t.Error(err)
			}
			return m
		}
		slow := begin()
		time.Sleep(patience)
		prompt := begin()
		if times != 1 {
			t.Errorf("begun %d times for those that come together", times)
		}
		time.Sleep(time.Second)
		late := begin()
		if times != 2 {
			t.Errorf("begun %d times, also for the late participant", times)
		}
		if got := late.Leave("late"); !slices.Equal(got, []string{"late"}) {
			t.Errorf("the only participant of its round got %q", got)
		}
		if got := append(slow.Leave("slow"), prompt.Leave("prompt")...); !slices.Equal(got, []string{"slow", "prompt"}) {
			t.Errorf("the others got %q", got)
		}
	})
}

// A file is not held for a participant that does not want it, however long that one takes.
func TestGroupHoldsWhatIsWanted(t *testing.T) {
	t.Parallel()
	d := newDir(t, LayoutOptions{Name: "bdb"}, "log.0000000001", "log.0000000002", "log.0000000003")
	synctest.Test(t, func(t *testing.T) {
		g := NewSharedCapture[string](2)
		a, b := enter(g), enter(g)
		a.capture(t.Context(), d, "log.0000000001", "log.0000000002")
		b.capture(t.Context(), d, "log.0000000002")
		a.wait(t)
		b.wait(t)
		if n := pins(b.c); n != 2 {
			t.Fatalf("%d files are held", n)
		}
		read(t, a.c, "log.0000000001")
		if n := pins(b.c); n != 1 {
			t.Errorf("%d files are held, after one was read by every participant that wants it", n)
		}
		if err := a.c.Close(); err != nil {
			t.Error(err)
		}
		if n := pins(b.c); n != 1 {
			t.Errorf("%d files are held for the other", n)
		}
		if read(t, b.c, "log.0000000001") == "" {
			t.Error("what it did not want is not opened by its name")
		}
	})
}
