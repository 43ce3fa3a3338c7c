package s3

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// Get implements store.Store.
func (s *adapter) Get(ctx context.Context, key string, offset, length int64) (r io.ReadCloser, err error) {
	if err := cloud.CheckKey(key); err != nil {
		return nil, s.fail("getting", key, err)
	}
	err = s.atOldest(ctx, key, func(id *string) (err error) {
		if id == nil {
			r, err = s.Portable.Get(ctx, key, offset, length)
		} else {
			r, err = s.getVersion(ctx, key, id, offset, length)
		}
		return err
	})
	return r, s.fail("getting", key, err)
}

// getVersion reads a range of one version.
func (s *adapter) getVersion(ctx context.Context, key string, id *string, offset, length int64) (io.ReadCloser, error) {
	nothing := io.NopCloser(strings.NewReader(""))
	if length == 0 {
		return nothing, nil // a range cannot be empty
	}
	in := &s3.GetObjectInput{Bucket: &s.bucketName, Key: s.key(key), VersionId: id}
	switch {
	case length > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-%d", offset, offset+length-1))
	case offset > 0:
		in.Range = aws.String(fmt.Sprintf("bytes=%d-", offset))
	}
	out, err := s.client.GetObject(ctx, in)
	switch {
	case requestHooks.Beyond(err):
		return nothing, nil
	case err != nil:
		return nil, fmt.Errorf("GetObject: %w", err)
	}
	return cloud.NamedReader(out.Body, key, s.fail), nil
}

// confirm checks after a successful Put that the version that it made is the oldest one. A service does not
// refuse a Put if a delete marker hides the existing object. Then an older version is the object, and confirm
// compares it with sums. This takes one request more.
func (s *adapter) confirm(ctx context.Context, key string, made *string, sums store.Sums) (store.PutResult, error) {
	versioned, err := s.versioned(ctx)
	if err != nil || !versioned {
		return store.PutResult{}, err
	}
	full := *s.key(key)
	p, err := s.listVersions(ctx, full, "", versionMarker{}, 2)
	if err != nil {
		return store.PutResult{}, err
	}
	n := 0
	for _, v := range slices.Concat(p.versions, p.markers) {
		if v.key == full {
			n++
		}
	}
	if n == 1 && (!p.more || p.last > full) {
		return store.PutResult{}, nil
	}
	s.oldest.forget(full)
	if id, err := s.lookUp(ctx, full, ""); err == nil && made != nil && id == *made {
		return store.PutResult{}, nil
	}
	return s.compareExisting(ctx, key, sums)
}
