package providers

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"gocloud.dev/blob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/gcerrors"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/store"
)

// memories are the in-memory buckets of this process by name: opening the same name
// again finds the same objects, as with any other provider.
var memories = struct {
	sync.Mutex
	byName map[string]*memory
}{byName: map[string]*memory{}}

// memory is one named bucket.
type memory struct {
	bucket *blob.Bucket

	mu   sync.Mutex            // held over each Put and Delete: create-only
	sums map[string]store.Sums // by full key
}

// memStore is the archive below one prefix of a memory. Nothing of it survives the
// process, so nothing is durable.
type memStore struct {
	portable
	redactedURL
	*memory
	name string
}

func openMemory(a *address) (Bucket, error) {
	if a.bucket == "" {
		return nil, fmt.Errorf("archive URL %s: it has no name; write mem://name", a.where)
	}
	memories.Lock()
	defer memories.Unlock()
	m, ok := memories.byName[a.bucket]
	if !ok {
		m = &memory{bucket: memblob.OpenBucket(nil), sums: map[string]store.Sums{}}
		memories.byName[a.bucket] = m
	}
	return newMemStore(m, a.bucket, a.prefix, a.where), nil
}

func newMemStore(m *memory, name, prefix string, w redactedURL) *memStore {
	s := &memStore{redactedURL: w, memory: m, name: name}
	s.portable = portable{bucket: m.bucket, prefix: prefix, fail: s.fail}
	return s
}

func (s *memStore) fail(op, key string, err error) error {
	return wrap(string(s.redactedURL), op, key, "", err)
}

// Put implements store.Store.
func (s *memStore) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if err := checkKey(key); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	var content bytes.Buffer
	got := digest.New()
	src := &checkedBody{body, sums.Size}
	if err := copyBody(ctx, io.MultiWriter(&content, got), src.section(0, sums.Size)); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	if got.Sums() != sums {
		return store.PutResult{}, s.mismatch(key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.sums[s.prefix+key]; ok {
		if was != sums {
			return store.PutResult{}, s.exists(key)
		}
		return store.PutResult{Existed: true}, nil
	}
	if err := s.memory.bucket.WriteAll(ctx, s.prefix+key, content.Bytes(), nil); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	s.sums[s.prefix+key] = sums
	return store.PutResult{}, nil
}

// Stat implements store.Store.
func (s *memStore) Stat(ctx context.Context, key string) (store.Object, error) {
	if err := checkKey(key); err != nil {
		return store.Object{}, s.fail("looking at", key, err)
	}
	a, err := s.memory.bucket.Attributes(ctx, s.prefix+key)
	if err != nil {
		return store.Object{}, s.fail("looking at", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sums := s.sums[s.prefix+key]
	return store.Object{Key: key, Size: a.Size, Modified: a.ModTime, CRC32C: &sums.CRC32C}, nil
}

// Delete implements store.Store.
func (s *memStore) Delete(ctx context.Context, keys []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, key := range keys {
		err := checkKey(key)
		if err == nil {
			err = s.memory.bucket.Delete(ctx, s.prefix+key)
		}
		if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			errs = append(errs, s.fail("deleting", key, err))
			continue
		}
		delete(s.sums, s.prefix+key)
	}
	return errors.Join(errs...)
}

// Close does nothing: the bucket stays for whoever opens its name again.
func (s *memStore) Close() error { return nil }
