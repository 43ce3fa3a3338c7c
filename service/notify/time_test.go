package notify

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// within runs f in virtual time with a running Notifier.
func within(t *testing.T, targets []string, f func(t *testing.T, n *Notifier, net *network, log *logbook)) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		net, log := &network{}, &logbook{}
		n := made(t, net, log, targets...)
		done := make(chan struct{})
		go func() { n.Run(ctx); close(done) }()
		f(t, n, net, log)
		cancel()
		<-done
	})
}

// hold lets time pass until nothing more happens at this moment.
func hold(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

func TestOnlyChangesAreSent(t *testing.T) {
	t.Parallel()
	within(t, []string{"webhook+https://hook/x"}, func(t *testing.T, n *Notifier, net *network, _ *logbook) {
		for _, s := range []State{OK, OK, Failing, Failing, Failing, OK, Damaged, Damaged, Overdue, OK, OK} {
			n.Update(Event{State: s, At: time.Now()})
			hold(time.Minute)
		}
		if got := net.states("hook"); got != "failing ok damaged overdue ok" {
			t.Error(got)
		}
		if was := net.at("hook").got[2].Was; was != OK {
			t.Errorf("damaged was %q", was)
		}
	})
}

func TestFirstStateIsSentUnlessOK(t *testing.T) {
	t.Parallel()
	within(t, []string{"webhook+https://hook/x"}, func(t *testing.T, n *Notifier, net *network, _ *logbook) {
		n.Update(Event{State: Damaged})
		hold(0)
		if got := net.states("hook"); got != "damaged" {
			t.Error(got)
		}
	})
}

func TestRetriesDoubleAndEndAfterADay(t *testing.T) {
	t.Parallel()
	within(t, []string{"webhook+https://hook/x"}, func(t *testing.T, n *Notifier, net *network, log *logbook) {
		net.behave("hook", always(answer{status: 500}))
		begin := time.Now()
		n.Update(Event{State: Failing})
		hold(30 * time.Hour)
		at := net.attempts("hook", begin)
		want := []time.Duration{0, 1, 3, 7, 15, 31, 63, 127, 255, 511, 1023, 1623}
		for i := range want {
			want[i] *= time.Second
		}
		if !slices.Equal(at[:len(want)], want) {
			t.Errorf("%v, not %v", at[:len(want)], want)
		}
		if last := at[len(at)-1]; last < 24*time.Hour || last > 24*time.Hour+10*time.Minute {
			t.Errorf("the last attempt was after %v", last)
		}
		if got := log.String(); strings.Count(got, "\n") != 2 || !strings.Contains(got, "is dropped") {
			t.Errorf("the log has %q", got)
		}
		net.behave("hook", always(answer{status: 200}))
		n.Update(Event{State: Failing})
		hold(time.Hour)
		n.Update(Event{State: Damaged})
		hold(time.Hour)
		if got := net.states("hook"); got != "damaged" {
			t.Errorf("afterwards %q arrived", got)
		}
		if got := log.String(); strings.Count(got, "\n") != 3 || !strings.Contains(got, "works again") {
			t.Errorf("the log has %q", got)
		}
	})
}

func TestNoStaleStates(t *testing.T) {
	t.Parallel()
	within(t, []string{"webhook+https://hook/x"}, func(t *testing.T, n *Notifier, net *network, log *logbook) {
		net.behave("hook", always(answer{}))
		for _, s := range []State{Failing, Overdue, OK} {
			n.Update(Event{State: s})
			hold(time.Hour)
		}
		net.behave("hook", always(answer{status: 204}))
		hold(time.Hour)
		if got := net.states("hook"); got != "" {
			t.Errorf("%q arrived although all is as it was", got)
		}
		if got := log.String(); strings.Count(got, "\n") != 1 {
			t.Errorf("a failure was not logged once: %q", got)
		}
		n.Update(Event{State: Overdue})
		hold(0)
		if got := net.states("hook"); got != "overdue" {
			t.Error(got)
		}
	})
}

// A new state does not wait for the long backoff of an old one.
func TestNewStateIsTriedSoon(t *testing.T) {
	t.Parallel()
	within(t, []string{"webhook+https://hook/x"}, func(t *testing.T, n *Notifier, net *network, _ *logbook) {
		net.behave("hook", always(answer{status: 503}))
		n.Update(Event{State: Failing})
		hold(5*time.Hour + 3*time.Second)
		net.behave("hook", always(answer{status: 200}))
		n.Update(Event{State: Damaged})
		hold(time.Second)
		if got := net.states("hook"); got != "damaged" {
			t.Errorf("%q arrived within a second", got)
		}
	})
}

func TestDoubtIsCleared(t *testing.T) {
	t.Parallel()
	within(t, []string{"webhook+https://hook/x"}, func(t *testing.T, n *Notifier, net *network, _ *logbook) {
		net.behave("hook", always(answer{status: 200, lost: true, takes: time.Hour}))
		n.Update(Event{State: Failing})
		hold(15500 * time.Millisecond)
		if at := net.attempts("hook", time.Now()); len(at) != 1 {
			t.Fatalf("%d attempts", len(at))
		}
		if kept := n.Export(); len(kept) != 1 || kept[hash("webhook+https://hook/x")] != "" {
			t.Errorf("in doubt, Export gives %q", kept)
		}
		net.behave("hook", always(answer{status: 200}))
		n.Update(Event{State: OK})
		hold(time.Second)
		if got := net.states("hook"); got != "failing ok" {
			t.Errorf("%q: the target that received the failure did not receive its end", got)
		}
	})
}

func TestSlowTargetHoldsUpNobody(t *testing.T) {
	t.Parallel()
	targets := []string{"webhook+https://slow/x", "webhook+https://fast/x"}
	within(t, targets, func(t *testing.T, n *Notifier, net *network, _ *logbook) {
		net.behave("slow", always(answer{status: 200, takes: time.Hour}))
		begin := time.Now()
		for i := range 10 {
			n.Update(Event{State: []State{Failing, OK}[i%2]})
			synctest.Wait()
		}
		if time.Since(begin) != 0 {
			t.Errorf("Update took %v", time.Since(begin))
		}
		if got := net.states("fast"); got != strings.TrimSpace(strings.Repeat("failing ok ", 5)) {
			t.Error(got)
		}
		hold(15 * time.Second)
		net.behave("slow", always(answer{status: 200, takes: time.Second}))
		hold(3 * time.Second)
		if got := net.states("slow"); got != "ok" {
			t.Errorf("the slow one got %q", got)
		}
	})
}

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	within(t, []string{"https://beat/x"}, func(t *testing.T, n *Notifier, net *network, log *logbook) {
		n.Update(Event{State: Failing})
		hold(time.Hour)
		if at := net.attempts("beat", time.Now()); len(at) != 0 {
			t.Fatal("a state went to a heartbeat")
		}
		net.behave("beat", always(answer{status: 200, takes: 10 * time.Second}))
		begin := time.Now()
		for range 5 { // all but the first while a ping is on its way
			n.Succeeded()
			hold(time.Second)
		}
		hold(time.Hour)
		if at := net.attempts("beat", begin); !slices.Equal(at, []time.Duration{0, 10 * time.Second}) {
			t.Errorf("pinged at %v", at)
		}
		net.behave("beat", always(answer{status: 404}))
		n.Succeeded()
		hold(5 * time.Second)
		net.behave("beat", always(answer{status: 200}))
		hold(5 * time.Second)
		if at := net.attempts("beat", begin); len(at) != 6 {
			t.Errorf("pinged at %v", at)
		}
		if strings.Count(log.String(), "\n") != 2 {
			t.Errorf("the log has %q", log)
		}
	})
}

