package azure

import (
	"context"
	"encoding/hex"
	"errors"
	"io"
	"iter"
	"slices"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// deletesAtOnce is the number of concurrent requests to delete.
const deletesAtOnce = 16

// Stat implements store.Store. Azure has no CRC-32C; it returns the MD5 that Put stored.
func (s *adapter) Stat(ctx context.Context, key string) (store.Object, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.Object{}, s.fail("checking", key, err)
	}
	p, err := s.client.NewBlobClient(s.prefix+key).GetProperties(ctx, nil)
	if err != nil {
		return store.Object{}, s.fail("checking", key, err)
	}
	return store.Object{
		Key: key, Size: value(p.ContentLength), Modified: value(p.LastModified), MD5: hex.EncodeToString(p.ContentMD5),
		Version: versionOf(p.ETag), Frozen: frozenTier(value(p.AccessTier)),
	}, nil
}

// frozenTier returns the archive tier, from which objects must be moved before they can be read, and "" for any other
// tier. An object that is being moved has the archive tier still.
func frozenTier(tier string) string {
	if tier == string(blob.AccessTierArchive) {
		return tier
	}
	return ""
}

// isDirectory reports whether a listed blob is a directory of an account with a hierarchical namespace, or the marker
// of a directory.
func isDirectory(key string, p *container.BlobProperties) bool {
	return cloud.IsMarker(key) || p != nil && value(p.ResourceType) == "directory"
}

// versionOf returns an ETag without quotes: listings have none.
func versionOf(tag *azcore.ETag) string { return strings.Trim(string(value(tag)), `"`) }

// value returns *p, and the zero value if p is nil.
func value[T any](p *T) (v T) {
	if p != nil {
		v = *p
	}
	return v
}

// Get implements store.Store. An offset at or beyond the end returns no bytes and no error.
func (s *adapter) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	nothing := io.NopCloser(strings.NewReader(""))
	if length == 0 { // a range cannot be empty
		_, err := s.Stat(ctx, key)
		return nothing, err
	}
	if err := cloud.CheckKey(key); err != nil {
		return nil, s.fail("getting", key, err)
	}
	r, err := s.client.NewBlobClient(s.prefix+key).DownloadStream(ctx, &blob.DownloadStreamOptions{
		Range: blob.HTTPRange{Offset: offset, Count: max(length, blob.CountToEnd)},
	})
	switch {
	case bloberror.HasCode(err, bloberror.InvalidRange):
		return nothing, nil
	case err != nil:
		return nil, s.fail("getting", key, err)
	}
	return &blobReader{r.Body, s, key}, nil
}

// blobReader returns errors that name the key.
type blobReader struct {
	io.ReadCloser
	store *adapter
	key   string
}

func (r *blobReader) Read(b []byte) (int, error) {
	n, err := r.ReadCloser.Read(b)
	if err != nil && !errors.Is(err, io.EOF) {
		err = r.store.fail("reading", r.key, err)
	}
	return n, err
}

// List implements store.Store.
func (s *adapter) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		// If after is inside a rolled-up prefix, that prefix comes first, provided that it has a later
		// key.
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

// errUnsorted is reported for an account with a hierarchical namespace: it lists by directories, and archives
// rely on the order of the names.
var errUnsorted = errors.New("the service does not list in the order of the names; " +
	"accounts with a hierarchical namespace cannot hold an archive")

// flat lists the objects after a key, and the rolled-up prefixes that sort after it. It also requests the
// earlier ones, and skips them: Azure's startFrom is new, and Azurite ignores it.
func (s *adapter) flat(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		last := ""
		for page, err := range s.pages(ctx, s.prefix+prefix, delimiter) {
			if err != nil {
				yield(store.Object{}, s.fail("listing", prefix, err))
				return
			}
			for _, o := range page {
				switch {
				case o.Key == last && o.IsDir:
					continue // the previous page had the same rolled-up prefix
				case o.Key <= last:
					yield(store.Object{}, s.fail("listing", prefix, errUnsorted))
					return
				case o.Key > after && !yield(o, nil):
					return
				}
				last = o.Key
			}
		}
	}
}

// pages requests the pages of a listing, and sorts each one: the service returns prefixes after objects.
func (s *adapter) pages(ctx context.Context, prefix, delimiter string) iter.Seq2[[]store.Object, error] {
	size := to.Ptr(int32(cloud.ListPage))
	if delimiter == "" {
		pager := s.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix, MaxResults: size})
		return func(yield func([]store.Object, error) bool) {
			for pager.More() {
				page, err := pager.NextPage(ctx)
				if err != nil {
					yield(nil, err)
					return
				}
				var blobs []*container.BlobItem
				if page.Segment != nil {
					blobs = page.Segment.BlobItems
				}
				if !yield(s.objects(blobs, nil), nil) {
					return
				}
			}
		}
	}
	pager := s.client.NewListBlobsHierarchyPager(delimiter, &container.ListBlobsHierarchyOptions{Prefix: &prefix, MaxResults: size})
	return func(yield func([]store.Object, error) bool) {
		for pager.More() {
			page, err := pager.NextPage(ctx)
			if err != nil {
				yield(nil, err)
				return
			}
			var blobs []*container.BlobItem
			var dirs []*container.BlobPrefix
			if page.Segment != nil {
				blobs, dirs = page.Segment.BlobItems, page.Segment.BlobPrefixes
			}
			if !yield(s.objects(blobs, dirs), nil) {
				return
			}
		}
	}
}

// objects converts a page, and sorts it.
func (s *adapter) objects(blobs []*container.BlobItem, dirs []*container.BlobPrefix) []store.Object {
	out := make([]store.Object, 0, len(blobs)+len(dirs))
	for _, b := range blobs {
		o := store.Object{Key: strings.TrimPrefix(value(b.Name), s.prefix)}
		if isDirectory(o.Key, b.Properties) {
			continue
		}
		if p := b.Properties; p != nil {
			o.Size, o.Modified, o.MD5 = value(p.ContentLength), value(p.LastModified), hex.EncodeToString(p.ContentMD5)
			o.Version, o.Frozen = versionOf(p.ETag), frozenTier(string(value(p.AccessTier)))
		}
		out = append(out, o)
	}
	for _, d := range dirs {
		out = append(out, store.Object{Key: strings.TrimPrefix(value(d.Name), s.prefix), IsDir: true})
	}
	slices.SortFunc(out, func(a, b store.Object) int { return strings.Compare(a.Key, b.Key) })
	return out
}

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
	_, err := s.client.NewBlobClient(s.prefix+o.Key).Delete(ctx, options)
	switch {
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
