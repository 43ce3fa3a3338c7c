package notify

import "sync"

// message is what is to be sent to one target: an event, or a heartbeat.
type message struct {
	id  uint64 // another one for each change
	was State  // what the target was told before; empty: not certain
	Event
}

// queue holds what one target is still to be sent. It is safe for concurrent use.
type queue interface {
	// next returns what is to be sent now; false: nothing is.
	next() (message, bool)
	// sent notes that l arrived.
	sent(l message)
	// failed notes that l did not arrive, or, in doubt, may have. With dropped it is not
	// offered again.
	failed(l message, doubt, dropped bool)
}

// stateQueue holds the newest state of the archive, and what its target knows.
type stateQueue struct {
	mu        sync.Mutex
	newest    Event  // an empty State: none came yet
	id        uint64 // counts the changes of newest
	delivered State  // what arrived last
	uncertain bool   // something else than told may have arrived since
	dropped   uint64 // the change that is not tried any more
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
	b.delivered, b.uncertain = l.State, false
}

func (b *stateQueue) failed(l message, doubt, dropped bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.uncertain = b.uncertain || doubt
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
	if b.uncertain = s == ""; !b.uncertain {
		b.delivered = s
	}
}

// heartbeatQueue counts the runs that ended well, of which the last is still to be told.
type heartbeatQueue struct {
	mu         sync.Mutex
	beats, end uint64 // those that came, and those that are done with
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
