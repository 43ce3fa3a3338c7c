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
	minPart  = 8 << 20 // bytes of a part, unless the object needs more
	maxParts = 9000    // of an object; S3 allows 10,000
)

// partSize is how large the parts of an object are: 8 MiB, or what makes 9,000 of them,
// rounded up to a MiB.
func partSize(size int64) int64 {
	const mib = 1 << 20
	need := (size + maxParts - 1) / maxParts
	return max(minPart, (need+mib-1)/mib*mib)
}

// putParts sends an object in parts, side by side. Each part is read once more just
// before it is sent, to learn the checksum that the server then holds it to; together
// the parts' checksums are the whole's, or the source has changed.
//
// A crash leaves an upload that no listing shows, for Sweep. CompleteMultipartUpload is
// the moment in which the object is there.
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
	out, err := s.client.CompleteMultipartUpload(ctx, in)
	if err != nil {
		return nil, fmt.Errorf("CompleteMultipartUpload: %w", err)
	}
	return out.VersionId, s.checked(out.ChecksumCRC32C, sums.CRC32C)
}

// begin opens an upload. A caller that gives up meanwhile waits a little for the answer:
// an upload whose id was lost could not be ended.
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
	return aws.ToString(out.UploadId), nil
}

// part is a part that the server has.
type part struct {
	crc  manifest.CRC32C
	size int64
	etag string
}

// sendParts sends all parts, as many at once as the store's tokens allow. It returns only
// when none is on its way any more, so that an upload can be aborted then.
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
		err = caller.Err() // not all parts were begun
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
		case err == nil:
			return part{content.crc, size, aws.ToString(out.ETag)}, nil
		case badDigest(err) && round < cloud.PutRounds:
			continue // changed on the way, or in the source: the whole's checksum tells
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

// abort ends an upload, also when ctx is over. One that cannot be ended is remembered.
func (s *adapter) abort(ctx context.Context, fullKey, id string) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cloud.AbortTimeout)
	defer cancel()
	if err := s.end(ctx, fullKey, id); err != nil {
		s.log.Warn("an upload could not be aborted; it is tried again later", "key", fullKey, "error", err)
		s.mu.Lock()
		defer s.mu.Unlock()
		s.unfinished[id] = fullKey
	}
}

// end aborts an upload; one that is not there is ended.
func (s *adapter) end(ctx context.Context, fullKey, id string) error {
	_, err := s.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{Bucket: &s.bucketName, Key: &fullKey, UploadId: &id})
	if err != nil && dialect.Classify(err) != cloud.NotFound {
		return fmt.Errorf("AbortMultipartUpload %s: %w", fullKey, err)
	}
	return nil
}

// abortUnfinished tries again to end what abort could not.
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

// Sweep implements store.Sweeper. MinIO tells of uploads only when asked for their very
// key; it removes them by itself after a day.
func (s *adapter) Sweep(ctx context.Context) (int, error) {
	n, err := s.abortUnfinished(ctx)
	if err != nil {
		return n, s.fail("sweeping", "", err)
	}
	pages := s3.NewListMultipartUploadsPaginator(s.client, &s3.ListMultipartUploadsInput{Bucket: &s.bucketName, Prefix: &s.Prefix})
	for pages.HasMorePages() {
		page, err := pages.NextPage(ctx)
		if err != nil {
			return n, s.fail("sweeping", "", err)
		}
		for _, u := range page.Uploads {
			if u.Initiated == nil || time.Since(*u.Initiated) < cloud.StaleAge {
				continue
			}
			own, err := s.owns(ctx, aws.ToString(u.Key))
			if err != nil {
				return n, s.fail("sweeping", "", err)
			}
			if !own {
				continue
			}
			if err := s.end(ctx, aws.ToString(u.Key), aws.ToString(u.UploadId)); err != nil {
				return n, s.fail("sweeping", "", err)
			}
			n++
		}
	}
	return n, nil
}

// owns reports whether an upload to this key, which is that in the bucket, can be of no one but the archive:
// other programs, and archives that lie within this one, have uploads of their own.
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
