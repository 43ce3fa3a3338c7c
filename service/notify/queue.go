package notify

import "sync"

// letter is what is to be sent to one target: an event, or a heartbeat.
type letter struct {
	id  uint64 // another one for each change
	was State  // what the target was told before; empty: not certain
	Event
}

// box holds what one target is still to be sent. It is safe for concurrent use.
type box interface {
	// next returns what is to be sent now; false: nothing is.
	next() (letter, bool)
	// sent notes that l arrived.
	sent(l letter)
	// failed notes that l did not arrive, or, in doubt, may have. With dropped it is not
	// offered again.
	failed(l letter, doubt, dropped bool)
}

// stateBox holds the newest state of the archive, and what its target knows.
type stateBox struct {
	mu      sync.Mutex
	newest  Event  // an empty State: none came yet
	id      uint64 // counts the changes of newest
	told    State  // what arrived last
	doubt   bool   // something else than told may have arrived since
	dropped uint64 // the change that is not tried any more
}

func (b *stateBox) update(e Event) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if e.State == b.newest.State {
		e.At = b.newest.At
	} else {
		b.id++
	}
	b.newest = e
}

func (b *stateBox) next() (letter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.newest.State == "" || b.id == b.dropped || b.newest.State == b.told && !b.doubt {
		return letter{}, false
	}
	l := letter{id: b.id, was: b.told, Event: b.newest}
	if b.doubt {
		l.was = ""
	}
	return l, true
}

func (b *stateBox) sent(l letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.told, b.doubt = l.State, false
}

func (b *stateBox) failed(l letter, doubt, dropped bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.doubt = b.doubt || doubt
	if dropped {
		b.dropped = l.id
	}
}

func (b *stateBox) export() State {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.doubt {
		return ""
	}
	return b.told
}

func (b *stateBox) restore(s State) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.doubt = s == ""; !b.doubt {
		b.told = s
	}
}

// beatBox counts the runs that ended well, of which the last is still to be told.
type beatBox struct {
	mu         sync.Mutex
	beats, end uint64 // those that came, and those that are done with
}

func (b *beatBox) beat() {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.beats++
}

func (b *beatBox) next() (letter, bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return letter{id: b.beats}, b.beats != b.end
}

func (b *beatBox) sent(l letter) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.end = l.id
}

func (b *beatBox) failed(l letter, _, dropped bool) {
	if dropped {
		b.sent(l)
	}
}
