package storetest

import (
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Content is the content of an InMemory at one moment: the objects by key. It must not be changed.
type Content map[string]memoryObject

// Keys returns the keys that begin with prefix, in order.
func (c Content) Keys(prefix string) []string {
	var keys []string
	for _, k := range slices.Sorted(maps.Keys(c)) {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	return keys
}

// Bytes returns a copy of the content of a key, or nil if the key does not exist.
func (c Content) Bytes(key string) []byte { return slices.Clone(c[key].data) }

// Equal reports whether both have the same keys with the same bytes.
func (c Content) Equal(d Content) bool {
	return maps.EqualFunc(c, d, func(a, b memoryObject) bool { return slices.Equal(a.data, b.data) })
}

// Snapshot returns the store's present content, without copying its bytes.
func (m *InMemory) Snapshot() Content {
	m.mu.Lock()
	defer m.mu.Unlock()
	return Content(maps.Clone(m.objects))
}

// Clone returns an independent copy of the store.
func (m *InMemory) Clone() *InMemory {
	return &InMemory{Plain: m.Plain, TolerateMismatch: m.TolerateMismatch, Now: m.Now, t: m.t, objects: m.Snapshot()}
}

// Keys returns the keys that begin with prefix, in order.
func (m *InMemory) Keys(prefix string) []string { return m.Snapshot().Keys(prefix) }

// Replace sets a key's content without any checks. It also creates a key that does not exist.
func (m *InMemory) Replace(key string, b []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.objects[key] = m.newObject(slices.Clone(b))
}

// Remove deletes an object without any checks.
func (m *InMemory) Remove(key string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	delete(m.objects, key)
}

// Damage replaces an object's content with the result of harm on a copy of it. It fails the test if the key does
// not exist, since the damage would have no effect.
func (m *InMemory) Damage(key string, harm func(b []byte) []byte) {
	m.t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		m.t.Errorf("%s does not exist, so it cannot be damaged", key)
		return
	}
	o.data = harm(slices.Clone(o.data))
	m.objects[key] = o
}

// FlipBit returns a harm for Damage that flips one bit. A negative offset counts from the end.
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

// Truncate returns a harm for Damage that keeps the first n bytes.
func Truncate(n int) func([]byte) []byte {
	return func(b []byte) []byte { return b[:min(n, len(b))] }
}
