package notify

import "sync"

// message is one event or heartbeat for one target.
type message struct {
	id  uint64 // a new number for each change
	was State  // the state delivered before; empty if that is uncertain
	Event

	others []string // the names of the other archives that the message is about
}

// queue holds the undelivered messages of one target. It is safe for concurrent use.
type queue interface {
	// next returns the message to send now; false if there is none.
	next() (message, bool)
	// sent records that l was delivered.
	sent(l message)
	// failed records that l was not delivered or, with doubt, that its delivery is uncertain. With dropped, next
	// does not return l again.
	failed(l message, doubt, dropped bool)
}

// stateQueue holds the archive's newest state and the last one delivered to its target.
type stateQueue struct {
	mu        sync.Mutex
	newest    Event  // its State is empty before the first update
	id        uint64 // counts the changes of newest
	delivered State  // the last state delivered
	uncertain bool   // another state may have been delivered since
	tried     bool   // a state was sent, or may have been
	dropped   uint64 // the change that is not retried any more
}

func (b *stateQueue) update(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.State == b.newest.State {
		e.At = b.newest.At
	} else {
		b.id++
	}
	b.newest = e
}

func (b *stateQueue) next() (message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.newest.State == "" || b.id == b.dropped || b.newest.State == b.delivered && !b.uncertain {
		return message{}, false
	}
	l := message{id: b.id, was: b.delivered, Event: b.newest}
	if b.uncertain {
		l.was = ""
	}
	return l, true
}

func (b *stateQueue) sent(l message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.delivered, b.uncertain, b.tried = l.State, false, true
}

func (b *stateQueue) failed(l message, doubt, dropped bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uncertain, b.tried = b.uncertain || doubt, b.tried || doubt
	if dropped {
		b.dropped = l.id
	}
}

func (b *stateQueue) export() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.uncertain {
		return ""
	}
	return b.delivered
}

func (b *stateQueue) restore(s State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.tried {
		return
	}
	if b.uncertain = s == ""; !b.uncertain {
		b.delivered = s
	}
}

// heartbeatQueue counts successful runs. Runs without a ping yet share the next one.
type heartbeatQueue struct {
	mu         sync.Mutex
	beats, end uint64 // the runs counted, and those whose ping was delivered or dropped
}

func (b *heartbeatQueue) beat() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.beats++
}

func (b *heartbeatQueue) next() (message, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return message{id: b.beats}, b.beats != b.end
}

func (b *heartbeatQueue) sent(l message) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = l.id
}

func (b *heartbeatQueue) failed(l message, _, dropped bool) {
	if dropped {
		b.sent(l)
	}
}
