package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"iter"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// TB is the part of a test that this package's stores need. Both testing.TB and *rapid.T implement it.
type TB interface {
	Helper()
	Errorf(format string, args ...any)
}

// InMemory is a store.Store in memory that also checks the code under test: it fails the test after an operation
// that no store may ever receive. See Memory. Its fields must be set before its first use; its methods are safe for
// concurrent use.
type InMemory struct {
	// Plain omits checksums from Stat, like a file system.
	Plain bool
	// TolerateMismatch makes a Put of bytes that do not match their sums only return ErrMismatch. Otherwise such a
	// Put fails the test, too.
	TolerateMismatch bool
	// Now is the provider's clock; nil selects time.Now.
	Now func() time.Time

	t       TB
	mu      sync.Mutex
	objects map[string]memoryObject
}

type memoryObject struct {
	data     []byte // never changed in place
	modified time.Time
	version  uint64
}

// lastVersion is the version of the latest object of all stores, so that clones have no version in common by chance.
var lastVersion atomic.Uint64

func (m *InMemory) newObject(b []byte) memoryObject {
	return memoryObject{b, m.now(), lastVersion.Add(1)}
}

func (o memoryObject) versionText() string { return strconv.FormatUint(o.version, 10) }

// Memory returns an empty store. It fails t if an object below data/, bundles/ or pages/ would change, if its
// content does not match the hash in its key, or if put bytes do not match their sums.
func Memory(t TB) *InMemory {
	return &InMemory{t: t, objects: map[string]memoryObject{}}
}

// Put implements store.Store.
func (m *InMemory) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	m.t.Helper()
	if err := ctx.Err(); err != nil {
		return store.PutResult{}, fmt.Errorf("putting %s: %w", key, err)
	}
	b, err := readExactly(body, sums.Size)
	if err != nil {
		return store.PutResult{}, fmt.Errorf("putting %s: reading its content: %w", key, err)
	}
	if err := ctx.Err(); err != nil { // while it was read
		return store.PutResult{}, fmt.Errorf("putting %s: %w", key, err)
	}
	if SumsOf(b) != sums {
		if !m.TolerateMismatch {
			m.t.Errorf("%s: the put bytes do not match their sums", key)
		}
		return store.PutResult{}, fmt.Errorf("putting %s: %w", key, store.ErrMismatch)
	}
	m.judge(key, sums)
	m.mu.Lock()
	defer m.mu.Unlock()
	was, exists := m.objects[key]
	switch {
	case !exists:
		m.objects[key] = m.newObject(b)
		return store.PutResult{}, nil
	case bytes.Equal(was.data, b):
		return store.PutResult{Existed: true}, nil
	}
	if _, named := manifest.ParseObjectKey(key); named {
		m.t.Errorf("%s: an immutable object would change", key)
	}
	return store.PutResult{}, fmt.Errorf("putting %s: %w", key, store.ErrExists)
}

// judge fails the test if a key's hash does not match the content.
func (m *InMemory) judge(key string, sums store.Sums) {
	m.t.Helper()
	k, ok := manifest.ParseObjectKey(key)
	if !ok {
		return
	}
	bySum := k.Prefix == manifest.BundlesPrefix || (k.Prefix == manifest.DataPrefix && k.Encoding == manifest.Plain)
	if bySum && k.Hash != sums.SHA256 {
		m.t.Errorf("%s: the content has another hash (%s) than the key", key, sums.SHA256)
	}
}

// Get implements store.Store.
func (m *InMemory) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	o, err := m.find(ctx, key)
	if err != nil {
		return nil, fmt.Errorf("getting %s: %w", key, err)
	}
	size := int64(len(o.data))
	if offset < 0 {
		return nil, fmt.Errorf("getting %s: offset %d is negative", key, offset)
	}
	offset = min(offset, size)
	end := size
	if length >= 0 && length < size-offset {
		end = offset + length
	}
	return io.NopCloser(bytes.NewReader(o.data[offset:end])), nil
}

// Stat implements store.Store.
func (m *InMemory) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := m.find(ctx, key)
	if err != nil {
		return store.Object{}, fmt.Errorf("checking %s: %w", key, err)
	}
	out := store.Object{Key: key, Size: int64(len(o.data)), Modified: o.modified, Version: o.versionText()}
	if !m.Plain {
		out.CRC32C = new(manifest.CRC32C(crc32.Checksum(o.data, digest.Castagnoli)))
	}
	return out, nil
}

func (m *InMemory) find(ctx context.Context, key string) (memoryObject, error) {
	if err := ctx.Err(); err != nil {
		return memoryObject{}, err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	o, ok := m.objects[key]
	if !ok {
		return memoryObject{}, fs.ErrNotExist
	}
	return o, nil
}

// List implements store.Store. It lists the content at the beginning of the iteration.
func (m *InMemory) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		last := ""
		objects := m.below(prefix, after)
		for _, key := range slices.Sorted(maps.Keys(objects)) {
			if err := ctx.Err(); err != nil {
				yield(store.Object{}, fmt.Errorf("listing %s: %w", prefix, err))
				return
			}
			is, rest := objects[key], key[len(prefix):]
			o := store.Object{Key: key, Size: int64(len(is.data)), Modified: is.modified, Version: is.versionText()}
			if i := strings.Index(rest, delimiter); delimiter != "" && i >= 0 {
				o = store.Object{Key: prefix + rest[:i+len(delimiter)], IsDir: true}
				if o.Key == last {
					continue
				}
				last = o.Key
			}
			if !yield(o, nil) {
				return
			}
		}
	}
}

// below returns the objects whose keys begin with prefix and come after a key.
func (m *InMemory) below(prefix, after string) map[string]memoryObject {
	m.mu.Lock()
	defer m.mu.Unlock()
	found := map[string]memoryObject{}
	for key, o := range m.objects {
		if strings.HasPrefix(key, prefix) && key > after {
			found[key] = o
		}
	}
	return found
}

// Delete implements store.Store.
func (m *InMemory) Delete(ctx context.Context, objects []store.Object) error {
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("deleting: %w", err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	var errs []error
	for _, o := range objects {
		if is, ok := m.objects[o.Key]; ok && o.Version != "" && o.Version != is.versionText() {
			errs = append(errs, fmt.Errorf("deleting %s: %w", o.Key, store.ErrChanged))
			continue
		}
		delete(m.objects, o.Key)
	}
	return errors.Join(errs...)
}

func (m *InMemory) now() time.Time {
	if m.Now != nil {
		return m.Now()
	}
	return time.Now()
}

// readExactly reads the first size bytes of body.
func readExactly(body io.ReaderAt, size int64) ([]byte, error) {
	b := make([]byte, size)
	n, err := body.ReadAt(b, 0)
	switch {
	case int64(n) == size:
		return b, nil
	case err == nil || errors.Is(err, io.EOF):
		return nil, fmt.Errorf("it ends after %d of %d bytes: %w", n, size, store.ErrMismatch)
	}
	return nil, err
}

// SumsOf returns the sums of content, for a Put.
func SumsOf(b []byte) store.Sums {
	return store.Sums{Size: int64(len(b)), SHA256: manifest.Sum(b), CRC32C: manifest.CRC32C(crc32.Checksum(b, digest.Castagnoli))}
}
