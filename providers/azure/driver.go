package azure

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/azcore/to"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/blob"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/container"
	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// bucketDriver is the gocloud.dev driver of a container: the half of the adapter that reads. Its keys are the names of
// blobs, character for character.
type bucketDriver struct {
	cloud.Driver
	client *container.Client
}

// Attributes implements driver.Bucket. Azure has no CRC-32C; it returns the MD5 that Put stored.
func (d *bucketDriver) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	p, err := d.client.NewBlobClient(key).GetProperties(ctx, nil)
	if err != nil {
		return nil, err
	}
	if err := acknowledged(p.RequestID, p.ETag); err != nil {
		return nil, err
	}
	if p.ContentLength == nil {
		return nil, errNoLength
	}
	o := &store.Object{
		Key: key, Size: *p.ContentLength, Modified: value(p.LastModified), MD5: hex.EncodeToString(p.ContentMD5),
		Version: versionOf(p.ETag), Frozen: frozenTier(value(p.AccessTier)),
		Class: value(p.AccessTier),
	}
	o.Thawing = o.Frozen != "" && isRehydrating(p.ArchiveStatus)
	return cloud.AttributesOf(o, value(p.ContentType), string(value(p.ETag))), nil
}

var errNoLength = errors.New("the answer has no length; check the endpoint, and the proxies on the way")

// frozenTier returns the archive tier, from which objects must be moved before they can be read, and "" for any other
// tier. An object that is being moved has the archive tier still.
func frozenTier(tier string) string {
	if tier == string(blob.AccessTierArchive) {
		return tier
	}
	return ""
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

// NewRangeReader implements driver.Bucket. A range at or beyond the end is empty.
func (d *bucketDriver) NewRangeReader(ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	if err := cloud.Before(o.BeforeRead); err != nil {
		return nil, err
	}
	if length == 0 { // a range cannot be empty
		a, err := d.Attributes(ctx, key)
		if err != nil {
			return nil, err
		}
		about := driver.ReaderAttributes{ContentType: a.ContentType, ModTime: a.ModTime, Size: a.Size}
		return cloud.NewObjectReader(cloud.NoContent(), 0, about), nil
	}
	r, err := d.client.NewBlobClient(key).DownloadStream(ctx, &blob.DownloadStreamOptions{
		Range: blob.HTTPRange{Offset: offset, Count: max(length, blob.CountToEnd)},
	})
	switch {
	case bloberror.HasCode(err, bloberror.InvalidRange):
		return cloud.NewObjectReader(cloud.NoContent(), 0, driver.ReaderAttributes{}), nil
	case err != nil:
		return nil, err
	}
	if err := acknowledged(r.RequestID, r.ETag); err != nil {
		r.Body.Close()
		return nil, err
	}
	if (offset > 0 || r.ContentRange != nil) && !strings.HasPrefix(value(r.ContentRange), fmt.Sprintf("bytes %d-", offset)) {
		r.Body.Close()
		return nil, fmt.Errorf("the service returned other bytes (%q) than those from %d on: %w",
			value(r.ContentRange), offset, store.ErrNoRanges)
	}
	size := sizeOf(r.ContentLength, r.ContentRange)
	body, err := cloud.Unpacked(r.Body, cloud.Packing{
		Encoding: value(r.ContentEncoding), IsPart: r.ContentRange != nil, Size: size,
		Stored: func() (int64, error) {
			a, err := d.Attributes(ctx, key)
			if err != nil {
				return 0, err
			}
			return a.Size, nil
		},
	})
	if err != nil {
		return nil, err
	}
	return cloud.NewObjectReader(body, length, driver.ReaderAttributes{
		ContentType: value(r.ContentType), ModTime: value(r.LastModified), Size: size,
	}), nil
}

// sizeOf returns the object's size according to an answer, and -1 if the answer does not state it. The length of a part is
// not the object's size.
func sizeOf(length *int64, contentRange *string) int64 {
	if contentRange != nil {
		_, total, _ := strings.Cut(*contentRange, "/")
		if n, err := strconv.ParseInt(total, 10, 64); err == nil {
			return n
		}
		return -1
	}
	if length == nil {
		return -1
	}
	return *length
}

// ListPaged implements driver.Bucket. It does not begin after a key: Azure's startFrom is new, and Azurite ignores it.
func (d *bucketDriver) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	q, err := cloud.NewListRequest(o)
	if err != nil {
		return nil, err
	}
	size := o.PageSize
	if size <= 0 || size > cloud.ListPage {
		size = cloud.ListPage
	}
	var marker *string
	if len(o.PageToken) > 0 {
		marker = to.Ptr(string(o.PageToken))
	}
	ctx = cloud.ForListing(ctx, "EnumerationResults")
	blobs, prefixes, next, err := d.page(ctx, o.Prefix, o.Delimiter, marker, to.Ptr(int32(size)))
	if err != nil {
		return nil, err
	}
	var objects, dirs []*driver.ListObject
	for _, b := range blobs {
		if isDirectory(b) {
			q.Unordered = true // such an account lists by directories
			continue
		}
		objects = append(objects, cloud.ListedObject(objectOf(b)))
	}
	for _, p := range prefixes {
		dirs = append(dirs, cloud.ListedPrefix(value(p.Name)))
	}
	return &driver.ListPage{Objects: q.Merge(objects, dirs), NextPageToken: []byte(next)}, nil
}

// page requests a page of a listing.
func (d *bucketDriver) page(ctx context.Context, prefix, delimiter string, marker *string, size *int32) (
	blobs []*container.BlobItem, prefixes []*container.BlobPrefix, next string, _ error,
) {
	if delimiter == "" {
		pager := d.client.NewListBlobsFlatPager(&container.ListBlobsFlatOptions{Prefix: &prefix, Marker: marker, MaxResults: size})
		page, err := pager.NextPage(ctx)
		if err != nil {
			return nil, nil, "", err
		}
		if page.Segment != nil {
			blobs = page.Segment.BlobItems
		}
		return blobs, nil, value(page.NextMarker), nil
	}
	options := &container.ListBlobsHierarchyOptions{Prefix: &prefix, Marker: marker, MaxResults: size}
	page, err := d.client.NewListBlobsHierarchyPager(delimiter, options).NextPage(ctx)
	if err != nil {
		return nil, nil, "", err
	}
	if page.Segment != nil {
		blobs, prefixes = page.Segment.BlobItems, page.Segment.BlobPrefixes
	}
	return blobs, prefixes, value(page.NextMarker), nil
}

// isDirectory reports whether a blob is a directory of an account with a hierarchical namespace.
func isDirectory(b *container.BlobItem) bool {
	return b.Properties != nil && strings.EqualFold(value(b.Properties.ResourceType), "directory")
}

func objectOf(b *container.BlobItem) *store.Object {
	o := &store.Object{Key: value(b.Name), Size: -1}
	if p := b.Properties; p != nil {
		o.Size, o.Modified, o.MD5 = cloud.ListedSize(p.ContentLength), value(p.LastModified), hex.EncodeToString(p.ContentMD5)
		o.Class = string(value(p.AccessTier))
		o.Version, o.Frozen = versionOf(p.ETag), frozenTier(o.Class)
	}
	return o
}
