package notify

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"
)

// sequences is how many random sequences are played.
const sequences = 10_000

// step is one moment: a new state, and the target's answers from then on.
type step struct {
	state State
	wait  time.Duration
	next  answer
}

var (
	allStates = []State{OK, Failing, Overdue, Damaged}
	allWaits  = []time.Duration{0, time.Millisecond, time.Second, 7 * time.Second, time.Minute, time.Hour}

	// After these it is certain whether a state arrived, also when the Notifier ends.
	certain = []answer{{status: 200}, {status: 204, takes: 2 * time.Second}, {}, {status: 500, takes: time.Second}}
	// After these it is not.
	doubtful = []answer{{status: 200, takes: 14 * time.Second}, {status: 200, takes: time.Hour}, {status: 200, lost: true, takes: 2 * time.Second}}
)

func drawSteps(t *rapid.T, answers []answer) []step {
	return rapid.SliceOfN(rapid.Custom(func(t *rapid.T) step {
		return step{
			state: rapid.SampledFrom(allStates).Draw(t, "state"),
			wait:  rapid.SampledFrom(allWaits).Draw(t, "wait"),
			next:  rapid.SampledFrom(answers).Draw(t, "answer"),
		}
	}), 1, 12).Draw(t, "steps")
}

// play lets the steps happen, then lets the target work, and returns what arrived. After
// step number restart the Notifier ends and another one goes on.
func play(t *testing.T, steps []step, restart int) (got []Payload) {
	synctest.Test(t, func(t *testing.T) {
		net := &network{}
		n, end := start(t, net, nil)
		for i, s := range steps {
			net.behave("hook", always(s.next))
			n.Update(Event{State: s.state, At: time.Now()})
			hold(s.wait)
			if i == restart {
				end()
				n, end = start(t, net, n.Export())
				n.Update(Event{State: s.state, At: time.Now()})
			}
		}
		net.behave("hook", always(answer{status: 200}))
		hold(11 * time.Minute)
		end()
		got = net.at("hook").got
	})
	return got
}

func start(t *testing.T, net *network, kept map[string]State) (n *Notifier, end func()) {
	ctx, cancel := context.WithCancel(t.Context())
	n = made(t, net, &logbook{}, "webhook+https://hook/x")
	n.Restore(kept)
	done := make(chan struct{})
	go func() { n.Run(ctx); close(done) }()
	return n, func() { cancel(); <-done }
}

// check compares the received messages with the model. The last one is the current state. If
// nothing was in doubt, none comes twice in a row, and all come in the order of the states.
func check(t *rapid.T, steps []step, got []Payload, doubt bool) {
	delivered, at := OK, 0
	for i, p := range got {
		if p.State == delivered && !doubt {
			t.Fatalf("%s arrived twice in a row, as number %d", p.State, i)
		}
		for !doubt && steps[at].state != p.State {
			if at++; at == len(steps) {
				t.Fatalf("%s, number %d, arrived out of order: %v", p.State, i, got)
			}
		}
		delivered = p.State
	}
	if want := steps[len(steps)-1].state; delivered != want {
		t.Fatalf("the target has %s in the end, not %s", delivered, want)
	}
}

func TestRandomStatesAndFailures(t *testing.T) {
	t.Parallel()
	for n := 0; n < sequences && !t.Failed(); {
		rapid.Check(t, func(rt *rapid.T) {
			n++
			answers, doubt := certain, rapid.Bool().Draw(rt, "doubt")
			if doubt {
				answers = slices.Concat(certain, doubtful)
			}
			steps := drawSteps(rt, answers)
			restart := rapid.IntRange(-5, len(steps)-1).Draw(rt, "restart")
			check(rt, steps, play(t, steps, restart), doubt)
		})
	}
}
