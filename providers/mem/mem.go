package mem

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

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/store"
)

// memories are the in-memory buckets of this process by name. Opening the same name again returns the same
// objects, as with any other provider.
var memories = struct {
	sync.Mutex
	byName map[string]*memory
}{byName: map[string]*memory{}}

// memory is one named bucket.
type memory struct {
	bucket *blob.Bucket

	mu   sync.Mutex            // locked during each Put and Delete, for create-only
	sums map[string]store.Sums // by full key
}

// adapter is the archive below one prefix of a memory. It ends with the process, so no object is durable.
type adapter struct {
	cloud.Portable
	cloud.RedactedURL
	*memory
	name string
}

func openAddress(a *cloud.Address) (cloud.Bucket, error) {
	if a.Bucket == "" {
		return nil, fmt.Errorf("archive URL %s: it has no name; write mem://name", a.Where)
	}
	memories.Lock()
	defer memories.Unlock()
	m, ok := memories.byName[a.Bucket]
	if !ok {
		m = &memory{bucket: memblob.OpenBucket(nil), sums: map[string]store.Sums{}}
		memories.byName[a.Bucket] = m
	}
	return newAdapter(m, a.Bucket, a.Prefix, a.Where), nil
}

func newAdapter(m *memory, name, prefix string, w cloud.RedactedURL) *adapter {
	s := &adapter{RedactedURL: w, memory: m, name: name}
	s.Portable = cloud.Portable{Bucket: m.bucket, Prefix: prefix, Fail: s.fail}
	return s
}

func (s *adapter) fail(op, key string, err error) error {
	return dialect.Wrap(string(s.RedactedURL), op, key, err)
}

// Put implements store.Store.
func (s *adapter) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	var content bytes.Buffer
	got := digest.New()
	src := cloud.NewBody(body, sums.Size)
	if err := cloud.CopyBody(ctx, io.MultiWriter(&content, got), src.Section(0, sums.Size)); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	if got.Sums() != sums {
		return store.PutResult{}, s.Mismatch(key)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.sums[s.Prefix+key]; ok {
		if was != sums {
			return store.PutResult{}, s.Exists(key)
		}
		return store.PutResult{Existed: true}, nil
	}
	if err := s.memory.bucket.WriteAll(ctx, s.Prefix+key, content.Bytes(), nil); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	s.sums[s.Prefix+key] = sums
	return store.PutResult{}, nil
}

// Stat implements store.Store.
func (s *adapter) Stat(ctx context.Context, key string) (store.Object, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.Object{}, s.fail("checking", key, err)
	}
	a, err := s.memory.bucket.Attributes(ctx, s.Prefix+key)
	if err != nil {
		return store.Object{}, s.fail("checking", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	sums := s.sums[s.Prefix+key]
	return store.Object{Key: key, Size: a.Size, Modified: a.ModTime, CRC32C: &sums.CRC32C}, nil
}

// Delete implements store.Store.
func (s *adapter) Delete(ctx context.Context, keys []string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for _, key := range keys {
		err := cloud.CheckKey(key)
		if err == nil {
			err = s.memory.bucket.Delete(ctx, s.Prefix+key)
		}
		if err != nil && gcerrors.Code(err) != gcerrors.NotFound {
			errs = append(errs, s.fail("deleting", key, err))
			continue
		}
		delete(s.sums, s.Prefix+key)
	}
	return errors.Join(errs...)
}

// Close does nothing: a later Open of the same name returns the same objects.
func (s *adapter) Close() error { return nil }

// dialect is the zero Dialect: memory has no errors of its own.
var dialect = &cloud.Dialect{}

// Options and Bucket are those of package providers.
type (
	Options = cloud.Options
	Bucket  = cloud.Bucket
)

// Open opens the archive of a mem:// URL, and creates an empty bucket if no bucket has that name.
func Open(_ context.Context, rawURL string, o Options) (Bucket, error) {
	a, err := cloud.Parse(rawURL, "mem", nil)
	if err != nil {
		return nil, err
	}
	return openAddress(&a)
}
