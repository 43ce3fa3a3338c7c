package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Content is what an InMemory held at one moment: the objects by key. It is not to be
// changed.
type Content map[string]memoryObject

// Keys are the keys that begin with prefix, in order.
func (c Content) Keys(prefix string) []string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(c)) {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}

// Bytes is a copy of the content of a key, nil when there is none.
func (c Content) Bytes(key string) []byte { return slices.Clone(c[key].data) }

// Equal reports whether both hold the same keys with the same bytes.
func (c Content) Equal(d Content) bool {
	return maps.EqualFunc(c, d, func(a, b memoryObject) bool { return slices.Equal(a.data, b.data) })
}

// Snapshot gives what the store holds now. It costs no copy of the bytes.
func (m *InMemory) Snapshot() Content {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Content(maps.Clone(m.objects))
}

// Clone is a copy of the store that goes its own way.
func (m *InMemory) Clone() *InMemory {
	return &InMemory{Plain: m.Plain, TolerateMismatch: m.TolerateMismatch, Now: m.Now, t: m.t, objects: m.Snapshot()}
}

// Keys are the keys that begin with prefix, in order.
func (m *InMemory) Keys(prefix string) []string { return m.Snapshot().Keys(prefix) }

// Replace puts other content behind the archive's back, with no judgement, also where
// nothing was.
func (m *InMemory) Replace(key string, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = memoryObject{slices.Clone(b), m.now()}
}

// Remove takes an object away behind the archive's back.
func (m *InMemory) Remove(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
}

// Damage replaces an object's content by what harm makes of a copy of it. A key that is
// not there fails the test: the damage would show nothing.
func (m *InMemory) Damage(key string, harm func(b []byte) []byte) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		m.t.Errorf("%s is not there to be damaged", key)
		return
	}
	o.data = harm(slices.Clone(o.data))
	m.objects[key] = o
}

// FlipBit is a harm: it flips one bit. A negative offset counts from the end.
func FlipBit(offset int) func([]byte) []byte {
	return func(b []byte) []byte {
		i := offset
		if i < 0 {
			i += len(b)
		}
		if i < 0 || i >= len(b) {
			panic(fmt.Sprintf("storetest: byte %d of %d cannot be flipped", offset, len(b)))
		}
		b[i] ^= 0x10
		return b
	}
}

// Truncate is a harm: it keeps the first n bytes.
func Truncate(n int) func([]byte) []byte {
	return func(b []byte) []byte { return b[:min(n, len(b))] }
}
