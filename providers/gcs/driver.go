package gcs

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"gocloud.dev/blob/driver"
	"google.golang.org/api/googleapi"
	raw "google.golang.org/api/storage/v1"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// bucketDriver is the gocloud.dev driver of a bucket: the half of the adapter that reads. Its keys are the names of
// objects, character for character. It lists and stats through the API itself: the module's iterator does not show
// whether an answer is a listing.
type bucketDriver struct {
	cloud.Driver
	store *adapter
}

// The fields of answers that an archive uses.
const (
	objectFields = "name,size,timeCreated,crc32c,md5Hash,generation,storageClass,contentType,etag," +
		"customerEncryption(encryptionAlgorithm)"
	listingFields = "kind,nextPageToken,prefixes,items(" + objectFields + ")"
	listingKind   = "storage#objects"
)

// Attributes implements driver.Bucket.
func (d *bucketDriver) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	o, err := d.stat(ctx, key)
	if err != nil {
		return nil, err
	}
	return cloud.AttributesOf(objectOf(o), o.ContentType, strconv.Quote(o.Etag)), nil
}

func (d *bucketDriver) stat(ctx context.Context, key string) (o *raw.Object, err error) {
	s := d.store
	err = s.try(ctx, s.short(), func(ctx context.Context) (err error) {
		o, err = s.service.Objects.Get(s.bucketName, key).Fields(objectFields).Context(ctx).Do()
		if err == nil && (o == nil || o.Name != key) {
			err = errNoObject
		}
		return s.whichMissing(ctx, err)
	})
	if err == nil {
		s.seen.Store(true)
	}
	return o, err
}

var errNoObject = errors.New("the answer does not describe an object; check the endpoint, and the proxies on the way")

// objectOf converts the service's description of an object. An object that was composed of others has no MD5. What
// cannot be parsed counts as missing.
func objectOf(o *raw.Object) *store.Object {
	out := &store.Object{Key: o.Name, Size: int64(o.Size), Class: o.StorageClass}
	if at, err := time.Parse(time.RFC3339, o.TimeCreated); err == nil {
		out.Modified = at
	}
	if o.Generation > 0 {
		out.Version = strconv.FormatInt(o.Generation, 10)
	}
	if b, err := base64.StdEncoding.DecodeString(o.Crc32c); err == nil && len(b) == 4 {
		crc := manifest.CRC32C(binary.BigEndian.Uint32(b))
		out.CRC32C = &crc
	}
	if b, err := base64.StdEncoding.DecodeString(o.Md5Hash); err == nil {
		out.MD5 = hex.EncodeToString(b)
	}
	return out
}

// NewRangeReader implements driver.Bucket. A range at or beyond the end is empty.
func (d *bucketDriver) NewRangeReader(ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	if err := cloud.Before(o.BeforeRead); err != nil {
		return nil, err
	}
	if length == 0 { // a range cannot be empty
		is, err := d.stat(ctx, key)
		if err != nil {
			return nil, err
		}
		about := driver.ReaderAttributes{ContentType: is.ContentType, ModTime: objectOf(is).Modified, Size: int64(is.Size)}
		return cloud.NewObjectReader(cloud.NoContent(), 0, about), nil
	}
	var r driver.Reader
	err := d.store.try(ctx, 0, func(ctx context.Context) (err error) {
		r, err = d.download(ctx, key, offset, length)
		return err
	})
	return r, err
}

// noPartial is in the module's error for an answer with a whole object, in place of a range. It has no value for that.
const noPartial = "partial request not satisfied"

// download makes one attempt to start a read. The module checks the CRC-32C if the whole object is read.
func (d *bucketDriver) download(ctx context.Context, key string, offset, length int64) (driver.Reader, error) {
	ctx, _ = newAttempt(ctx)
	s := d.store
	r, err := s.bucket.Object(key).NewRangeReader(cloud.ForContent(ctx), offset, length)
	var api *googleapi.Error
	switch {
	case errors.As(err, &api) && api.Code == http.StatusRequestedRangeNotSatisfiable:
		return cloud.NewObjectReader(cloud.NoContent(), 0, driver.ReaderAttributes{}), nil
	case err != nil && strings.Contains(err.Error(), noPartial):
		return nil, fmt.Errorf("%w: %w", store.ErrNoRanges, err)
	case err != nil:
		return nil, s.whichMissing(ctx, err)
	case r.Attrs.StartOffset != offset:
		r.Close()
		return nil, fmt.Errorf("the service returned a range from %d instead of %d: %w", r.Attrs.StartOffset, offset, store.ErrNoRanges)
	}
	s.seen.Store(true)
	return cloud.NewObjectReader(r, length, driver.ReaderAttributes{
		ContentType: r.Attrs.ContentType, ModTime: r.Attrs.LastModified, Size: r.Attrs.Size,
	}), nil
}

// ListPaged implements driver.Bucket. The service begins at the key of After itself.
func (d *bucketDriver) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	q, err := cloud.NewListRequest(o)
	if err != nil {
		return nil, err
	}
	s := d.store
	var found *raw.Objects
	err = s.try(ctx, s.short(), func(ctx context.Context) (err error) {
		found, err = s.page(ctx, o, q.After)
		if dialect.KindOf(err) == cloud.NotFound {
			return errNoBucket
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	s.seen.Store(true)
	var objects, prefixes []*driver.ListObject
	for _, is := range found.Items {
		if is == nil {
			continue
		}
		o := objectOf(is)
		// Only an object that another program encrypted with its own key has no CRC-32C. Any other lacks its size, too.
		if o.Size == 0 && o.CRC32C == nil && is.CustomerEncryption == nil {
			o.Size = -1
		}
		objects = append(objects, cloud.ListedObject(o))
	}
	for _, p := range found.Prefixes {
		prefixes = append(prefixes, cloud.ListedPrefix(p))
	}
	return &driver.ListPage{Objects: q.Merge(objects, prefixes), NextPageToken: []byte(found.NextPageToken)}, nil
}

// page requests a page of a listing.
func (s *adapter) page(ctx context.Context, o *driver.ListOptions, after string) (*raw.Objects, error) {
	size := o.PageSize
	if size <= 0 || size > cloud.ListPage {
		size = cloud.ListPage
	}
	call := s.service.Objects.List(s.bucketName).Prefix(o.Prefix).MaxResults(int64(size)).Projection("noAcl").
		Fields(listingFields).Context(cloud.ForListing(ctx))
	if o.Delimiter != "" {
		call = call.Delimiter(o.Delimiter)
	}
	if after != "" {
		call = call.StartOffset(after)
	}
	if len(o.PageToken) > 0 {
		call = call.PageToken(string(o.PageToken))
	}
	found, err := call.Do()
	var api *googleapi.Error
	switch {
	case errors.As(err, &api), err != nil && ctx.Err() != nil, errors.Is(err, cloud.ErrBadListing), isConnection(err):
		return nil, err
	case err != nil:
		return nil, fmt.Errorf("%w: the answer is not JSON (%w); check the endpoint, and the proxies on the way", cloud.ErrBadListing, err)
	case found == nil || found.Kind != listingKind:
		return nil, fmt.Errorf("%w: the answer is not of the kind %s; check the endpoint, and the proxies on the way",
			cloud.ErrBadListing, listingKind)
	}
	return found, nil
}
