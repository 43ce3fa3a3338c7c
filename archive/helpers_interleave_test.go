package archive_test

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A theatre lets several parties work on the same stores, one operation of one of them at a time,
// in an order that a seed decides. It fails operations, lets parties crash, and suspends them for
// any time: for ever, if need be until all others are done.
type theatre struct {
	t      *testing.T
	rand   *rand.Rand
	events []string // what happened, for the analysis of a failure

	damaged bool // there is damage, which may be reported

	hosts    []*host
	address  *mount // nil: the archives stay where they are
	target   *restoreTarget
	lateness bool // deletes may reach a store after their caller has given up

	mu      sync.Mutex
	pending []*request
	parties []*party
}

// A party does something with an archive that it cannot do in one step.
type party struct {
	w         *theatre
	name      string
	cancel    context.CancelCauseFunc
	crashed   bool
	done      bool
	suspended int        // for this number of steps of the others
	host      *host      // nil: it keeps nothing
	rand      *rand.Rand // for what it does by itself

	made map[string]manifest.Hash // what it created under which key
}

// A request is an operation that waits for its turn.
type request struct {
	p     *party
	what  string
	grant chan fate
}

type fate int

const (
	granted fate = iota
	notApplied
	answerLost
	crash
	arrivesLate // it fails, and is done at any later moment; of deletes
)

var errCrashed = errors.New("the process was killed")

func (w *theatre) say(format string, args ...any) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.events = append(w.events, fmt.Sprintf(format, args...))
}

func (w *theatre) fatal(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(w.events, "\n"))
}

// start lets a party begin. Its operation may end with any error except damage, since nothing is
// damaged here.
func (w *theatre) start(name string, do func(ctx context.Context, p *party) error) {
	ctx, cancel := context.WithCancelCause(context.Background())
	p := &party{w: w, name: name, cancel: cancel, made: map[string]manifest.Hash{}}
	w.mu.Lock()
	p.rand = rand.New(rand.NewPCG(w.rand.Uint64(), 1))
	if len(w.hosts) > 0 {
		p.host = w.hosts[w.rand.IntN(len(w.hosts))]
	}
	w.parties = append(w.parties, p)
	w.mu.Unlock()
	go func() {
		defer func() {
			w.mu.Lock()
			defer w.mu.Unlock()
			p.done = true
		}()
		err := do(ctx, p)
		w.say("%s ends: %v", p.name, err)
		if !w.damaged && errors.Is(err, archive.ErrDamaged) && !errors.Is(err, storetest.ErrInjected) && !errors.Is(err, errCrashed) {
			w.t.Errorf("%s takes something for damage: %v\n%s", name, err, strings.Join(w.events, "\n"))
		}
	}()
}

// turn waits until it is this operation's turn.
func (p *party) turn(what string) fate {
	r := &request{p, what, make(chan fate)}
	p.w.mu.Lock()
	if p.crashed {
		p.w.mu.Unlock()
		return crash
	}
	p.w.pending = append(p.w.pending, r)
	p.w.mu.Unlock()
	return <-r.grant
}

// run goes on until all parties have ended.
func (w *theatre) run() {
	for steps := 0; ; steps++ {
		synctest.Wait()
		if w.t.Failed() {
			w.stop()
			return
		}
		r, some := w.choose()
		switch {
		case r == nil && !some:
			return
		case r == nil:
			time.Sleep(100 * time.Millisecond) // all that could go on is asleep
			continue
		case steps > 20_000:
			w.stop()
			w.fatal("they come to no end")
		}
		w.decide(r)
	}
}

// stop ends all parties, for a bubble must not be left with any.
func (w *theatre) stop() {
	for {
		synctest.Wait()
		w.mu.Lock()
		running := false
		for _, p := range w.parties {
			p.crashed, running = true, running || !p.done
			p.cancel(errCrashed)
		}
		all := w.pending
		w.pending = nil
		w.mu.Unlock()
		if !running {
			return
		}
		for _, r := range all {
			r.grant <- crash
		}
		time.Sleep(time.Second)
	}
}

// choose takes one of the operations that wait, and reports whether any party is left at all.
func (w *theatre) choose() (_ *request, some bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	some = slices.ContainsFunc(w.parties, func(p *party) bool { return !p.done })
	var ready []*request
	awake := false
	for _, p := range w.parties {
		awake = awake || !p.done && p.suspended == 0
	}
	for _, r := range w.pending {
		if !awake {
			r.p.suspended = 0
		}
		if r.p.suspended == 0 {
			ready = append(ready, r)
		}
	}
	if len(ready) == 0 {
		return nil, some
	}
	slices.SortFunc(ready, func(a, b *request) int { return cmp.Or(cmp.Compare(a.p.name, b.p.name), cmp.Compare(a.what, b.what)) })
	// First the party, then the operation: else parties with many operations at once would get all turns.
	who := slices.CompactFunc(slices.Clone(ready), func(a, b *request) bool { return a.p == b.p })
	p := who[w.rand.IntN(len(who))].p
	ready = slices.DeleteFunc(ready, func(r *request) bool { return r.p != p })
	r := ready[w.rand.IntN(len(ready))]
	for _, p := range w.parties {
		if p.suspended > 0 && p != r.p {
			p.suspended--
		}
	}
	return r, some
}

// decide lets an operation happen, or not.
func (w *theatre) decide(r *request) {
	seldom, long := 40, 1+w.rand.IntN(10)
	if strings.Contains(r.what, " put "+manifest.ManifestsPrefix) || strings.Contains(r.what, " put "+manifest.LedgerPrefix) {
		seldom, long = 3, 1+w.rand.IntN(20) // where it matters most; perhaps until all others are done
	}
	if w.rand.IntN(seldom) == 0 {
		r.p.suspended = 1 + w.rand.IntN(1<<long)
		w.say("%s is suspended for %d steps", r.p.name, r.p.suspended)
		return
	}
	f := granted
	switch w.rand.IntN(150) {
	case 0, 1:
		f = notApplied
	case 2, 3:
		f = answerLost
	case 4:
		f = crash
	}
	if w.lateness && strings.Contains(r.what, " delete ") && w.rand.IntN(8) == 0 {
		f = arrivesLate
	}
	w.say("%s: %s%s", r.p.name, r.what, []string{"", " (fails)", " (its answer is lost)", " (it is killed)", " (it comes late)"}[f])
	w.mu.Lock()
	w.pending = slices.DeleteFunc(w.pending, func(x *request) bool { return x == r })
	r.p.crashed = r.p.crashed || f == crash
	if f == crash {
		r.p.cancel(errCrashed)
	}
	w.mu.Unlock()
	r.grant <- f
}
