package scheduler

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// closing is a database whose files close, and the archive that takes them.
type closing struct {
	*fake
	closed, archived uint64
	lookErr          error
	looks            int
	hints            chan struct{}
}

func newClosing(t *testing.T) (*closing, Job) {
	c := &closing{fake: &fake{t: t, last: time.Now()}, hints: make(chan struct{}, 1)}
	c.during = func() { c.set(func() { c.archived = c.closed }) }
	j := c.job("a", "@close", time.UTC)
	j.OnClose = true
	j.Hints = func(context.Context) <-chan struct{} { return c.hints }
	j.Look = func(context.Context) (a Pending, err error) {
		c.set(func() {
			c.looks++
			err = c.lookErr
			if n := c.closed - c.archived; n > 0 {
				a = Pending{Files: int64(n), Closed: int64(n), Bytes: 10 * int64(n), Fingerprint: 100 + c.closed}
			}
		})
		return a, err
	}
	return c, j
}

func (c *closing) set(f func()) {
	c.mu.Lock()
	defer c.mu.Unlock()
	f()
}

func TestOnClose(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, j := newClosing(t)
		s := New(Options{}, []Job{j})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if n := len(c.starts()); n != 0 {
			t.Fatalf("%d runs although nothing closed", n)
		}
		for i := range 5 {
			at := time.Now()
			c.set(func() { c.closed++ })
			limit := pollOnClose + 2*pollSpacing
			if i%2 == 0 {
				c.hints <- struct{}{}
				limit = time.Second
			}
			time.Sleep(time.Minute)
			starts := c.starts()
			if len(starts) != i+1 || starts[i].Sub(at) > limit {
				t.Fatalf("a file closed at %v; runs at %v", at, starts)
			}
		}
		if st := s.Status().Jobs[0]; st.Ahead != (Pending{}) || st.Overdue(time.Now()) {
			t.Errorf("status %+v", st)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A closed file that a run leaves behind, for whatever reason, does not cause runs in a loop.
func TestOnCloseOfWhatStaysBehind(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, j := newClosing(t)
		c.during, c.closed = nil, 1
		s := New(Options{}, []Job{j})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if n := len(c.starts()); n < 50 || n > 61 {
			t.Errorf("%d runs in an hour", n)
		}
		if st := s.Status().Jobs[0]; st.Ahead.Files != 1 || st.Ahead.Bytes != 10 {
			t.Errorf("status %+v", st)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// While runs fail the backoff rules, and one more file that closes is worth one attempt.
func TestOnCloseWhileFailing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, j := newClosing(t)
		c.during, c.closed = nil, 1
		c.comes = func(int) error { return errBroken }
		s := New(Options{}, []Job{j})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(6 * time.Hour)
		before := len(c.starts())
		if before > 25 {
			t.Errorf("%d runs in six hours", before)
		}
		c.set(func() { c.closed++ })
		time.Sleep(2 * pollOnClose)
		if n := len(c.starts()) - before; n != 1 && n != 2 { // a retry may fall into this time
			t.Errorf("%d runs after one more file closed", n)
		}
		if st := s.Status().Jobs[0]; !st.Overdue(time.Now()) {
			t.Errorf("not overdue: %+v", st)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// However fast files close while runs fail, there is an attempt a minute, beside those of
// the backoff.
func TestManyCloseWhileFailing(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, j := newClosing(t)
		c.during = nil
		c.comes = func(int) error { return errBroken }
		slow := j.Look
		j.Look = func(ctx context.Context) (Pending, error) {
			c.set(func() { c.closed++ })
			return slow(ctx)
		}
		s := New(Options{}, []Job{j})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Hour)
		if n := len(c.starts()); n < 60 || n > 75 {
			t.Errorf("%d runs in an hour", n)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A source that hangs when it is polled is overdue in the end, although nothing shows that a file
// has closed. It recovers by itself.
func TestOnCloseOfASourceThatHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, j := newClosing(t)
		look, answers := j.Look, make(chan struct{})
		var hangs atomic.Bool
		j.Look = func(ctx context.Context) (Pending, error) {
			if hangs.Load() {
				<-answers
			}
			return look(ctx)
		}
		c.during = func() {
			if hangs.Load() {
				<-answers
			}
		}
		s := New(Options{}, []Job{j})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		hangs.Store(true)
		time.Sleep(pollOnClose + 2*pollTimeout)
		synctest.Wait()
		st := s.Status().Jobs[0]
		if n := len(c.starts()); n != 1 || !st.Running() || !errors.Is(st.LookError, errPollHangs) || st.AheadKnown || !st.Overdue(time.Now()) {
			t.Errorf("%d runs, status %+v", n, st)
		}
		hangs.Store(false)
		close(answers)
		time.Sleep(time.Minute)
		if st := s.Status().Jobs[0]; st.Running() || st.LookError != nil || !st.AheadKnown || st.Overdue(time.Now()) {
			t.Errorf("afterwards: %+v", st)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// A source that cannot be polled is a failure, not silence.
func TestOnCloseOfASourceThatIsAway(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, j := newClosing(t)
		c.comes = func(int) error { c.mu.Lock(); defer c.mu.Unlock(); return c.lookErr }
		s := New(Options{}, []Job{j})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		away := errors.New("it is not mounted")
		c.set(func() { c.lookErr = away })
		time.Sleep(2 * pollOnClose)
		if st := s.Status().Jobs[0]; st.FailuresInRow == 0 || !errors.Is(st.LookError, away) {
			t.Errorf("status %+v", st)
		}
		c.set(func() { c.lookErr = nil })
		time.Sleep(5 * time.Minute)
		if st := s.Status().Jobs[0]; st.FailuresInRow != 0 || st.LookError != nil || st.Overdue(time.Now()) {
			t.Errorf("status %+v", st)
		}
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
	})
}

// However often the file system hints and however long a poll takes, polling stays cheap.
func TestLooksAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		c, j := newClosing(t)
		slow := j.Look
		j.Look = func(ctx context.Context) (Pending, error) {
			time.Sleep(200 * time.Millisecond)
			return slow(ctx)
		}
		always := make(chan struct{})
		close(always)
		j.Hints = func(context.Context) <-chan struct{} { return always }
		s := New(Options{}, []Job{j})
		if err := s.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		time.Sleep(220 * time.Second)
		if err := s.Stop(); err != nil {
			t.Fatal(err)
		}
		if c.looks < 90 || c.looks > 101 {
			t.Errorf("%d polls of 200 ms in 220 s", c.looks)
		}
	})
}
