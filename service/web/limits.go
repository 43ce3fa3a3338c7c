package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

const (
	// maxConnections bounds the open connections; a further one waits. So clients cannot use up the file descriptors
	// that backups need.
	maxConnections = 256
	// leastIdle is the time without a request after which a connection is closed if another one waits.
	leastIdle = time.Second

	// maxInFlight bounds the requests that are answered at once, except for those of monitors, and maxWaiting those
	// that wait for their turn. Both together leave connections for monitors.
	maxInFlight = 32
	maxWaiting  = maxConnections - maxInFlight - healthReserve
	// healthReserve is the number of connections that are left for health checks and metrics.
	healthReserve = 16
	// maxReady bounds the readiness checks that are answered at once; the others wait.
	maxReady = 4
	// maxWhole bounds the answers about all archives that are made at once. Each can take some megabytes.
	maxWhole = 2
	// turnTimeout bounds the wait for a turn. It and the answer's time are less than writeTimeout.
	turnTimeout = 10 * time.Second

	// maxListings bounds the answers with the files of a snapshot that are made at once, and maxListingsEach those of
	// one archive, whose provider may hang. Each can take some megabytes.
	maxListings     = 8
	maxListingsEach = 2
)

// limitedListener accepts connections, and closes the one that was longest without a request if there are too many.
type limitedListener struct {
	net.Listener
	freed  chan struct{} // has an element when a connection may have become idle or closed
	closed chan struct{}
	close  sync.Once

	mu   sync.Mutex
	open map[*limitedConn]struct{}
}

// limitedConn is a connection of a limitedListener.
type limitedConn struct {
	net.Conn
	listener *limitedListener
	requests int       // that are being answered; with the listener's mu
	since    time.Time // of the last request's end, or of the connection's beginning
}

func newLimitedListener(l net.Listener) *limitedListener {
	return &limitedListener{
		Listener: l, freed: make(chan struct{}, 1), closed: make(chan struct{}), open: map[*limitedConn]struct{}{},
	}
}

// Accept implements net.Listener.
func (l *limitedListener) Accept() (net.Conn, error) {
	inner, err := l.Listener.Accept()
	if err != nil {
		return nil, err //nolint:wrapcheck // net/http compares it
	}
	c := &limitedConn{Conn: inner, listener: l}
	for {
		wait, ok := l.admit(c)
		if ok {
			return c, nil
		}
		timer := time.NewTimer(wait)
		select {
		case <-l.freed:
			timer.Stop()
		case <-timer.C:
		case <-l.closed:
			timer.Stop()
			return nil, errors.Join(net.ErrClosed, inner.Close())
		}
	}
}

// admit adds a connection if there is room, or can be made. Otherwise it returns how long to wait.
func (l *limitedListener) admit(c *limitedConn) (wait time.Duration, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	now := time.Now()
	if len(l.open) >= maxConnections {
		oldest := l.idle()
		if oldest == nil {
			return time.Minute, false
		}
		if age := now.Sub(oldest.since); age < leastIdle {
			return leastIdle - age, false
		}
		delete(l.open, oldest)
		_ = oldest.Conn.Close() // its client sees that, and connects again
	}
	c.since = now
	l.open[c] = struct{}{}
	return 0, true
}

// idle returns the connection that was longest without a request, or nil, with l.mu held.
func (l *limitedListener) idle() *limitedConn {
	var oldest *limitedConn
	for c := range l.open {
		if c.requests == 0 && (oldest == nil || c.since.Before(oldest.since)) {
			oldest = c
		}
	}
	return oldest
}

// Close implements net.Listener.
func (l *limitedListener) Close() error {
	l.close.Do(func() { close(l.closed) })
	return l.Listener.Close() //nolint:wrapcheck // net/http compares it
}

// wake makes a waiting Accept check again.
func (l *limitedListener) wake() {
	select {
	case l.freed <- struct{}{}:
	default:
	}
}

// Close implements net.Conn.
func (c *limitedConn) Close() error {
	c.listener.mu.Lock()
	delete(c.listener.open, c)
	c.listener.mu.Unlock()
	c.listener.wake()
	return c.Conn.Close() //nolint:wrapcheck // net/http compares it
}

// begin records that a request of the connection is being answered, until end is called.
func (c *limitedConn) begin() (end func()) {
	l := c.listener
	l.mu.Lock()
	defer l.mu.Unlock()
	c.requests++
	return func() {
		l.mu.Lock()
		c.requests--
		c.since = time.Now()
		l.mu.Unlock()
		l.wake()
	}
}

