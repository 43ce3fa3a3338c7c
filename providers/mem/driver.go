package mem

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// object is an object in memory. It is never changed.
type object struct {
	content  []byte
	sums     store.Sums
	modified time.Time
	version  string
}

func (o *object) about(key string) *store.Object {
	return &store.Object{Key: key, Size: o.sums.Size, Modified: o.modified, CRC32C: &o.sums.CRC32C, Version: o.version}
}

// bucketDriver is the gocloud.dev driver of a memory: the half of the adapter that reads.
type bucketDriver struct {
	cloud.Driver
	*memory
}

func (d *bucketDriver) find(key string) (object, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	o, ok := d.objects[key]
	if !ok {
		return object{}, fmt.Errorf("no object %q: %w", key, fs.ErrNotExist)
	}
	return o, nil
}

// Attributes implements driver.Bucket.
func (d *bucketDriver) Attributes(_ context.Context, key string) (*driver.Attributes, error) {
	o, err := d.find(key)
	if err != nil {
		return nil, err
	}
	return cloud.AttributesOf(o.about(key), "", ""), nil
}

// NewRangeReader implements driver.Bucket.
func (d *bucketDriver) NewRangeReader(_ context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	is, err := d.find(key)
	if err == nil {
		err = cloud.Before(o.BeforeRead)
	}
	if err != nil {
		return nil, err
	}
	content := bytes.NewReader(is.content[min(offset, is.sums.Size):])
	return cloud.NewObjectReader(io.NopCloser(content), length, driver.ReaderAttributes{ModTime: is.modified, Size: is.sums.Size}), nil
}

// ListPaged implements driver.Bucket. The token of the next page is the last key of this one.
func (d *bucketDriver) ListPaged(_ context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	q, err := cloud.NewListRequest(o)
	if err != nil {
		return nil, err
	}
	size := o.PageSize
	if size <= 0 {
		size = cloud.ListPage
	}
	after := max(q.After, string(o.PageToken))
	page := &driver.ListPage{}
	last := ""
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, key := range slices.Sorted(maps.Keys(d.objects)) {
		if !strings.HasPrefix(key, o.Prefix) || key <= after {
			continue
		}
		dir, rolled := cloud.RolledUp(o.Prefix, o.Delimiter, key)
		if rolled && (dir == last || dir == string(o.PageToken)) {
			continue
		}
		if len(page.Objects) == size {
			page.NextPageToken = []byte(last)
			break
		}
		if last = key; rolled {
			last = dir
			page.Objects = append(page.Objects, cloud.ListedPrefix(dir))
			continue
		}
		is := d.objects[key]
		page.Objects = append(page.Objects, cloud.ListedObject(is.about(key)))
	}
	return page, nil
}
