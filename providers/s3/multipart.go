package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

const (
	minPart  = 8 << 20 // bytes of a part, unless a larger object needs more
	maxParts = 9000    // of an object; S3 allows 10,000
)

// partSize returns the size of an object's parts: 8 MiB, or the size that results in 9,000 parts, rounded up
// to a MiB.
func partSize(size int64) int64 {
	const mib = 1 << 20
	need := (size + maxParts - 1) / maxParts
	return max(minPart, (need+mib-1)/mib*mib)
}

// putParts sends the parts of an object concurrently. It reads each part once more just before it sends it,
// to compute the checksum that the server compares. The parts' checksums must join to that of the whole
// object, or the source has changed.
//
// CompleteMultipartUpload creates the object. A crash before leaves an upload that no listing shows, which
// Sweep removes.
func (s *adapter) putParts(ctx context.Context, key string, src *cloud.CheckedBody, sums store.Sums) (made *string, err error) {
	id, err := s.begin(ctx, key)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			s.abort(ctx, *s.key(key), id)
		}
	}()
	parts, err := s.sendParts(ctx, key, id, src)
	if err != nil {
		return nil, err
	}
	if whole(parts) != sums.CRC32C {
		return nil, store.ErrMismatch
	}
	completed := make([]types.CompletedPart, len(parts))
	for i, p := range parts {
		completed[i] = types.CompletedPart{PartNumber: aws.Int32(int32(i + 1)), ETag: &p.etag, ChecksumCRC32C: s.crcHeader(p.crc)}
	}
	in := &s3.CompleteMultipartUploadInput{
		Bucket:          &s.bucketName,
		Key:             s.key(key),
		UploadId:        &id,
		MultipartUpload: &types.CompletedMultipartUpload{Parts: completed},
		IfNoneMatch:     s.ifNone(),
	}
	if s.checksum == checksumCRC32C {
		in.ChecksumCRC32C, in.ChecksumType, in.MpuObjectSize = CrcToHeader(sums.CRC32C), types.ChecksumTypeFullObject, &sums.Size
	}
	out, err := s.client.CompleteMultipartUpload(ctx, in, endOnConflict)
	if err != nil {
		return nil, fmt.Errorf("CompleteMultipartUpload: %w", err)
	}
	return out.VersionId, s.checked(out.ETag, out.ChecksumCRC32C, sums.CRC32C)
}

// begin opens an upload. If ctx ends before the answer arrives, it waits a little longer: without its id an
// upload cannot be aborted.
func (s *adapter) begin(ctx context.Context, key string) (id string, err error) {
	ask, cancel := context.WithCancel(context.WithoutCancel(ctx))
	defer cancel()
	stop := context.AfterFunc(ctx, func() {
		t := time.AfterFunc(cloud.AbortTimeout/2, cancel)
		context.AfterFunc(ask, func() { t.Stop() })
	})
	defer stop()
	lock := s.lock.of(key)
	in := &s3.CreateMultipartUploadInput{
		Bucket:                    &s.bucketName,
		Key:                       s.key(key),
		ServerSideEncryption:      s.encryption,
		SSEKMSKeyId:               s.kmsKey,
		StorageClass:              s.classOf(key),
		ObjectLockMode:            lock.mode,
		ObjectLockRetainUntilDate: lock.until(time.Now()),
		ObjectLockLegalHoldStatus: lock.legalHold(),
	}
	if s.checksum == checksumCRC32C {
		in.ChecksumAlgorithm, in.ChecksumType = types.ChecksumAlgorithmCrc32c, types.ChecksumTypeFullObject
	}
	out, err := s.client.CreateMultipartUpload(ask, in)
	if err != nil {
		return "", fmt.Errorf("CreateMultipartUpload: %w", err)
	}
	if aws.ToString(out.UploadId) == "" { // a part that is sent without an id could become the object
		return "", errors.New("CreateMultipartUpload: the answer has no id of an upload; check the endpoint, and the proxies on the way")
	}
	return *out.UploadId, nil
}

// part is a part that the server has stored.
type part struct {
	crc  manifest.CRC32C
	size int64
	etag string
}

// sendParts sends all parts, as many at once as the store's tokens allow. It returns only after all requests
// have ended, so that the upload can be aborted.
func (s *adapter) sendParts(caller context.Context, key, id string, src *cloud.CheckedBody) ([]part, error) {
	size := partSize(src.Size)
	parts := make([]part, (src.Size+size-1)/size)
	g, ctx := errgroup.WithContext(caller)
	g.SetLimit(cap(s.parts))
	for i := range parts {
		if ctx.Err() != nil {
			break
		}
		g.Go(func() (err error) {
			select {
			case s.parts <- struct{}{}:
				defer func() { <-s.parts }()
			case <-ctx.Done():
				return ctx.Err()
			}
			offset := int64(i) * size
			parts[i], err = s.sendPart(ctx, key, id, i, src, offset, min(size, src.Size-offset))
			return err
		})
	}
	err := g.Wait()
	if err == nil {
		err = caller.Err() // some parts may not have been started
	}
	return parts, err
}

