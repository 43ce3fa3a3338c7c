package gcs

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"sync"

	"cloud.google.com/go/storage"
	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// deletesAtOnce is the number of concurrent requests to delete. Each key takes one request.
const deletesAtOnce = 16

// whichMissing distinguishes a missing bucket from a missing object if the answer does not.
func (s *adapter) whichMissing(ctx context.Context, err error) error {
	if dialect.KindOf(err) != cloud.NotFound || s.seen.Load() {
		return err
	}
	_, listErr := s.page(ctx, &driver.ListOptions{Prefix: s.Prefix, PageSize: 1}, "")
	switch k := dialect.KindOf(listErr); {
	case listErr == nil:
		s.seen.Store(true)
	case k == cloud.NotFound || k == cloud.NoBucket:
		return errNoBucket
	}
	return err
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
	object := s.bucket.Object(s.Prefix + o.Key)
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
