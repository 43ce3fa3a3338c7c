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

// getVersion reads a stretch of one version.
func (s *adapter) getVersion(ctx context.Context, key string, id *string, offset, length int64) (io.ReadCloser, error) {
	nothing := io.NopCloser(strings.NewReader(""))
	if length == 0 {
		return nothing, nil // there is no range of no bytes
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

// confirm looks, after a Put that succeeded, whether the version that it made is the only
// one, or else the oldest. A service refuses what exists only when it is not hidden by a
// delete marker; then an older version is the object, and decides. That costs one request.
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

// deleteVersions removes all versions of the keys, and their delete markers. The oldest,
// which is the object, goes last: if that is broken off, no other takes its place.
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

// allVersions finds the versions of keys, which are in order: the oldest of each, and all
// others with the delete markers. Keys that lie close together are found with one request.
func (s *adapter) allVersions(ctx context.Context, keys []string) (newer, oldest []version, err error) {
	wanted := map[string]bool{}
	for _, key := range keys {
		wanted[*s.key(key)] = true
	}
	last := map[string]int{} // where in oldest a key stands
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
		// Between here and the next key there may be many: they are passed over, unless
		// that would lead back.
		jump = len(keys) > 0 && p.last != "" && justBefore(s.Prefix, *s.key(keys[0])) > p.last
	}
	return newer, oldest, nil
}

// deleteObjects removes versions, with one request for every thousand, and notes the keys
// of those that it could not remove.
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
