package mem

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"sync"
	"time"

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
	mu      sync.Mutex
	objects map[string]object // by full key
	last    uint64            // the version of the latest object
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
		m = &memory{objects: map[string]object{}}
		memories.byName[a.Bucket] = m
	}
	return newAdapter(m, a.Bucket, a.Prefix, a.Where), nil
}

func newAdapter(m *memory, name, prefix string, w cloud.RedactedURL) *adapter {
	s := &adapter{RedactedURL: w, memory: m, name: name}
	d := &bucketDriver{cloud.Driver{Dialect: dialect}, m}
	s.Portable = cloud.Portable{Bucket: cloud.NewBucket(d, cloud.PageLimit(time.Minute)), Prefix: prefix, Order: &cloud.Order{}, Fail: s.fail}
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
	if err := ctx.Err(); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if was, ok := s.objects[s.Prefix+key]; ok {
		if was.sums != sums {
			return store.PutResult{}, s.Exists(key)
		}
		return store.PutResult{Existed: true}, nil
	}
	s.create(s.Prefix+key, content.Bytes(), sums)
	return store.PutResult{}, nil
}

// create creates or replaces an object. The caller holds the lock.
func (m *memory) create(key string, content []byte, sums store.Sums) {
	m.last++
	m.objects[key] = object{content, sums, time.Now(), strconv.FormatUint(m.last, 10)}
}

// Delete implements store.Store.
func (s *adapter) Delete(_ context.Context, objects []store.Object) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for i := range objects {
		errs = append(errs, s.remove(&objects[i]))
	}
	return errors.Join(errs...)
}

// remove deletes one object. The caller holds the lock.
func (s *adapter) remove(o *store.Object) error {
	if err := cloud.CheckKey(o.Key); err != nil {
		return s.fail("deleting", o.Key, err)
	}
	full := s.Prefix + o.Key
	if is, ok := s.objects[full]; ok && o.Version != "" && o.Version != is.version {
		return s.Changed(o.Key)
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
