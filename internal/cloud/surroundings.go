package cloud

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"net/url"
	"strings"

	"github.com/strongroom-dev/strongroom/internal/redact"
	"github.com/strongroom-dev/strongroom/store"
)

// Surrounding is a prefix or directory above an archive. It is read-only, and the archive's credentials may
// not reach it. An error wraps fs.ErrPermission if they do not.
type Surrounding struct {
	store.Store
	IsLocal bool // a directory, where any failed read counts as denied, such as a link that leads elsewhere
}

// beyondKey marks requests that a service may deny although the credentials are correct.
type beyondKey struct{}

func beyond(ctx context.Context) context.Context { return context.WithValue(ctx, beyondKey{}, true) }

// GoesBeyond reports whether a request is for a place outside of the archive.
func GoesBeyond(ctx context.Context) bool { return ctx.Value(beyondKey{}) != nil }

// outOfReach makes an error wrap fs.ErrPermission if the credentials do not reach the place. Some services
// report credentials that are limited to the archive's prefix as wrong credentials.
func (s Surrounding) outOfReach(err error) error {
	var known *Error
	if s.IsLocal && err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, context.Canceled) {
		return fmt.Errorf("%w (%w)", err, fs.ErrPermission)
	}
	if errors.As(err, &known) && known.Kind == BadCredentials {
		return fmt.Errorf("%w (%w)", err, fs.ErrPermission)
	}
	return err
}

// Get implements store.Store.
func (s Surrounding) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := s.Store.Get(beyond(ctx), key, offset, length)
	return r, s.outOfReach(err)
}

// Stat implements store.Store.
func (s Surrounding) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := s.Store.Stat(beyond(ctx), key)
	return o, s.outOfReach(err)
}

// List implements store.Store.
func (s Surrounding) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for o, err := range s.Store.List(beyond(ctx), prefix, delimiter, after) {
			if !yield(o, s.outOfReach(err)) {
				return
			}
		}
	}
}

var errOutside = errors.New("it is outside of the archive, and read-only")

// Put implements store.Store.
func (s Surrounding) Put(context.Context, string, io.ReaderAt, store.Sums) (store.PutResult, error) {
	return store.PutResult{}, errOutside
}

// Delete implements store.Store.
func (s Surrounding) Delete(context.Context, []store.Object) error { return errOutside }

// Surroundings returns the prefixes that contain an archive's prefix, the nearest first. open returns the
// store of one prefix.
func Surroundings(scheme, bucket, prefix string, open func(prefix string, w RedactedURL) store.Store) []store.Place {
	var places []store.Place
	for prefix != "" {
		prefix = strings.TrimSuffix(prefix, "/")
		prefix = prefix[:strings.LastIndexByte(prefix, '/')+1]
		u := url.URL{Scheme: scheme, Host: bucket, Path: strings.TrimSuffix("/"+prefix, "/")}
		where := redact.URL(u.String())
		places = append(places, store.Place{Address: where, Store: Surrounding{Store: open(prefix, RedactedURL(where))}})
	}
	return places
}
