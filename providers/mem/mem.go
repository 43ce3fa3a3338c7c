package mem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"strconv"
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

	mu      sync.Mutex        // locked during each operation except Get, for create-only and conditional deletes
	objects map[string]object // by full key
	last    uint64            // the version of the latest object
}

// object is what memblob does not store of an object.
type object struct {
	sums    store.Sums
	version string
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
		m = &memory{bucket: memblob.OpenBucket(nil), objects: map[string]object{}}
		memories.byName[a.Bucket] = m
	}
	return newAdapter(m, a.Bucket, a.Prefix, a.Where), nil
}

func newAdapter(m *memory, name, prefix string, w cloud.RedactedURL) *adapter {
	s := &adapter{RedactedURL: w, memory: m, name: name}
	stamp := func(o *blob.ListObject) string { return m.objects[o.Key].version } // List holds the lock
	s.Portable = cloud.Portable{Bucket: m.bucket, Prefix: prefix, Fail: s.fail, Hooks: cloud.Hooks{Stamp: stamp}}
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
	if was, ok := s.objects[s.Prefix+key]; ok {
		if was.sums != sums {
			return store.PutResult{}, s.Exists(key)
		}
		return store.PutResult{Existed: true}, nil
	}
	if err := s.memory.bucket.WriteAll(ctx, s.Prefix+key, content.Bytes(), nil); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	s.last++
	s.objects[s.Prefix+key] = object{sums, strconv.FormatUint(s.last, 10)}
	return store.PutResult{}, nil
}

// Stat implements store.Store.
func (s *adapter) Stat(ctx context.Context, key string) (store.Object, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.Object{}, s.fail("checking", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	a, err := s.memory.bucket.Attributes(ctx, s.Prefix+key)
	if err != nil {
		return store.Object{}, s.fail("checking", key, err)
	}
	is := s.objects[s.Prefix+key]
	return store.Object{Key: key, Size: a.Size, Modified: a.ModTime, CRC32C: &is.sums.CRC32C, Version: is.version}, nil
}

// List implements store.Store. It lists the content at the beginning of the iteration.
func (s *adapter) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		objects, err := s.collect(ctx, prefix, delimiter, after)
		for _, o := range objects {
			if !yield(o, nil) {
				return
			}
		}
		if err != nil {
			yield(store.Object{}, err)
		}
	}
}

func (s *adapter) collect(ctx context.Context, prefix, delimiter, after string) (objects []store.Object, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for o, err := range s.Portable.List(ctx, prefix, delimiter, after) {
		if err != nil {
			return objects, err
		}
		objects = append(objects, o)
	}
	return objects, nil
}

// Delete implements store.Store.
func (s *adapter) Delete(ctx context.Context, objects []store.Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for i := range objects {
		errs = append(errs, s.remove(ctx, &objects[i]))
	}
	return errors.Join(errs...)
}

// remove deletes one object. The caller holds the lock.
func (s *adapter) remove(ctx context.Context, o *store.Object) error {
	if err := cloud.CheckKey(o.Key); err != nil {
		return s.fail("deleting", o.Key, err)
	}
	full := s.Prefix + o.Key
	if is, ok := s.objects[full]; ok && o.Version != "" && o.Version != is.version {
		return s.Changed(o.Key)
	}
	if err := s.memory.bucket.Delete(ctx, full); err != nil && gcerrors.Code(err) != gcerrors.NotFound {
		return s.fail("deleting", o.Key, err)
	}
	delete(s.objects, full)
	return nil
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
