package s3

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// bucketDriver is the gocloud.dev driver of a bucket: the half of the adapter that reads. Its keys are those of the
// bucket, character for character. In a bucket that keeps versions it reads and lists the oldest version of each key.
type bucketDriver struct {
	cloud.Driver
	store *adapter
}

// Attributes implements driver.Bucket.
func (d *bucketDriver) Attributes(ctx context.Context, key string) (*driver.Attributes, error) {
	o, h, err := d.head(ctx, key)
	if err != nil {
		return nil, err
	}
	return cloud.AttributesOf(o, aws.ToString(h.ContentType), aws.ToString(h.ETag)), nil
}

// head requests an object's size, time and checksum.
func (d *bucketDriver) head(ctx context.Context, key string) (*store.Object, *s3.HeadObjectOutput, error) {
	s := d.store
	var h *s3.HeadObjectOutput
	var at *string
	err := s.atOldest(ctx, key, func(id *string) (err error) {
		at = id
		h, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucketName, Key: &key, VersionId: id, ChecksumMode: s.mode()}, s.eachWithin)
		return s.explain(ctx, key, id, err)
	})
	if err == nil && h.ContentLength == nil {
		h.ContentLength, err = s.sizeOf(ctx, key, at)
	}
	if err != nil {
		return nil, nil, s.whichMissing(ctx, err)
	}
	s.seen.Store(true)
	o := &store.Object{
		Key: key, Size: *h.ContentLength, Modified: aws.ToTime(h.LastModified),
		Class: classNow(h.StorageClass),
	}
	noteThaw(o, h)
	if o.Version = tagOf(h.ETag); at != nil {
		o.Version = stampOf(*at, o.Version)
	}
	if crc, ok := crcFromHeader(h.ChecksumCRC32C); ok && h.ChecksumType != types.ChecksumTypeComposite {
		o.CRC32C = &crc
	}
	return o, h, nil
}

// NewRangeReader implements driver.Bucket. A range at or beyond the end is empty.
func (d *bucketDriver) NewRangeReader(ctx context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	if err := cloud.Before(o.BeforeRead); err != nil {
		return nil, err
	}
	if length == 0 { // a range cannot be empty
		is, h, err := d.head(ctx, key)
		if err != nil {
			return nil, err
		}
		about := driver.ReaderAttributes{ContentType: aws.ToString(h.ContentType), ModTime: is.Modified, Size: is.Size}
		return cloud.NewObjectReader(cloud.NoContent(), 0, about), nil
	}
	s := d.store
	in := &s3.GetObjectInput{Bucket: &s.bucketName, Key: &key}
	switch {
	case length > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	var out *s3.GetObjectOutput
	err := s.atOldest(ctx, key, func(id *string) (err error) {
		in.VersionId = id
		out, err = s.client.GetObject(ctx, in)
		return err
	})
	switch {
	case isBeyond(err):
		return cloud.NewObjectReader(cloud.NoContent(), 0, driver.ReaderAttributes{}), nil
	case err != nil:
		return nil, fmt.Errorf("GetObject: %w", err)
	}
	from, size := rangeOf(out)
	if from != offset {
		out.Body.Close()
		return nil, fmt.Errorf("GetObject: the service returned bytes from %d instead of %d: %w", from, offset, store.ErrNoRanges)
	}
	body, err := cloud.Unpacked(out.Body, cloud.Packing{
		Encoding: aws.ToString(out.ContentEncoding), IsPart: out.ContentRange != nil, Size: size,
		Stored: func() (int64, error) {
			is, _, err := d.head(ctx, key)
			if err != nil {
				return 0, err
			}
			return is.Size, nil
		},
	})
	if err != nil {
		return nil, fmt.Errorf("GetObject: %w", err)
	}
	return cloud.NewObjectReader(body, length, driver.ReaderAttributes{
		ContentType: aws.ToString(out.ContentType), ModTime: aws.ToTime(out.LastModified), Size: size,
	}), nil
}

// isBeyond reports whether a range begins at or beyond an object's end.
func isBeyond(err error) bool {
	return apiCode(err) == "InvalidRange" || statusOf(err) == http.StatusRequestedRangeNotSatisfiable
}

// rangeOf returns the first byte of an answer, and the object's size; -1 if the answer does not state it. The answer to a request without a range has no
// Content-Range.
func rangeOf(out *s3.GetObjectOutput) (from, size int64) {
	r, ok := strings.CutPrefix(aws.ToString(out.ContentRange), "bytes ")
	if !ok {
		return 0, lengthOf(out)
	}
	bounds, total, _ := strings.Cut(r, "/")
	first, _, _ := strings.Cut(bounds, "-")
	from, err := strconv.ParseInt(strings.TrimSpace(first), 10, 64)
	if err != nil {
		from = -1
	}
	if size, err = strconv.ParseInt(total, 10, 64); err != nil {
		size = -1 // the length is that of the part
	}
	return from, size
}

// lengthOf returns the length of an answer, and -1 if the answer does not state it.
func lengthOf(out *s3.GetObjectOutput) int64 {
	if out.ContentLength == nil {
		return -1
	}
	return *out.ContentLength
}

// ListPaged implements driver.Bucket.
func (d *bucketDriver) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	versioned, err := d.store.versioned(ctx)
	if err != nil {
		return nil, err
	}
	q, err := cloud.NewListRequest(o)
	switch {
	case err != nil:
		return nil, err
	case versioned:
		return d.listOldest(ctx, o, q)
	}
	return d.listObjects(ctx, o, q)
}

