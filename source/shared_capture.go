package source

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// settle is how long the first participant that requests a capture waits for those that have
	// not entered. Runs of the same schedule start within moments.
	settle = time.Second
	// patience is how long it waits for those that have entered but not requested a capture, for
	// instance because their provider is slow.
	patience = 5 * time.Second
	// maxFew is the usual maximum of requests in a round.
	maxFew = 8
)

// SharedCapture lets several participants, such as the backups of one database to several
// destinations, share one capture of a directory. All participants that request it in time share
// it. A late or slow one captures on its own, so that none waits long for another. The last
// participant to leave a round gets the results, T, of all of them. A SharedCapture is safe for
// concurrent use.
type SharedCapture[T any] struct {
	mu      sync.Mutex
	size    int
	entered int // participants of all rounds that have not left
	open    *captureRound[T]
}

// NewSharedCapture returns a SharedCapture that expects size participants in a round.
func NewSharedCapture[T any](size int) *SharedCapture[T] { return &SharedCapture[T]{size: size} }

// Resize changes the expected number of participants.
func (g *SharedCapture[T]) Resize(size int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.size = size
}

// captureRound is one shared capture with its participants. The mutex of SharedCapture guards it.
type captureRound[T any] struct {
	members  int // participants that have not left
	left     int // participants that have left
	requests []*captureRequest
	settled  bool          // settle has passed: only participants that have entered are awaited
	taken    bool          // the capture has started: no participant can join
	full     chan struct{} // closed when no other request is awaited
	made     chan struct{} // closed when the requests have their captures

	begun chan struct{} // closed when the call of first in Begin has ended; nil if there was no call
	err   error         // of that call
	ready time.Time     // when that call succeeded

	results []T
}

// captureRequest is a participant's request for a capture.
type captureRequest struct {
	want       func(File) bool
	isUnwanted map[string]bool // closed files that only other requests want
	got        *Capture        // nil: the participant has to capture on its own
}

// A Participant is one user of a SharedCapture in one round.
type Participant[T any] struct {
	group     *SharedCapture[T]
	round     *captureRound[T]
	requested bool
}

// Enter starts a participant's run. The others may wait for it until it requests its capture or
// leaves. Enter does not join a round whose preparation in Begin ended more than patience ago
// without a request: the preparation must be recent.
func (g *SharedCapture[T]) Enter() *Participant[T] {
	g.mu.Lock()
	defer g.mu.Unlock()
	if r := g.open; r == nil || len(r.requests) == 0 && !r.ready.IsZero() && time.Since(r.ready) > patience {
		g.open = &captureRound[T]{full: make(chan struct{}), made: make(chan struct{})}
	}
	g.open.members++
	g.entered++
	return &Participant[T]{group: g, round: g.open}
}