func TestEnd(t *testing.T) {
	t.Parallel()
	for takes, want := range map[time.Duration]string{2 * time.Second: "failing", time.Minute: ""} {
		t.Run(fmt.Sprint(takes), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithCancel(t.Context())
				net := &network{}
				net.behave("hook", always(answer{status: 200, takes: takes}))
				n := made(t, net, &logbook{}, "webhook+https://hook/x", "https://beat/x")
				n.Update(Event{State: Failing})
				time.AfterFunc(time.Second, cancel)
				begin := time.Now()
				n.Run(ctx)
				if d := time.Since(begin); d != min(takes, 4*time.Second) {
					t.Errorf("it ended after %v", d)
				}
				if got := net.states("hook"); got != want {
					t.Errorf("%q arrived", got)
				}
			})
		})
	}
}

// A state that was sent before a restart is not sent again; a state that changed in between is.
func TestRestore(t *testing.T) {
	t.Parallel()
	var kept map[string]State
	within(t, []string{"webhook+https://hook/x"}, func(_ *testing.T, n *Notifier, _ *network, _ *logbook) {
		n.Update(Event{State: Failing})
		hold(time.Minute)
		kept = n.Export()
	})
	for state, want := range map[State]string{Failing: "", OK: "ok", Damaged: "damaged"} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			net := &network{}
			n := made(t, net, &logbook{}, "webhook+https://hook/x")
			n.Restore(kept)
			n.Update(Event{State: state})
			n.Run(ctx)
			if got := net.states("hook"); got != want {
				t.Errorf("%s: %q arrived", state, got)
			}
		})
	}
	kept[hash("webhook+https://hook/x")] = "nonsense"
	n := made(t, &network{}, &logbook{}, "webhook+https://hook/x")
	n.Restore(kept)
	if got := n.Export()[hash("webhook+https://hook/x")]; got != OK {
		t.Errorf("a state that does not exist was restored: %q", got)
	}
}

