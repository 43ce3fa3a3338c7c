package scheduler

import (
	"context"
	"sync"
)

// gate holds the runs of one name's jobs while it is closed. It is safe for concurrent use.
type gate struct {
	mu      sync.Mutex
	closed  bool
	changed chan struct{} // closed at the next change
}

func newGate() *gate { return &gate{changed: make(chan struct{})} }

// set closes or opens the gate.
func (g *gate) set(closed bool) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed == closed {
		return
	}
	g.closed = closed
	close(g.changed)
	g.changed = make(chan struct{})
}

// get reports whether the gate is closed, and returns a channel that is closed when that changes.
func (g *gate) get() (closed bool, changed <-chan struct{}) {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.closed, g.changed
}

func (g *gate) isClosed() bool {
	closed, _ := g.get()
	return closed
}

// Pause lets no run of an archive's jobs begin until Resume, also one that was requested. A run in progress continues.
// It holds for jobs of that name that Set adds later, too.
func (s *Service) Pause(name string) { s.gate(name).set(true) }

// Resume ends a pause. One run makes up for the times that passed.
func (s *Service) Resume(name string) { s.gate(name).set(false) }

// gate returns the gate of a name.
func (s *Service) gate(name string) *gate {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.gateLocked(name)
}

// gateLocked is gate, with mu held.
func (s *Service) gateLocked(name string) *gate {
	g := s.gates[name]
	if g == nil {
		g = newGate()
		s.gates[name] = g
	}
	return g
}

// pause waits while the job is paused, until ctx ends. It reports whether it waited.
func (r *runner) pause(ctx context.Context, a *timetable) (waited bool) {
	for {
		closed, changed := r.gate.get()
		if !closed {
			break
		}
		if !waited {
			r.record.pause(true)
			r.log.Info("paused: no run begins until it is resumed")
		}
		waited = true
		select {
		case <-changed:
		case <-ctx.Done():
			r.record.pause(false) // the job that replaces this one has the same record
			return true
		}
	}
	if waited {
		a.resumed(r.o.wall())
		r.record.pause(false)
		r.log.Info("resumed")
	}
	return waited
}
