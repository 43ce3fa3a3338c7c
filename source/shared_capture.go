package source

import (
	"context"
	"slices"
	"sync"
	"time"
)

const (
	// settle is how long the first to ask for a capture waits for members of the group of
	// which nothing was heard: those that a schedule starts begin within moments.
	settle = time.Second
	// patience is how long it waits for those that have entered: such as one whose
	// provider takes a while to say what its archive holds.
	patience = 5 * time.Second
	// maxFew is how many usually ask at the most.
	maxFew = 8
)

// A Group has several readers of one directory, such as the archives of one database at
// several destinations, take one capture in place of several: all that enter before it is
// taken share it. Who comes late, or is slow, takes a capture of its own, so that nobody
// waits long for another. What each of them found, T, is told to the last that leaves. A
// Group is safe for concurrent use.
type SharedCapture[T any] struct {
	mu      sync.Mutex
	size    int
	entered int // members that have not left, of all rounds
	open    *captureRound[T]
}

// NewSharedCapture returns a group of so many members.
func NewSharedCapture[T any](size int) *SharedCapture[T] { return &SharedCapture[T]{size: size} }

// Resize says that the group has another number of members from now on.
func (g *SharedCapture[T]) Resize(size int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.size = size
}

// captureRound is one capture, and those that entered for it. Its group's mutex guards it.
type captureRound[T any] struct {
	members  int // that have not left
	left     int // and those that have
	requests []*captureRequest
	settled  bool // nobody who has not entered is waited for
	taken    bool // nobody joins any more
	full     chan struct{}
	made     chan struct{} // closed when those that ask have their captures

	begun chan struct{} // closed when what the first one does has ended; nil: nobody does it or did
	err   error         // that it ended with
	ready time.Time     // when it had been done

	results []T
}

// captureRequest is a member that waits for its capture.
type captureRequest struct {
	want       func(File) bool
	isUnwanted map[string]bool // closed files that others want and it does not
	got        *Capture        // nil: it has to take one itself
}

// A Member is one reader in one round of a group.
type Participant[T any] struct {
	group     *SharedCapture[T]
	round     *captureRound[T]
	requested bool
}

// Enter begins a member's run: a capture is coming, and others may wait for it until the
// member has asked for it or left. It joins no round in which nobody has asked for long: what
// was done before the capture is to be fresh.
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

// Begin does what is to be done once before the capture: by the first member of the round;
// all others wait for it, and get its error. After an error nobody joins the round. Where the
// first one's ctx ends meanwhile, the next one does it.
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

// begin is Begin for who is first.
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

// Capture is Directory.Capture, shared with the other members of the round. Only the first
// call shares: who captures again does so alone. Of what it wants it is asked while the
// call lasts.
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
		<-r.made // soon: the first one waits no longer than patience, and looks at a directory
		if mine.got != nil {
			return mine.got, nil
		}
		return d.Capture(ctx, want)
	}
	g.gather(ctx, r)
	return g.take(ctx, r, d)
}

// awaited tells the first one that asks when nobody else is waited for, with mu held.
func (g *SharedCapture[T]) awaited(r *captureRound[T]) {
	away := g.entered - r.members // they still do what they entered for before
	if r.taken || r.members > len(r.requests) || !r.settled && r.members+r.left+away < g.size {
		return
	}
	select {
	case <-r.full:
	default:
		close(r.full)
	}
}

// gather waits for the other members.
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

// take takes the capture and shares it among all that ask.
func (g *SharedCapture[T]) take(ctx context.Context, r *captureRound[T], d *Directory) (*Capture, error) {
	g.mu.Lock()
	g.shut(r)
	g.mu.Unlock()
	defer close(r.made)
	c, err := d.Capture(ctx, r.wants)
	if err != nil {
		return nil, err // the others see for themselves
	}
	for i, shared := range c.Share(len(r.requests)) {
		shared.disclaim(r.requests[i].isUnwanted)
		r.requests[i].got = shared
	}
	return r.requests[0].got, nil
}

// wants asks all that ask, and notes who does not want what another one does: it is not held
// for those.
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
		delete(a.isUnwanted, f.Name) // it may have been another version
	}
	for _, a := range without {
		if a.isUnwanted == nil {
			a.isUnwanted = map[string]bool{}
		}
		a.isUnwanted[f.Name] = true
	}
	return true
}

// shut has nobody join a round any more, with mu held.
func (g *SharedCapture[T]) shut(r *captureRound[T]) {
	r.taken = true
	if g.open == r {
		g.open = nil
	}
}

// Leave ends a member's run, once, with what came of it. The last member of a round to
// leave gets what came of all of them, in the order in which they left; the others nothing.
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

// Share returns n captures of the same set in place of c, of which nothing was opened yet.
// Each is used and closed like one that is alone. A file is held until all of them that need
// it have read it, or are closed.
func (c *Capture) Share(n int) []*Capture {
	c.mu.Lock()
	defer c.mu.Unlock()
	all := []*Capture{c}
	for range n - 1 {
		all = append(all, &Capture{Files: slices.Clone(c.Files), Ignored: c.Ignored, At: c.At, Dirs: c.Dirs, holding: c.holding, made: c.made})
	}
	c.sharers = n
	for i := range c.held {
		c.held[i].claims = n
	}
	return all
}

// disclaim gives up what others of the same set need and this capture does not.
func (c *Capture) disclaim(needless map[string]bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range c.held {
		if f := &c.Files[i]; f.State == Closed && needless[f.Name] {
			c.giveUp(i)
		}
	}
}