// After its work a Notifier only waits: nothing wakes it in a year.
func TestIdle(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		net, asked := &network{}, &atomic.Int64{}
		n := made(t, net, &logbook{}, "webhook+https://hook/x", "https://beat/x", "ntfy://ntfy.sh/topic")
		n.Restore(map[string]State{hash("ntfy://ntfy.sh/topic"): Failing}) // it is not sent anything
		done := make(chan struct{})
		n.Update(Event{State: Failing})
		n.Succeeded()
		for _, c := range n.deliverers {
			c.queue = &counted{queue: c.queue, asked: asked}
		}
		go func() { n.Run(ctx); close(done) }()
		hold(time.Minute)
		if net.states("hook") != "failing" || len(net.attempts("beat", time.Now())) != 1 {
			t.Error("the work was not done")
		}
		before := asked.Load()
		hold(365 * 24 * time.Hour)
		if got := asked.Load() - before; got != 0 {
			t.Errorf("the queues were read %d times in an idle year", got)
		}
		cancel()
		<-done
	})
}

// counted counts the reads of a queue.
type counted struct {
	queue
	asked *atomic.Int64
}

func (c *counted) next() (message, bool) {
	c.asked.Add(1)
	return c.queue.next()
}

// A service of the library that never answers is cut off and does not pile up calls.
func TestHangingLibrary(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		end := make(chan struct{})
		l := &library{service: hanging{end: end}, shown: "slack://…", calls: make(chan struct{}, maxCalls)}
		for i := range maxCalls + 2 {
			ctx, cancel := context.WithTimeout(t.Context(), deadline)
			err := l.send(ctx, message{})
			cancel()
			want := "does not answer"
			if i >= maxCalls {
				want = "still hang"
			}
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("call %d: %v", i, err)
			}
		}
		close(end)
		synctest.Wait()
		if len(l.calls) != 0 {
			t.Errorf("%d calls go on", len(l.calls))
		}
	})
}

var _ http.RoundTripper = &network{}

func TestPendingStateKeepsItsBeginning(t *testing.T) {
	t.Parallel()
	within(t, []string{"webhook+https://hook/x"}, func(t *testing.T, n *Notifier, net *network, _ *logbook) {
		net.behave("hook", always(answer{}))
		n.Update(Event{State: Failing, At: noon, Detail: "old"})
		hold(time.Second / 2)
		n.Update(Event{State: Failing, At: noon.Add(time.Hour), Detail: "new"})
		net.behave("hook", always(answer{status: 200}))
		hold(time.Minute)
		if got := net.at("hook").got; len(got) != 1 || !got[0].At.Equal(noon) || got[0].Detail != "new" {
			t.Errorf("%+v", got)
		}
	})
}
