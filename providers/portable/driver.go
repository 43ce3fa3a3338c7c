package portable

import (
	"cmp"
	"context"
	"strings"

	"gocloud.dev/blob"
	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// bucketDriver reads from another bucket. So the listings of that bucket pass the checks of package cloud, page by page.
type bucketDriver struct {
	cloud.Driver
	bucket *blob.Bucket
	page   int // objects per listing request at most; 0 means cloud.ListPage
}

// Attributes implements driver.Bucket. It passes on neither ETag nor MD5: a listing has no ETag, so it is no version.
// Some drivers return another checksum as the MD5.
func (d *bucketDriver) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	a, err := d.bucket.Attributes(ctx, key)
	if err != nil {
		return nil, err
	}
	return cloud.AttributesOf(&store.Object{Key: key, Size: a.Size, Modified: a.ModTime}, a.ContentType, a.ETag), nil
}

// NewRangeReader implements driver.Bucket. A range at or beyond the end is empty; some drivers return an error for it.
func (d *bucketDriver) NewRangeReader(
	ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions,
) (driver.Reader, error) {
	if err := cloud.Before(o.BeforeRead); err != nil {
		return nil, err
	}
	r, err := d.bucket.NewRangeReader(ctx, key, offset, length, nil)
	if err == nil {
		about := driver.ReaderAttributes{ContentType: r.ContentType(), ModTime: r.ModTime(), Size: r.Size()}
		return cloud.NewObjectReader(r, length, about), nil
	}
	if dialect.KindOf(err) == cloud.NotFound {
		return nil, err
	}
	a, attrErr := d.bucket.Attributes(ctx, key)
	if attrErr != nil || offset < a.Size {
		return nil, err
	}
	about := driver.ReaderAttributes{ContentType: a.ContentType, ModTime: a.ModTime, Size: a.Size}
	return cloud.NewObjectReader(cloud.NoContent(), 0, about), nil
}

// ListPaged implements driver.Bucket. A bucket cannot begin a listing after a key, so the caller skips what comes
// before.
func (d *bucketDriver) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	q, err := cloud.NewListRequest(o)
	if err != nil {
		return nil, err
	}
	most := cmp.Or(d.page, cloud.ListPage)
	size, token := min(o.PageSize, most), o.PageToken
	if size <= 0 {
		size = most
	}
	if len(token) == 0 {
		token = blob.FirstPageToken
	}
	listed, next, err := d.bucket.ListPage(ctx, token, size, &blob.ListOptions{Prefix: o.Prefix, Delimiter: o.Delimiter})
	if err != nil {
		return nil, err
	}
	var objects, prefixes []*driver.ListObject
	for _, l := range listed {
		if strings.Contains(o.Prefix, "_") && !strings.HasPrefix(l.Key, o.Prefix) {
			continue // azureblob stores "%" as "__0x25__", which begins with the prefix
		}
		if l.IsDir {
			prefixes = append(prefixes, cloud.ListedPrefix(l.Key))
			continue
		}
		objects = append(objects, cloud.ListedObject(&store.Object{Key: l.Key, Size: l.Size, Modified: l.ModTime}))
	}
	return &driver.ListPage{Objects: q.Merge(objects, prefixes), NextPageToken: next}, nil
}
