package objects

import (
	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/manifest"
)

const (
	// MaxOrphanKeys bounds the search for the orphans of an interrupted run. In a log, new names come after old ones,
	// so the search mostly finds nothing else.
	MaxOrphanKeys = 20_000
	// SweepFrom is a size below which no provider sends an object in parts.
	SweepFrom = 16 << 20
)

// Orphans are the data objects with the sequence number of an attempt. An interrupted run stored them, or an attacker
// who can create objects. The zero value has none.
type Orphans struct {
	TooMany     bool // there were too many to list: each object must be requested by itself
	keys        map[string]bool
	sameContent map[string][]string // keys with a nonce, by the key without it; at most MaxSameContent each
}

// NewOrphans returns a set to which keys can be added.
func NewOrphans() Orphans {
	return Orphans{keys: map[string]bool{}, sameContent: map[string][]string{}}
}

// MayExist reports whether an object with a key may be there.
func (l *Orphans) MayExist(key string) bool { return l.TooMany || l.keys[key] }

// Add adds a key that a listing found.
func (l *Orphans) Add(key string) {
	l.keys[key] = true
	if without, nonce := manifest.CutNonce(key); nonce != "" && len(l.sameContent[without]) < localstate.MaxSameContent {
		l.sameContent[without] = append(l.sameContent[without], key)
	}
}

// WithContent returns the key without a nonce, then those with one that are for the same content.
func (l *Orphans) WithContent(without string) []string {
	return append([]string{without}, l.sameContent[without]...)
}