// Begin prepares the capture of a round, once. The first participant calls first; the others wait
// for it and return its error. After an error no participant joins the round. If the ctx of the
// first one ends during the call, the next one calls its own first.
func (m *Participant[T]) Begin(ctx context.Context, first func() error) error {
	g, r := m.group, m.round
	for {
		g.mu.Lock()
		begun := r.begun
		if begun == nil {
			r.begun = make(chan struct{})
			g.mu.Unlock()
			return m.begin(ctx, first)
		}
		g.mu.Unlock()
		select {
		case <-begun:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		g.mu.Lock()
		ended, err := r.begun == begun, r.err
		g.mu.Unlock()
		if ended {
			return err
		}
	}
}

// begin is Begin for the participant that calls first.
func (m *Participant[T]) begin(ctx context.Context, first func() error) (err error) {
	g, r := m.group, m.round
	panics := true
	defer func() {
		g.mu.Lock()
		defer g.mu.Unlock()
		begun := r.begun
		switch {
		case !panics && err == nil:
			r.ready = time.Now()
		case panics || ctx.Err() != nil:
			r.begun = nil
		default:
			r.err = err
			g.shut(r)
		}
		close(begun)
	}()
	err = first()
	panics = false
	return err
}

// Capture is Directory.Capture, shared with the other participants of the round. Only the first
// call of a participant shares. want is called only until Capture returns.
func (m *Participant[T]) Capture(ctx context.Context, d *Directory, want func(File) bool) (*Capture, error) {
	g, r := m.group, m.round
	g.mu.Lock()
	if m.requested || r.taken {
		g.mu.Unlock()
		return d.Capture(ctx, want)
	}
	m.requested = true
	mine := &captureRequest{want: want}
	r.requests = append(r.requests, mine)
	leads := len(r.requests) == 1
	g.awaited(r)
	g.mu.Unlock()
	if !leads {
		<-r.made // soon: the first one waits at most patience and then reads the directory
		if mine.got != nil {
			return mine.got, nil
		}
		return d.Capture(ctx, want)
	}
	g.gather(ctx, r)
	return g.take(ctx, r, d)
}

// awaited closes r.full if no other request is awaited. It needs mu.
func (g *SharedCapture[T]) awaited(r *captureRound[T]) {
	away := g.entered - r.members // participants that are still in earlier rounds
	if r.taken || r.members > len(r.requests) || !r.settled && r.members+r.left+away < g.size {
		return
	}
	select {
	case <-r.full:
	default:
		close(r.full)
	}
}

// gather waits for the requests of the other participants.
func (g *SharedCapture[T]) gather(ctx context.Context, r *captureRound[T]) {
	early, late := time.NewTimer(settle), time.NewTimer(patience)
	defer early.Stop()
	defer late.Stop()
	for {
		select {
		case <-early.C:
			g.mu.Lock()
			r.settled = true
			g.awaited(r)
			g.mu.Unlock()
		case <-r.full:
			return
		case <-late.C:
			return
		case <-ctx.Done():
			return
		}
	}
}

// take captures the directory and shares the capture among all requests.
func (g *SharedCapture[T]) take(ctx context.Context, r *captureRound[T], d *Directory) (*Capture, error) {
	g.mu.Lock()
	g.shut(r)
	g.mu.Unlock()
	defer close(r.made)
	c, err := d.Capture(ctx, r.wants)
	if err != nil {
		return nil, err // the others capture on their own
	}
	for i, shared := range c.Share(len(r.requests)) {
		shared.disclaim(r.requests[i].isUnwanted)
		r.requests[i].got = shared
	}
	return r.requests[0].got, nil
}

// wants reports whether at least one request wants a file. It records the requests that do not, so
// that the file is not held for those.
func (r *captureRound[T]) wants(f File) bool {
	without := make([]*captureRequest, 0, maxFew)
	for _, a := range r.requests {
		if a.want != nil && !a.want(f) {
			without = append(without, a)
		}
	}
	if len(without) == len(r.requests) {
		return false
	}
	for _, a := range r.requests {
		delete(a.isUnwanted, f.Name) // it may be from an earlier version of the file
	}
	for _, a := range without {
		if a.isUnwanted == nil {
			a.isUnwanted = map[string]bool{}
		}
		a.isUnwanted[f.Name] = true
	}
	return true
}

// shut prevents other participants from joining a round. It needs mu.
func (g *SharedCapture[T]) shut(r *captureRound[T]) {
	r.taken = true
	if g.open == r {
		g.open = nil
	}
}

// Leave ends a participant's run with its result. It must be called once. For the last participant
// of a round it returns the results of all, in the order in which they left; for the others nil.
func (m *Participant[T]) Leave(result T) []T {
	g, r := m.group, m.round
	g.mu.Lock()
	defer g.mu.Unlock()
	g.entered--
	r.members--
	r.left++
	r.results = append(r.results, result)
	if r.members > 0 {
		g.awaited(r)
		return nil
	}
	g.shut(r)
	return r.results
}

// Share returns n captures of the same set, and the first is c. It must be called before a
// file of c is opened. Each capture is used and closed independently. A file is held until every
// capture that needs it has read it or is closed.
func (c *Capture) Share(n int) []*Capture {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []*Capture{c}
	for range n - 1 {
		all = append(all, &Capture{Files: slices.Clone(c.Files), Ignored: c.Ignored, At: c.At, Dirs: c.Dirs, holding: c.holding, made: c.made})
	}
	c.sharers = n
	for i := range c.held {
		if p := c.held[i].pin; p != nil {
			p.claims = n
		}
	}
	return all
}

// disclaim releases the files that only other captures of the same set need.
func (c *Capture) disclaim(needless map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.held {
		if f := &c.Files[i]; f.State == Closed && needless[f.Name] {
			c.giveUp(i)
		}
	}
}
