package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"strings"
	"sync"
	"time"

	"google.golang.org/api/googleapi"
	gcs "google.golang.org/api/storage/v1"

	"github.com/strongroom-dev/strongroom/archive"
)

// gcsFields are those of an object that are asked for.
const gcsFields = "name,size,timeCreated,crc32c,md5Hash,generation"

// gcsDeletes is how many keys are deleted at once: each takes a request.
const gcsDeletes = 16

// Stat implements archive.Store.
func (s *gcsStore) Stat(ctx context.Context, key string) (archive.Object, error) {
	if err := checkKey(key); err != nil {
		return archive.Object{}, s.fail("looking at", key, err)
	}
	var o *gcs.Object
	err := s.try(ctx, s.short(), func(ctx context.Context) (err error) {
		o, err = s.service.Objects.Get(s.bucketName, s.prefix+key).Fields(gcsFields).Context(ctx).Do()
		return s.whichMissing(ctx, err)
	})
	if err != nil {
		return archive.Object{}, s.fail("looking at", key, err)
	}
	s.seen.Store(true)
	return s.object(o), nil
}

// object turns the service's description of an object into the archive's. An object that
// was composed of others has no MD5.
func (s *gcsStore) object(o *gcs.Object) archive.Object {
	out := archive.Object{Key: strings.TrimPrefix(o.Name, s.prefix), Size: int64(o.Size)}
	if t, err := time.Parse(time.RFC3339, o.TimeCreated); err == nil {
		out.Modified = t
	}
	if crc, ok := crcFromHeader(&o.Crc32c); ok {
		out.CRC32C = &crc
	}
	out.MD5 = gcsMD5(o.Md5Hash)
	return out
}

// whichMissing tells a missing bucket from a missing object where the answer does not
// say it.
func (s *gcsStore) whichMissing(ctx context.Context, err error) error {
	if classify1(err) != NotFound || s.seen.Load() {
		return err
	}
	_, listErr := s.service.Objects.List(s.bucketName).MaxResults(1).Prefix(s.prefix).Fields("kind").Context(ctx).Do()
	switch k := classify1(listErr); {
	case listErr == nil:
		s.seen.Store(true)
	case k == NotFound || k == NoBucket:
		return errGCSNoBucket
	}
	return err
}

// Get implements archive.Store. An offset at or beyond the end reads as nothing.
func (s *gcsStore) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if err := checkKey(key); err != nil {
		return nil, s.fail("getting", key, err)
	}
	if offset < 0 {
		return nil, s.fail("getting", key, fmt.Errorf("offset %d is before the beginning", offset))
	}
	if length == 0 { // no range can ask for that
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
	return &reader{body, &portable{fail: s.fail}, key}, nil
}

// download makes one attempt to begin reading.
func (s *gcsStore) download(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	call := s.service.Objects.Get(s.bucketName, s.prefix+key).Context(ctx)
	switch {
	case length > 0:
		call.Header().Set("Range", fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		call.Header().Set("Range", fmt.Sprintf("bytes=%d-", offset))
	}
	r, err := call.Download()
	var api *googleapi.Error
	switch {
	case errors.As(err, &api) && api.Code == http.StatusRequestedRangeNotSatisfiable:
		return io.NopCloser(strings.NewReader("")), nil
	case err != nil:
		return nil, s.whichMissing(ctx, err)
	case offset > 0 && r.StatusCode != http.StatusPartialContent:
		r.Body.Close()
		return nil, fmt.Errorf("the service answered %s instead of the range that was asked for", r.Status)
	}
	s.seen.Store(true)
	if length < 0 {
		return r.Body, nil
	}
	return struct {
		io.Reader
		io.Closer
	}{io.LimitReader(r.Body, length), r.Body}, nil
}

// List implements archive.Store.
func (s *gcsStore) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[archive.Object, error] {
	return func(yield func(archive.Object, error) bool) {
		// What lies in a rolled-up prefix and after the key is looked up, as in portable.
		if dir, ok := rolledUp(prefix, delimiter, after); ok {
			for _, err := range s.flat(ctx, dir, "", after) {
				if !yield(archive.Object{Key: dir, IsDir: true}, err) || err != nil {
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

// flat lists page by page what comes after a key; rolled-up prefixes only that begin
// after it. The service begins at the key itself.
func (s *gcsStore) flat(ctx context.Context, prefix, delimiter, after string) iter.Seq2[archive.Object, error] {
	return func(yield func(archive.Object, error) bool) {
		for token := ""; ; {
			var page *gcs.Objects
			err := s.try(ctx, s.short(), func(ctx context.Context) (err error) {
				call := s.service.Objects.List(s.bucketName).Prefix(s.prefix + prefix).MaxResults(listPage).
					Fields("nextPageToken,prefixes,items(" + gcsFields + ")").Context(ctx)
				if delimiter != "" {
					call.Delimiter(delimiter)
				}
				if after != "" {
					call.StartOffset(s.prefix + after)
				}
				if token != "" {
					call.PageToken(token)
				}
				page, err = call.Do()
				if classify1(err) == NotFound {
					return errGCSNoBucket
				}
				return err
			})
			if err != nil {
				yield(archive.Object{}, s.fail("listing", prefix, err))
				return
			}
			s.seen.Store(true)
			for _, o := range s.merge(page) {
				if o.Key > after && !yield(o, nil) {
					return
				}
			}
			if token = page.NextPageToken; token == "" {
				return
			}
		}
	}
}

// merge puts a page's objects and its rolled-up prefixes, each in order, into one order.
func (s *gcsStore) merge(page *gcs.Objects) []archive.Object {
	out := make([]archive.Object, 0, len(page.Items)+len(page.Prefixes))
	dirs := page.Prefixes
	for _, o := range page.Items {
		for len(dirs) > 0 && dirs[0] < o.Name {
			out, dirs = append(out, s.dir(dirs[0])), dirs[1:]
		}
		out = append(out, s.object(o))
	}
	for _, d := range dirs {
		out = append(out, s.dir(d))
	}
	return out
}

func (s *gcsStore) dir(name string) archive.Object {
	return archive.Object{Key: strings.TrimPrefix(name, s.prefix), IsDir: true}
}

// Delete implements archive.Store, with a request for each key.
func (s *gcsStore) Delete(ctx context.Context, keys []string) error {
	errs := make([]error, len(keys))
	next := make(chan int)
	var wg sync.WaitGroup
	for range min(gcsDeletes, len(keys)) {
		wg.Go(func() {
			for i := range next {
				errs[i] = s.fail("deleting", keys[i], s.remove(ctx, keys[i]))
			}
		})
	}
	for i := range keys {
		next <- i
	}
	close(next)
	wg.Wait()
	return errors.Join(errs...)
}

// remove deletes one object. That there is none is no error.
func (s *gcsStore) remove(ctx context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return err
	}
	err := s.try(ctx, s.short(), func(ctx context.Context) error {
		return s.whichMissing(ctx, s.service.Objects.Delete(s.bucketName, s.prefix+key).Context(ctx).Do())
	})
	if classify1(err) == NotFound {
		return nil
	}
	return err
}
