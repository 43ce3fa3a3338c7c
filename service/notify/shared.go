package notify

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// The pace of the messages to one target that have one reason. The first waits for those of other archives that come
// at the same time. Each one after it waits longer, up to lastWindow, while more archives have that reason.
const (
	firstWindow  = 10 * time.Second
	secondWindow = time.Minute
	lastWindow   = 16 * time.Minute
	forgetAfter  = time.Hour // without a message for that reason
)

// errDropped marks an attempt that was not made, since the archive's state has changed or the notifier stops.
var errDropped = errors.New("the message was not sent")

// Targets combines the messages of several archives to one target: an outage of a provider would otherwise cause one
// message for each archive. The zero value is ready for use. It is safe for concurrent use.
type Targets struct {
	mu  sync.Mutex
	all map[string]*sharedTarget // by the hash of the target
}

// join returns a target of an archive.
func (t *Targets) join(key, archive string) *sharedTarget {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.all == nil {
		t.all = map[string]*sharedTarget{}
	}
	s := t.all[key]
	if s == nil {
		s = &sharedTarget{archives: map[string]bool{}, groups: map[reason]*group{}, paces: map[reason]pace{}}
		t.all[key] = s
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.archives[archive] = true
	return s
}

// sharedTarget is one target of one or more archives.
type sharedTarget struct {
	mu       sync.Mutex
	archives map[string]bool // that have or had this target
	groups   map[reason]*group
	paces    map[reason]pace
}

// reason is what the messages of a group have in common.
type reason struct {
	state State
	cause string
}

// pace is when the last message for a reason was sent, and the least time to the next one.
type pace struct {
	last   time.Time
	window time.Duration
}

// group is the messages that are sent as one, in time.
type group struct {
	members []*member
	empty   chan struct{} // closed when no member is left
}

// member is one archive's message in a group.
type member struct {
	message
	archive string
	queue   queue
	send    func(context.Context, message) error
	taken   bool       // the message is being sent
	result  chan error // holds one
}

// isShared reports whether several archives have the target.
func (s *sharedTarget) isShared() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.archives) > 1
}

// deliver sends a message, together with those of other archives for the same reason. It returns errDropped without
// sending if ctx ends or the archive's state changes first; wake receives when it may have changed. After hard has
// ended it waits for no answer.
func (s *sharedTarget) deliver(ctx, hard context.Context, wake <-chan struct{}, m *member) error {
	m.result = make(chan error, 1)
	why := reason{m.State, m.Cause}
	s.enter(why, m)
	for {
		select {
		case err := <-m.result:
			return err
		case <-ctx.Done():
			if s.leave(why, m, false) {
				return errDropped
			}
			return m.answer(hard)
		case <-wake:
			if s.leave(why, m, true) {
				return errDropped
			}
		}
	}
}

// answer waits for the result of a message that is being sent.
func (m *member) answer(hard context.Context) error {
	select {
	case err := <-m.result:
		return err
	case <-hard.Done():
		return errUncertain
	}
}

// isCurrent reports whether the message is still to be sent, and sets its newest text, with the target's mu held.
func (m *member) isCurrent() bool {
	newest, ok := m.queue.next()
	if !ok || newest.id != m.id {
		return false
	}
	m.message = newest
	return true
}

// enter adds a message to the group of its reason. The first begins the group.
func (s *sharedTarget) enter(why reason, m *member) {
	s.mu.Lock()
	defer s.mu.Unlock()
	g := s.groups[why]
	if g == nil {
		g = &group{empty: make(chan struct{})}
		s.groups[why] = g
		go s.lead(why, g, s.wait(why))
	}
	g.members = append(g.members, m)
}

// leave removes a message from its group, unless it is being sent; with onlyOld, unless it is still to be sent.
func (s *sharedTarget) leave(why reason, m *member, onlyOld bool) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if m.taken || onlyOld && m.isCurrent() {
		return false
	}
	g := s.groups[why]
	g.members = slices.DeleteFunc(g.members, func(other *member) bool { return other == m })
	if len(g.members) == 0 {
		delete(s.groups, why)
		close(g.empty)
	}
	return true
}

// wait returns how long a new group waits for more archives, with s.mu held. Damage waits only for those that come at
// the same time.
func (s *sharedTarget) wait(why reason) time.Duration {
	for r, p := range s.paces {
		if time.Since(p.last) > forgetAfter {
			delete(s.paces, r)
		}
	}
	p, ok := s.paces[why]
	if !ok || why.state == Damaged {
		return firstWindow
	}
	return max(firstWindow, time.Until(p.last.Add(p.window)))
}

// lead sends a group's messages as one after a time, unless no member is left before that.
func (s *sharedTarget) lead(why reason, g *group, wait time.Duration) {
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-g.empty:
		return
	case <-timer.C:
	}
	members := s.take(why, g)
	if len(members) == 0 {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), deadline)
	defer cancel()
	err := members[0].send(ctx, combined(members))
	if err == nil {
		s.sent(why)
	}
	for _, m := range members {
		m.result <- err
	}
}

// take ends a group and returns its messages that are still to be sent.
func (s *sharedTarget) take(why reason, g *group) []*member {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[why] == g {
		delete(s.groups, why)
	}
	var current []*member
	for _, m := range g.members {
		m.taken = true
		if m.isCurrent() {
			current = append(current, m)
		} else {
			m.result <- errDropped
		}
	}
	return current
}

// sent records that a message for a reason was delivered.
func (s *sharedTarget) sent(why reason) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.paces[why] = pace{time.Now(), min(max(2*s.paces[why].window, secondWindow), lastWindow)}
}

// combined returns one message for all members: the first one's, with the names of the others, and the earliest times.
func combined(members []*member) message {
	m := members[0].message
	for _, other := range members[1:] {
		m.others = append(m.others, other.archive)
		if other.was != m.was {
			m.was = ""
		}
		if other.At.Before(m.At) {
			m.At = other.At
		}
		if at := other.Recoverable; !at.IsZero() && (m.Recoverable.IsZero() || at.Before(m.Recoverable)) {
			m.Recoverable = at
		}
	}
	return m
}
