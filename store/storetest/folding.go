package storetest

import (
	"context"
	"io"
	"iter"
	"strings"
	"sync"

	"github.com/strongroom-dev/strongroom/store"
)

// Folding returns a store that takes keys that differ in letter case only for one, as a directory on some file
// systems does. The first object in a directory gives it its name.
func Folding(s *InMemory) store.Store { return &folding{inner: s} }

type folding struct {
	inner *InMemory
	mu    sync.Mutex // held during a Put, so that two do not make one directory under two names
}

// resolve returns the name of a key, or of a directory that ends with a slash, as it was first made.
func (f *folding) resolve(key string) string {
	existing := f.inner.Keys("")
	resolved := ""
	for rest := key; ; {
		segment, more, isDir := strings.Cut(rest, "/")
		want := resolved + segment
		if isDir {
			want += "/"
		}
		for _, k := range existing {
			n := len(want)
			if len(k) >= n && strings.EqualFold(k[:n], want) && (isDir || len(k) == n) {
				want = k[:n]
				break
			}
		}
		if resolved, rest = want, more; !isDir {
			return resolved
		}
	}
}

// Put implements store.Store.
func (f *folding) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.inner.Put(ctx, f.resolve(key), body, sums)
}

// Get implements store.Store.
func (f *folding) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	return f.inner.Get(ctx, f.resolve(key), offset, length)
}

// Stat implements store.Store.
func (f *folding) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := f.inner.Stat(ctx, f.resolve(key))
	o.Key = key
	return o, err
}

// List implements store.Store. It shows the directory of the prefix by the caller's name, and all below it by theirs.
func (f *folding) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
		real := f.resolve(dir)
		for o, err := range f.inner.List(ctx, real+prefix[len(dir):], delimiter, "") {
			o.Key = dir + strings.TrimPrefix(o.Key, real)
			if (err != nil || o.Key > after) && !yield(o, err) {
				return
			}
		}
	}
}

// Delete implements store.Store.
func (f *folding) Delete(ctx context.Context, objects []store.Object) error {
	resolved := make([]store.Object, len(objects))
	for i, o := range objects {
		o.Key = f.resolve(o.Key)
		resolved[i] = o
	}
	return f.inner.Delete(ctx, resolved)
}