// connectionKey is the key of a request's limitedConn in its context.
type connectionKey struct{}

// withConnection implements http.Server.ConnContext.
func withConnection(ctx context.Context, c net.Conn) context.Context {
	if t, ok := c.(*tls.Conn); ok {
		c = t.NetConn()
	}
	return context.WithValue(ctx, connectionKey{}, c)
}

// track records for the listener which connections have requests that are being answered.
func track(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connectionKey{}).(*limitedConn); ok {
			defer c.begin()()
		}
		next.ServeHTTP(w, r)
	})
}

// limits bounds the requests that are answered at once.
type limits struct {
	all, ready, whole, listings chan struct{}
	waiting                     atomic.Int64

	mu   sync.Mutex
	each map[string]chan struct{} // listings by archive
}

func newLimits() *limits {
	return &limits{
		all: make(chan struct{}, maxInFlight), ready: make(chan struct{}, maxReady),
		whole: make(chan struct{}, maxWhole), listings: make(chan struct{}, maxListings), each: map[string]chan struct{}{},
	}
}

// errOverloaded means that a request waited for its turn in vain.
var errOverloaded = errors.New("the service answers too many requests at the moment; try again in a while")

// enter waits for a turn until ctx ends.
func enter(ctx context.Context, turns chan struct{}) (leave func(), err error) {
	select {
	case turns <- struct{}{}:
		return func() { <-turns }, nil
	case <-ctx.Done():
		return nil, errOverloaded
	}
}

// listing waits for the turn of an answer with a snapshot's files, until ctx ends. The archive exists.
func (l *limits) listing(ctx context.Context, archive string) (leave func(), err error) {
	l.mu.Lock()
	own := l.each[archive]
	if own == nil {
		own = make(chan struct{}, maxListingsEach)
		l.each[archive] = own
	}
	l.mu.Unlock()
	leaveOwn, err := enter(ctx, own)
	if err != nil {
		return nil, err
	}
	leaveAll, err := enter(ctx, l.listings)
	if err != nil {
		leaveOwn()
		return nil, err
	}
	return func() { leaveAll(); leaveOwn() }, nil
}

// bounded answers a request in its turn. It refuses a request if too many wait already. The requests of monitors have
// limits of their own, which no other requests can use up.
func (s *Server) bounded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		turns := s.limits.all
		switch r.URL.Path {
		case "/healthz", "/metrics": // the metrics' handler has its own limit
			next.ServeHTTP(w, r)
			return
		case "/readyz":
			turns = s.limits.ready
		case "/", "/api/v1/archives":
			turns = s.limits.whole
		}
		leave, err := s.limits.turn(r.Context(), turns)
		if err != nil {
			w.Header().Set("Retry-After", "10")
			s.failed(w, r, err)
			return
		}
		defer leave()
		next.ServeHTTP(w, r)
	})
}

// turn waits for a turn, unless too many requests wait already.
func (l *limits) turn(ctx context.Context, turns chan struct{}) (leave func(), err error) {
	select {
	case turns <- struct{}{}:
		return func() { <-turns }, nil
	default:
	}
	defer l.waiting.Add(-1)
	if l.waiting.Add(1) > maxWaiting && turns != l.ready {
		return nil, errOverloaded
	}
	ctx, cancel := context.WithTimeout(ctx, turnTimeout)
	defer cancel()
	return enter(ctx, turns)
}

// refusalLog limits the log lines of refused tokens to one for each interval.
type refusalLog struct {
	mu      sync.Mutex
	last    time.Time
	skipped int64
}

// refusalEvery is that interval.
const refusalEvery = time.Second

// note returns whether to log a refusal now, and how many were not logged since the last line.
func (l *refusalLog) note(now time.Time) (skipped int64, ok bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if age := now.Sub(l.last); age >= 0 && age < refusalEvery {
		l.skipped++
		return 0, false
	}
	skipped, l.last, l.skipped = l.skipped, now, 0
	return skipped, true
}

// logRefusal logs that a request had no token or a wrong one, without the token.
func (s *Server) logRefusal(r *http.Request) {
	if skipped, ok := s.refusals.note(time.Now()); ok {
		s.o.Log.Warn("a request without the right token was refused", "client", r.RemoteAddr,
			"request", fmt.Sprintf("%s %s", r.Method, clean(r.URL.Path)), "more_since_the_last_line", skipped)
	}
}
