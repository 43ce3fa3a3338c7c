package azure

import (
	"context"
	"errors"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// deletesAtOnce is the number of concurrent requests to delete.
const deletesAtOnce = 16

// Delete implements store.Store, with one request for each object. The service compares the ETag.
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

// remove deletes one object. A missing object is no error.
func (s *adapter) remove(ctx context.Context, o *store.Object) error {
	if err := cloud.CheckKey(o.Key); err != nil {
		return err
	}
	var options *blob.DeleteOptions
	if o.Version != "" {
		tag := azcore.ETag(`"` + o.Version + `"`)
		options = &blob.DeleteOptions{AccessConditions: &blob.AccessConditions{
			ModifiedAccessConditions: &blob.ModifiedAccessConditions{IfMatch: &tag},
		}}
	}
	out, err := s.client.NewBlobClient(s.Prefix+o.Key).Delete(ctx, options)
	switch {
	case err == nil:
		return acknowledged(out.RequestID, nil)
	case bloberror.HasCode(err, bloberror.BlobNotFound):
		return nil
	case options != nil && bloberror.HasCode(err, bloberror.ConditionNotMet):
		// A missing object may not meet the condition either.
		if _, there := s.Stat(ctx, o.Key); dialect.KindOf(there) == cloud.NotFound {
			return nil
		}
		return s.Changed(o.Key)
	}
	return err
}
