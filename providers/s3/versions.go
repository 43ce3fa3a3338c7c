package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

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
	if id, err := s.lookUp(ctx, full); err == nil && made != nil && id == *made {
		return store.PutResult{}, nil
	}
	return s.compareExisting(ctx, key, sums)
}

// deleteVersions deletes all versions of the keys, and their delete markers. It deletes the oldest version,
// which is the object, last. So no other version becomes the object if the deletion is interrupted.
func (s *adapter) deleteVersions(ctx context.Context, keys []string) error {
	var errs []error
	for batch := range slices.Chunk(slices.Sorted(slices.Values(keys)), deleteBatch) {
		newer, oldest, err := s.allVersions(ctx, batch)
		if err != nil {
			errs = append(errs, s.fail("deleting", batchName(batch), err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		failed := map[string]bool{}
		for _, v := range oldest {
			s.oldest.forget(v.key)
		}
		errs = append(errs, s.deleteObjects(ctx, newer, failed))
		oldest = slices.DeleteFunc(oldest, func(v version) bool { return failed[v.key] })
		errs = append(errs, s.deleteObjects(ctx, oldest, failed))
	}
	return errors.Join(errs...)
}

// allVersions lists the versions of sorted keys: oldest has the oldest version of each key, newer all others
// and the delete markers. It lists keys that are close together with one request.
func (s *adapter) allVersions(ctx context.Context, keys []string) (newer, oldest []version, err error) {
	wanted := map[string]bool{}
	for _, key := range keys {
		wanted[*s.key(key)] = true
	}
	last := map[string]int{} // the index in oldest by key
	take := func(p *versionPage) {
		for _, v := range p.versions {
			i, seen := last[v.key]
			switch {
			case !wanted[v.key]:
			case seen:
				newer, oldest[i] = append(newer, oldest[i]), v
			default:
				last[v.key], oldest = len(oldest), append(oldest, v)
			}
		}
		for _, m := range p.markers {
			if wanted[m.key] {
				newer = append(newer, m)
			}
		}
	}
	at, jump := versionMarker{}, true
	for len(keys) > 0 {
		if jump {
			at = versionMarker{key: justBefore(s.Prefix, *s.key(keys[0]))}
		}
		p, err := s.listVersions(ctx, s.Prefix, "", at, s.oldest.pageSize())
		if err != nil {
			return nil, nil, err
		}
		take(p)
		for len(keys) > 0 && (!p.more || *s.key(keys[0]) < p.last) {
			keys = keys[1:]
		}
		at = p.next
		// There may be many other keys before the next one. The listing skips them, unless
		// it would go back.
		jump = len(keys) > 0 && p.last != "" && justBefore(s.Prefix, *s.key(keys[0])) > p.last
	}
	return newer, oldest, nil
}

// deleteObjects deletes versions, with one request for every thousand. It adds the keys of the versions that
// it could not delete to failed.
func (s *adapter) deleteObjects(ctx context.Context, versions []version, failed map[string]bool) error {
	var errs []error
	for batch := range slices.Chunk(versions, deleteBatch) {
		in := &s3.DeleteObjectsInput{Bucket: &s.bucketName, Delete: &types.Delete{Quiet: aws.Bool(true)}}
		for _, v := range batch {
			id := types.ObjectIdentifier{Key: aws.String(v.key)}
			if v.id != "" {
				id.VersionId = aws.String(v.id)
			}
			in.Delete.Objects = append(in.Delete.Objects, id)
		}
		out, err := s.client.DeleteObjects(ctx, in, s.sum)
		if err != nil {
			for _, v := range batch {
				failed[v.key] = true
			}
			errs = append(errs, s.fail("deleting", s.batchName(batch), err))
			if ctx.Err() != nil {
				break
			}
			continue
		}
		for _, e := range out.Errors {
			if err := s.deleteError(e); err != nil {
				failed[aws.ToString(e.Key)] = true
				errs = append(errs, err)
			}
		}
	}
	return errors.Join(errs...)
}
