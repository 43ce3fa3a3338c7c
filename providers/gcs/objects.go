package gcs

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"cloud.google.com/go/storage"
	"google.golang.org/api/googleapi"
	"google.golang.org/api/iterator"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// deletesAtOnce is the number of concurrent requests to delete. Each key takes one request.
const deletesAtOnce = 16

// Stat implements store.Store.
func (s *adapter) Stat(ctx context.Context, key string) (store.Object, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.Object{}, s.fail("checking", key, err)
	}
	var o *storage.ObjectAttrs
	err := s.try(ctx, s.short(), func(ctx context.Context) (err error) {
		o, err = s.bucket.Object(s.prefix + key).Attrs(ctx)
		return s.whichMissing(ctx, err)
	})
	if err != nil {
		return store.Object{}, s.fail("checking", key, err)
	}
	s.seen.Store(true)
	return s.object(o), nil
}

// object converts the service's description of an object or of a rolled-up prefix. An object that was
// composed of others has no MD5. The module does not distinguish a CRC-32C of 0 from a missing one: 0 counts
// only for an empty object.
func (s *adapter) object(o *storage.ObjectAttrs) store.Object {
	if o.Prefix != "" {
		return store.Object{Key: strings.TrimPrefix(o.Prefix, s.prefix), IsDir: true}
	}
	out := store.Object{Key: strings.TrimPrefix(o.Name, s.prefix), Size: o.Size, Modified: o.Created, MD5: hex.EncodeToString(o.MD5)}
	if o.Generation > 0 {
		out.Version = strconv.FormatInt(o.Generation, 10)
	}
	if crc := manifest.CRC32C(o.CRC32C); crc != 0 || o.Size == 0 {
		out.CRC32C = &crc
	}
	return out
}

// whichMissing distinguishes a missing bucket from a missing object if the answer does not.
func (s *adapter) whichMissing(ctx context.Context, err error) error {
	if dialect.KindOf(err) != cloud.NotFound || s.seen.Load() {
		return err
	}
	_, _, listErr := s.page(ctx, listQuery(s.prefix), 1, "")
	switch k := dialect.KindOf(listErr); {
	case listErr == nil:
		s.seen.Store(true)
	case k == cloud.NotFound || k == cloud.NoBucket:
		return errNoBucket
	}
	return err
}

// Get implements store.Store. An offset at or beyond the end returns no bytes and no error.
func (s *adapter) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := cloud.CheckKey(key); err != nil {
		return nil, s.fail("getting", key, err)
	}
	if offset < 0 {
		return nil, s.fail("getting", key, fmt.Errorf("offset %d is negative", offset))
	}
	if length == 0 { // a range cannot be empty
		_, err := s.Stat(ctx, key)
		return io.NopCloser(strings.NewReader("")), err
	}
	var body io.ReadCloser
	err := s.try(ctx, 0, func(ctx context.Context) (err error) {
		body, err = s.download(ctx, key, offset, length)
		return err
	})
	if err != nil {
		return nil, s.fail("getting", key, err)
	}
	return cloud.NamedReader(body, key, s.fail), nil
}

// download makes one attempt to start a read. The module checks the CRC-32C if the whole object is read.
func (s *adapter) download(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	ctx, _ = newAttempt(ctx)
	r, err := s.bucket.Object(s.prefix+key).NewRangeReader(ctx, offset, length)
	var api *googleapi.Error
	switch {
	case errors.As(err, &api) && api.Code == http.StatusRequestedRangeNotSatisfiable:
		return io.NopCloser(strings.NewReader("")), nil
	case err != nil:
		return nil, s.whichMissing(ctx, err)
	case r.Attrs.StartOffset != offset:
		r.Close()
		return nil, fmt.Errorf("the service returned a range from %d instead of %d", r.Attrs.StartOffset, offset)
	}
	s.seen.Store(true)
	if length < 0 {
		return r, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r, length), r}, nil
}