func (s *adapter) sendPart(ctx context.Context, key, id string, i int, src *cloud.CheckedBody, offset, size int64) (part, error) {
	for round := 1; ; round++ {
		content, err := s.partSumsOf(ctx, src, offset, size)
		if err != nil {
			return part{}, err
		}
		out, err := s.client.UploadPart(ctx, &s3.UploadPartInput{
			Bucket:         &s.bucketName,
			Key:            s.key(key),
			UploadId:       &id,
			PartNumber:     aws.Int32(int32(i + 1)),
			Body:           content.body,
			ContentLength:  &size,
			ChecksumCRC32C: s.crcHeader(content.crc),
			ContentMD5:     content.md5,
		}, unsigned)
		switch {
		case err == nil && aws.ToString(out.ETag) == "": // without it the upload cannot be completed
			return part{}, fmt.Errorf("UploadPart %d: %w", i+1, errUnacknowledged)
		case err == nil:
			return part{content.crc, size, *out.ETag}, nil
		case badDigest(err) && round < cloud.PutRounds:
			continue // changed in transit or in the source: the checksum of the whole object shows which
		}
		return part{}, fmt.Errorf("UploadPart %d: %w", i+1, err)
	}
}

// whole joins the parts' checksums.
func whole(parts []part) manifest.CRC32C {
	var crc manifest.CRC32C
	for _, p := range parts {
		crc = cloud.JoinCRC(crc, p.crc, p.size)
	}
	return crc
}

// abort aborts an upload, also if ctx has ended. It remembers an upload that it cannot abort.
func (s *adapter) abort(ctx context.Context, fullKey, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cloud.AbortTimeout)
	defer cancel()
	if err := s.end(ctx, fullKey, id); err != nil {
		s.log.Warn("cannot abort an upload; will try again later", "key", fullKey, "error", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unfinished[id] = fullKey
	}
}

// end aborts an upload. An upload that does not exist is no error.
func (s *adapter) end(ctx context.Context, fullKey, id string) error {
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucketName, Key: &fullKey, UploadId: &id})
	if err != nil && dialect.Classify(err) != cloud.NotFound {
		return fmt.Errorf("AbortMultipartUpload %s: %w", fullKey, err)
	}
	return nil
}

// abortUnfinished aborts the uploads that abort could not, and returns their number.
func (s *adapter) abortUnfinished(ctx context.Context) (n int, _ error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var errs []error
	for id, key := range s.unfinished {
		if err := s.end(ctx, key, id); err != nil {
			errs = append(errs, err)
			continue
		}
		delete(s.unfinished, id)
		n++
	}
	return n, errors.Join(errs...)
}

// Sweep implements store.Sweeper. MinIO lists uploads only for an exact key, and removes them by itself
// after a day.
func (s *adapter) Sweep(ctx context.Context) (int, error) {
	n, err := s.abortUnfinished(ctx)
	if err != nil {
		return n, s.fail("sweeping", "", err)
	}
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: &s.bucketName, Prefix: &s.Prefix})
	var markers cloud.Tokens
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		switch {
		case apiCode(err) == "NoSuchUpload": // rclone's answer if there is none
			return n, nil
		case err == nil && aws.ToBool(page.IsTruncated) && !markers.Add(uploadMarker(page)):
			err = fmt.Errorf("ListMultipartUploads: %w: it repeats a marker, so it would not end", cloud.ErrBadListing)
		}
		if err != nil {
			return n, s.fail("sweeping", "", err)
		}
		for i := range page.Uploads {
			ended, err := s.endStale(ctx, &page.Uploads[i])
			if err != nil {
				return n, s.fail("sweeping", "", err)
			}
			if ended {
				n++
			}
		}
	}
	return n, nil
}

// uploadMarker returns where the next page of a listing of uploads begins.
func uploadMarker(page *s3.ListMultipartUploadsOutput) []byte {
	return []byte(aws.ToString(page.NextKeyMarker) + "\x00" + aws.ToString(page.NextUploadIdMarker))
}

// endStale ends an old upload of this archive. It returns false for any other upload.
func (s *adapter) endStale(ctx context.Context, u *types.MultipartUpload) (bool, error) {
	if u.Initiated == nil || time.Since(*u.Initiated) < cloud.StaleAge {
		return false, nil
	}
	own, err := s.owns(ctx, aws.ToString(u.Key))
	if err != nil || !own {
		return false, err
	}
	return true, s.end(ctx, aws.ToString(u.Key), aws.ToString(u.UploadId))
}

// owns reports whether only this archive can have made an upload to this key of the bucket. Other programs,
// and archives nested in this one, have their own uploads.
func (s *adapter) owns(ctx context.Context, fullKey string) (bool, error) {
	key := strings.TrimPrefix(fullKey, s.Prefix)
	if !archive.IsArchiveKey(key) {
		return false, nil
	}
	nested, err := archive.FindNested(ctx, s, key)
	if errors.Is(err, fs.ErrPermission) {
		return false, nil
	}
	return nested == "" && err == nil, err
}
