package archive_test

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
	"strings"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

// memoryStore is a store in memory with a conscience: it fails the test when a key that
// is immutable would change, when content does not hash to what was promised, when a key
// lies, and when content that was acknowledged under a key is sent once more.
type memoryStore struct {
	t     tb
	plain bool // like a file system: Stat tells no checksum

	mu      sync.Mutex
	objects map[string][]byte
	acked   map[string]bool // Put has returned nil for the key
	calls   map[string]int
}

func newMemory(t tb) *memoryStore {
	return &memoryStore{t: t, objects: map[string][]byte{}, acked: map[string]bool{}, calls: map[string]int{}}
}

func (s *memoryStore) count(op string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.calls[op]++
}

func (s *memoryStore) Put(ctx context.Context, key string, body io.ReaderAt, sums archive.Sums) (archive.Stored, error) {
	s.count("put")
	if err := ctx.Err(); err != nil {
		return archive.Stored{}, err
	}
	b := make([]byte, sums.Size)
	if n, err := body.ReadAt(b, 0); n < len(b) {
		return archive.Stored{}, fmt.Errorf("reading the body: %w", err)
	}
	crc := manifest.CRC32C(crc32.Checksum(b, crc32.MakeTable(crc32.Castagnoli)))
	if manifest.Sum(b) != sums.SHA256 || crc != sums.CRC32C {
		return archive.Stored{}, fmt.Errorf("%s: %w", key, archive.ErrMismatch)
	}
	s.judge(key, b)
	s.mu.Lock()
	defer s.mu.Unlock()
	was, exists := s.objects[key]
	switch {
	case exists && !bytes.Equal(was, b):
		return archive.Stored{}, fmt.Errorf("%s: %w", key, archive.ErrExists)
	case exists:
		if s.acked[key] && strings.HasPrefix(key, manifest.DataPrefix) {
			s.t.Errorf("%s was acknowledged and is sent again", key)
		}
		s.acked[key] = true
		return archive.Stored{Existed: true}, nil
	}
	s.objects[key] = b
	s.acked[key] = true
	return archive.Stored{}, nil
}

// judge fails the test when a key does not tell the truth about its content.
func (s *memoryStore) judge(key string, b []byte) {
	k, ok := manifest.ParseObjectKey(key)
	if ok && k.Prefix == manifest.DataPrefix && k.Encoding == manifest.Plain && k.Hash != manifest.Sum(b) {
		s.t.Errorf("%s holds other content than its name says", key)
	}
}

func (s *memoryStore) get(key string) ([]byte, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	b, ok := s.objects[key]
	if !ok {
		return nil, fmt.Errorf("%s: %w", key, fs.ErrNotExist)
	}
	return b, nil
}

func (s *memoryStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	s.count("get")
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	b, err := s.get(key)
	if err != nil {
		return nil, err
	}
	offset = min(offset, int64(len(b)))
	end := int64(len(b))
	if length >= 0 {
		end = min(end, offset+length)
	}
	return io.NopCloser(bytes.NewReader(b[offset:end])), nil
}

func (s *memoryStore) Stat(_ context.Context, key string) (archive.Object, error) {
	s.count("stat")
	b, err := s.get(key)
	if err != nil {
		return archive.Object{}, err
	}
	o := archive.Object{Key: key, Size: int64(len(b)), Modified: time.Now()}
	if !s.plain {
		crc := manifest.StoredSums(b).CRC32C
		o.CRC32C = &crc
	}
	return o, nil
}

func (s *memoryStore) List(_ context.Context, prefix, delimiter, after string) iter.Seq2[archive.Object, error] {
	s.count("list")
	return func(yield func(archive.Object, error) bool) {
		s.mu.Lock()
		keys := slices.Sorted(maps.Keys(s.objects))
		s.mu.Unlock()
		last := ""
		for _, key := range keys {
			if !strings.HasPrefix(key, prefix) || key <= after {
				continue
			}
			if i := strings.Index(key[len(prefix):], delimiter); delimiter != "" && i >= 0 {
				if dir := key[:len(prefix)+i+1]; dir != last {
					last = dir
					if !yield(archive.Object{Key: dir, IsDir: true}, nil) {
						return
					}
				}
				continue
			}
			if b, err := s.get(key); err == nil && !yield(archive.Object{Key: key, Size: int64(len(b)), Modified: time.Now()}, nil) {
				return
			}
		}
	}
}

func (s *memoryStore) Delete(_ context.Context, keys []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, k := range keys {
		delete(s.objects, k)
	}
	return nil
}

// keys lists what is stored below a prefix.
func (s *memoryStore) keys(prefix string) []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var keys []string
	for k := range s.objects {
		if strings.HasPrefix(k, prefix) {
			keys = append(keys, k)
		}
	}
	slices.Sort(keys)
	return keys
}

// put replaces an object behind the archive's back; nil deletes it.
func (s *memoryStore) put(key string, b []byte) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b == nil {
		delete(s.objects, key)
		return
	}
	s.objects[key] = b
}

// clone is a copy that goes its own way.
func (s *memoryStore) clone() *memoryStore {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := newMemory(s.t)
	c.objects, c.acked, c.plain = maps.Clone(s.objects), maps.Clone(s.acked), s.plain
	return c
}

var errInjected = errors.New("injected failure")

// faulty makes operation n, counted from 0, fail: before it is applied or after. Every
// operation from n on fails when down is set, as with a network that has gone.
type faulty struct {
	archive.Store
	applied bool
	down    bool
	mu      sync.Mutex
	n       int
	hit     bool
}

func (f *faulty) fails() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.n--
	if f.n == -1 || (f.down && f.n < 0) {
		f.hit = true
		return true
	}
	return false
}

func (f *faulty) Put(ctx context.Context, key string, body io.ReaderAt, sums archive.Sums) (archive.Stored, error) {
	if !f.fails() {
		return f.Store.Put(ctx, key, body, sums)
	}
	if f.applied {
		f.Store.Put(ctx, key, body, sums)
		if m, ok := f.Store.(*memoryStore); ok {
			m.mu.Lock()
			delete(m.acked, key) // the caller was not told
			m.mu.Unlock()
		}
	}
	return archive.Stored{}, errInjected
}

func (f *faulty) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if !f.fails() {
		return f.Store.Get(ctx, key, offset, length)
	}
	if !f.applied {
		return nil, errInjected
	}
	r, err := f.Store.Get(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	return &cutShort{ReadCloser: r}, nil
}

// cutShort breaks after a few bytes, as a connection does.
type cutShort struct {
	io.ReadCloser
	broken bool
}

func (c *cutShort) Read(b []byte) (int, error) {
	if c.broken {
		return 0, errInjected
	}
	c.broken = true
	n, _ := c.ReadCloser.Read(b[:min(len(b), 3)])
	return n, nil
}

func (f *faulty) Stat(ctx context.Context, key string) (archive.Object, error) {
	if f.fails() {
		return archive.Object{}, errInjected
	}
	return f.Store.Stat(ctx, key)
}

func (f *faulty) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[archive.Object, error] {
	if !f.fails() {
		return f.Store.List(ctx, prefix, delimiter, after)
	}
	return func(yield func(archive.Object, error) bool) {
		if f.applied { // the first page came through
			for o, err := range f.Store.List(ctx, prefix, delimiter, after) {
				if !yield(o, err) {
					return
				}
				break
			}
		}
		yield(archive.Object{}, errInjected)
	}
}
