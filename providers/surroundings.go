package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"path/filepath"
	"strings"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/store"
)

// A surrounding is a place around an archive, which the archive's credentials need not reach. It is read
// and never written.
type surrounding struct {
	store.Store
	isLocal bool // a directory: what cannot be read there is out of reach, such as a link that leads elsewhere
}

// beyondKey marks requests that a service may deny without anything being wrong.
type beyondKey struct{}

func beyond(ctx context.Context) context.Context { return context.WithValue(ctx, beyondKey{}, true) }

// goesBeyond reports whether a request is about what lies around an archive.
func goesBeyond(ctx context.Context) bool { return ctx.Value(beyondKey{}) != nil }

// outOfReach is an error of a place around the archive. Some services answer as if the credentials were
// wrong where these end at the archive's prefix.
func (s surrounding) outOfReach(err error) error {
	var known *Error
	if s.isLocal && err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w (%w)", err, fs.ErrPermission)
	}
	if errors.As(err, &known) && known.Kind == BadCredentials {
		return fmt.Errorf("%w (%w)", err, fs.ErrPermission)
	}
	return err
}

// Get implements store.Store.
func (s surrounding) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := s.Store.Get(beyond(ctx), key, offset, length)
	return r, s.outOfReach(err)
}

// Stat implements store.Store.
func (s surrounding) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := s.Store.Stat(beyond(ctx), key)
	return o, s.outOfReach(err)
}

// List implements store.Store.
func (s surrounding) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for o, err := range s.Store.List(beyond(ctx), prefix, delimiter, after) {
			if !yield(o, s.outOfReach(err)) {
				return
			}
		}
	}
}

var errOutside = errors.New("it lies outside of the archive, and is not changed")

// Put implements store.Store.
func (s surrounding) Put(context.Context, string, io.ReaderAt, store.Sums) (store.PutResult, error) {
	return store.PutResult{}, errOutside
}

// Delete implements store.Store.
func (s surrounding) Delete(context.Context, []string) error { return errOutside }

// surroundings are the prefixes within which an archive's lies, each opened.
func surroundings(scheme, bucket, prefix string, open func(prefix string, w redactedURL) store.Store) []store.Place {
	var places []store.Place
	for prefix != "" {
		prefix = strings.TrimSuffix(prefix, "/")
		prefix = prefix[:strings.LastIndexByte(prefix, '/')+1]
		u := url.URL{Scheme: scheme, Host: bucket, Path: strings.TrimSuffix("/"+prefix, "/")}
		places = append(places, store.Place{Address: u.String(), Store: surrounding{Store: open(prefix, redactedURL(u.String()))}})
	}
	return places
}

var (
	_ store.SurroundingsLister = (*memStore)(nil)
	_ store.SurroundingsLister = (*fileStore)(nil)
	_ store.SurroundingsLister = (*s3Store)(nil)
	_ store.SurroundingsLister = (*gcsStore)(nil)
	_ store.SurroundingsLister = (*azureStore)(nil)
)

// Surroundings implements store.SurroundingsLister.
func (s *memStore) Surroundings() []store.Place {
	return surroundings("mem", s.name, s.prefix, func(prefix string, w redactedURL) store.Store {
		return newMemStore(s.memory, s.name, prefix, w)
	})
}

// Surroundings implements store.SurroundingsLister with the directories above, where symbolic links lead.
func (s *fileStore) Surroundings() []store.Place {
	var places []store.Place
	for dir := config.RealPath(s.root); dir != filepath.Dir(dir); {
		dir = filepath.Dir(dir)
		u := url.URL{Scheme: "file", Path: dir}
		around := newFileStore(dir, redactedURL(u.String()))
		around.lent = true // nothing of a disk is held open between two operations
		places = append(places, store.Place{Address: u.String(), Store: surrounding{Store: around, isLocal: true}})
	}
	return places
}

// Surroundings implements store.SurroundingsLister. What was found out of the bucket holds for all of it.
func (s *s3Store) Surroundings() []store.Place {
	return surroundings("s3", s.bucketName, s.prefix, func(prefix string, w redactedURL) store.Store {
		around := &s3Store{
			redactedURL: w, s3Settings: s.s3Settings, client: s.client, bucketName: s.bucketName, timeout: s.timeout, log: s.log,
			parts: s.parts, unfinished: map[string]string{}, oldest: versionMemory{asking: make(chan struct{}, 1)}, transfer: s.transfer,
		}
		around.seen.Store(s.seen.Load())
		if known := s.oldest.known.Load(); known != nil {
			around.oldest.known.Store(known)
		}
		around.portable = portable{bucket: s.portable.bucket, prefix: prefix, fail: around.fail, hooks: s3Hooks}
		return around
	})
}

// Surroundings implements store.SurroundingsLister.
func (s *gcsStore) Surroundings() []store.Place {
	return surroundings("gs", s.bucketName, s.prefix, func(prefix string, w redactedURL) store.Store {
		around := &gcsStore{
			redactedURL: w, bucket: s.bucket, bucketName: s.bucketName, transport: s.transport, prefix: prefix, timeout: s.timeout, log: s.log,
			budget: s.budget, uploads: s.uploads,
		}
		around.seen.Store(s.seen.Load())
		return around
	})
}

// Surroundings implements store.SurroundingsLister.
func (s *azureStore) Surroundings() []store.Place {
	return surroundings("azblob", s.container, s.prefix, func(prefix string, w redactedURL) store.Store {
		return &azureStore{
			redactedURL: w, client: s.client, container: s.container, prefix: prefix, timeout: s.timeout,
			blocks: s.blocks, transport: s.transport, counter: s.counter,
		}
	})
}
