package portable

import (
	"context"
	"errors"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// deletesAtOnce is the number of concurrent requests to delete.
const deletesAtOnce = 16

// Delete implements store.Store, with one request for each object and without a condition.
func (s *adapter) Delete(ctx context.Context, objects []store.Object) error {
	errs := make([]error, len(objects))
	var g errgroup.Group
	g.SetLimit(deletesAtOnce)
	for i := range objects {
		g.Go(func() error {
			errs[i] = s.fail("deleting", objects[i].Key, s.remove(ctx, &objects[i]))
			return nil
		})
	}
	_ = g.Wait() // the errors are in errs
	return errors.Join(errs...)
}

// remove deletes one object. A missing object is no error. Objects of this store have no version, so an object with one
// is another store's.
func (s *adapter) remove(ctx context.Context, o *store.Object) error {
	if err := cloud.CheckKey(o.Key); err != nil {
		return err
	}
	if o.Version != "" {
		return s.Changed(o.Key)
	}
	if err := s.bucket.Delete(ctx, o.Key); err != nil && dialect.KindOf(err) != cloud.NotFound {
		return err
	}
	return nil
}