// listObjects requests a page of a bucket that keeps no versions.
func (d *bucketDriver) listObjects(ctx context.Context, o *driver.ListOptions, q *cloud.ListRequest) (*driver.ListPage, error) {
	s := d.store
	in := &s3.ListObjectsV2Input{
		Bucket: &s.bucketName, Prefix: &o.Prefix, MaxKeys: pageSize(o.PageSize, cloud.ListPage),
		EncodingType: types.EncodingTypeUrl, // otherwise a key that XML cannot represent would break all listings
		Delimiter:    given(o.Delimiter), ContinuationToken: given(string(o.PageToken)),
	}
	if in.ContinuationToken == nil && !s.ignoresAfter.Load() {
		in.StartAfter = given(q.After)
	}
	listing := cloud.ForListing(ctx, "ListBucketResult", errorRoot)
	out, err := s.client.ListObjectsV2(listing, in, s.eachWithin)
	if in.StartAfter != nil && notImplemented(err) { // as in directory buckets
		s.ignoresAfter.Store(true)
		in.StartAfter = nil
		out, err = s.client.ListObjectsV2(listing, in, s.eachWithin)
	}
	if err != nil {
		return nil, fmt.Errorf("ListObjectsV2: %w", err)
	}
	s.seen.Store(true)
	plain := unescape(out.EncodingType)
	var objects, prefixes []*driver.ListObject
	for _, c := range out.Contents {
		objects = append(objects, cloud.ListedObject(&store.Object{
			Key: plain(c.Key), Size: cloud.ListedSize(c.Size), Modified: aws.ToTime(c.LastModified), Version: tagOf(c.ETag),
			Frozen: frozenClass(string(c.StorageClass)), Class: classNow(c.StorageClass),
		}))
	}
	for _, c := range out.CommonPrefixes {
		prefixes = append(prefixes, cloud.ListedPrefix(plain(c.Prefix)))
	}
	page := &driver.ListPage{Objects: q.Merge(objects, prefixes)}
	page.NextPageToken, err = nextToken(out, o.PageToken)
	return page, err
}

// nextToken returns the token of the next page. Some services return a token with the last page, too. That is followed,
// in case it is not the last one, unless the page shows that nothing follows.
func nextToken(out *s3.ListObjectsV2Output, was []byte) ([]byte, error) {
	next := aws.ToString(out.NextContinuationToken)
	isLast := out.IsTruncated != nil && !*out.IsTruncated
	switch {
	case next == "" && aws.ToBool(out.IsTruncated):
		return nil, fmt.Errorf("ListObjectsV2: %w", cloud.CutListing())
	case isLast && (next == string(was) || len(out.Contents)+len(out.CommonPrefixes) == 0):
		return nil, nil
	}
	return []byte(next), nil
}

// errorRoot is the root element of an error. The SDK takes an error in an answer with the status 200 for one.
const errorRoot = "Error"

// given returns a parameter of a request; nil if it is empty.
func given(v string) *string {
	if v == "" {
		return nil
	}
	return &v
}

// pageSize returns the number of keys to request, with at most as many as a service returns.
func pageSize(wanted, most int) *int32 {
	if wanted <= 0 || wanted > most {
		wanted = most
	}
	return aws.Int32(int32(wanted))
}

// unescape returns the function that decodes the keys of an answer.
func unescape(encoding types.EncodingType) func(*string) string {
	return func(v *string) string {
		if encoding == types.EncodingTypeUrl {
			if plain, err := url.QueryUnescape(aws.ToString(v)); err == nil {
				return plain
			}
		}
		return aws.ToString(v)
	}
}