// List implements store.Store.
func (s *adapter) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		// If the key is inside a rolled-up prefix, a listing checks whether a later key is there, too, as
		// in cloud.RollUp.
		if dir, ok := cloud.RolledUp(prefix, delimiter, after); ok {
			for _, err := range s.flat(ctx, dir, "", after) {
				if !yield(store.Object{Key: dir, IsDir: true}, err) || err != nil {
					return
				}
				break
			}
		}
		for o, err := range s.flat(ctx, prefix, delimiter, after) {
			if !yield(o, err) || err != nil {
				return
			}
		}
	}
}

// flat lists the objects after a key, and the rolled-up prefixes that sort after it. The service starts at
// the key itself, so flat skips the key.
func (s *adapter) flat(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		q := listQuery(s.prefix + prefix)
		q.Delimiter = delimiter
		if after != "" {
			q.StartOffset = s.prefix + after
		}
		for token := ""; ; {
			var page []store.Object
			var next string
			err := s.try(ctx, s.short(), func(ctx context.Context) (err error) {
				page, next, err = s.page(ctx, q, cloud.ListPage, token)
				if dialect.KindOf(err) == cloud.NotFound {
					return errNoBucket
				}
				return err
			})
			if err != nil {
				yield(store.Object{}, s.fail("listing", prefix, err))
				return
			}
			s.seen.Store(true)
			for _, o := range page {
				if o.Key > after && !yield(o, nil) {
					return
				}
			}
			if token = next; token == "" {
				return
			}
		}
	}
}

// listQuery returns a query for the objects below a prefix, with the attributes that an archive uses.
func listQuery(prefix string) *storage.Query {
	q := &storage.Query{Prefix: prefix, Projection: storage.ProjectionNoACL}
	q.SetAttrSelection([]string{"Name", "Size", "Created", "CRC32C", "MD5", "Generation"}) // fails only for other names
	return q
}

// page requests a page of a listing. It returns the page in the order of keys, since the service returns
// objects and rolled-up prefixes separately, and the token of the next page, which is empty after the last.
func (s *adapter) page(ctx context.Context, q *storage.Query, size int, token string) ([]store.Object, string, error) {
	it := s.bucket.Objects(ctx, q)
	info := it.PageInfo()
	info.MaxSize, info.Token = size, token
	var page []store.Object
	for len(page) == 0 || info.Remaining() > 0 {
		o, err := it.Next()
		if errors.Is(err, iterator.Done) {
			return nil, "", nil
		}
		if err != nil {
			return nil, "", err
		}
		if listed := s.object(o); listed.IsDir || !cloud.IsMarker(listed.Key) {
			page = append(page, listed)
		}
	}
	slices.SortFunc(page, func(a, b store.Object) int { return strings.Compare(a.Key, b.Key) })
	return page, info.Token, nil
}

// Delete implements store.Store, with one request for each object. The service compares the generation.
func (s *adapter) Delete(ctx context.Context, objects []store.Object) error {
	errs := make([]error, len(objects))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(deletesAtOnce, len(objects)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = s.fail("deleting", objects[i].Key, s.remove(ctx, &objects[i]))
			}
		})
	}
	for i := range objects {
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}

// remove deletes one object. A missing object is no error.
func (s *adapter) remove(ctx context.Context, o *store.Object) error {
	if err := cloud.CheckKey(o.Key); err != nil {
		return err
	}
	object := s.bucket.Object(s.prefix + o.Key)
	if o.Version != "" {
		generation, err := strconv.ParseInt(o.Version, 10, 64)
		if err != nil {
			return fmt.Errorf("%.40q is no generation: %w", o.Version, err)
		}
		object = object.If(storage.Conditions{GenerationMatch: generation})
	}
	err := s.try(ctx, s.short(), func(ctx context.Context) error {
		return s.whichMissing(ctx, object.Delete(ctx))
	})
	switch dialect.KindOf(err) {
	case cloud.NotFound:
		return nil
	case cloud.Precondition:
		// A missing object may not meet the condition either.
		if _, there := s.Stat(ctx, o.Key); dialect.KindOf(there) == cloud.NotFound {
			return nil
		}
		if o.Version != "" {
			return s.Changed(o.Key)
		}
	}
	return err
}
