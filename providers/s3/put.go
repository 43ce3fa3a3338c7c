package s3

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// Put implements store.Store. The server compares what it gets with the CRC-32C that
// sums promises; the payload is not signed, over TLS or not, for that would hash it
// again.
func (s *adapter) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	put, src := s.putWhole, cloud.NewBodyUntil(ctx, body, sums.Size)
	if sums.Size > s.singleMax() {
		put = s.putParts
	}
	// What is large is not sent in vain: unlike one request, parts are not refused.
	if sums.Size > s.singleMax() || s.lookFirst() {
		if stored, err := s.compareExisting(ctx, key, sums); dialect.KindOf(err) != cloud.NotFound {
			return stored, s.fail("putting", key, err)
		}
	}
	for round := 1; ; round++ {
		made, err := put(ctx, key, src, sums)
		if err == nil {
			s.seen.Store(true)
			stored, err := s.confirm(ctx, key, made, sums)
			return stored, s.fail("putting", key, err)
		}
		stored, again, err := s.afterFailure(ctx, key, src, sums, err)
		if !again || round == cloud.PutRounds {
			return stored, s.fail("putting", key, err)
		}
		select {
		case <-time.After(cloud.Backoff(round)):
		case <-ctx.Done():
			return store.PutResult{}, s.fail("putting", key, ctx.Err())
		}
	}
}

// afterFailure finds out what a failed Put has come to. Its answer may have been lost, or
// another writer was faster: then what is there decides. With again set, it is worth
// sending once more.
func (s *adapter) afterFailure(ctx context.Context, key string, src *cloud.CheckedBody, sums store.Sums, err error) (stored store.PutResult, again bool, _ error) {
	var broken *cloud.BodyError
	switch k := dialect.Classify(err); {
	case errors.As(err, &broken) || errors.Is(err, store.ErrMismatch) || errors.Is(err, store.ErrWeakStore):
		return stored, false, err
	case ctx.Err() != nil:
		return stored, false, ctx.Err()
	case badDigest(err):
		// Changed on the way, or before? What the source says now decides.
		if changed := src.Check(ctx, sums); changed != nil {
			return stored, false, changed
		}
		return stored, true, err
	case k == cloud.NoBucket || k == cloud.BadCredentials || k == cloud.Misconfigured || k == cloud.Unreachable:
		return stored, false, err // looking would fail the same way
	}
	look, cancel := context.WithTimeout(ctx, 2*s.timeout)
	defer cancel()
	stored, headErr := s.compareExisting(look, key, sums)
	switch {
	case headErr == nil || errors.Is(headErr, store.ErrExists):
		return stored, false, headErr
	case dialect.KindOf(headErr) == cloud.NotFound:
		return stored, isConflict(err) || apiCode(err) == "NoSuchUpload" || apiCode(err) == "PreconditionFailed", err
	}
	return stored, false, err
}

// badDigest reports whether the server refused what it got for its checksum.
func badDigest(err error) bool {
	switch apiCode(err) {
	case "BadDigest", "XAmzContentChecksumMismatch", "InvalidDigest", "XAmzContentSHA256Mismatch":
		return true
	}
	return false
}

// compareExisting compares the object that is there with what was to be put: the same is success,
// another is ErrExists. The error is of Kind NotFound when there is none.
func (s *adapter) compareExisting(ctx context.Context, key string, sums store.Sums) (store.PutResult, error) {
	if sums.Size > cloud.CompareMax { // else it is read anyway
		o, err := s.head(ctx, key)
		switch {
		case err != nil:
			return store.PutResult{}, s.fail("looking at", key, err)
		case o.Size != sums.Size, o.CRC32C != nil && *o.CRC32C != sums.CRC32C:
			return store.PutResult{}, s.Exists(key)
		case o.CRC32C != nil:
			return store.PutResult{Existed: true}, nil
		}
	}
	got, err := s.readBack(ctx, key, sums.Size)
	if err != nil {
		return store.PutResult{}, err
	}
	if got != sums {
		return store.PutResult{}, s.Exists(key)
	}
	return store.PutResult{Existed: true}, nil
}

// readBack reads an object that should have a size, and gives its sums, or those of its
// beginning when it is larger.
func (s *adapter) readBack(ctx context.Context, key string, size int64) (store.Sums, error) {
	r, err := s.Get(ctx, key, 0, size+1)
	if err != nil {
		return store.Sums{}, err
	}
	defer r.Close()
	return cloud.SumUp(ctx, r)
}

// putWhole sends an object in one request, and gives the id of the version that it made,
// if the bucket keeps versions.
func (s *adapter) putWhole(ctx context.Context, key string, src *cloud.CheckedBody, sums store.Sums) (made *string, err error) {
	content := partSums{body: src.Section(0, sums.Size), crc: sums.CRC32C}
	if s.checksum != checksumCRC32C {
		if content, err = s.partSumsOf(ctx, src, 0, sums.Size); err != nil {
			return nil, err
		}
		if content.crc != sums.CRC32C {
			return nil, store.ErrMismatch
		}
	}
	out, err := s.putOne(ctx, key, content, sums.Size)
	if err != nil {
		return nil, err
	}
	return out.VersionId, s.checked(out.ChecksumCRC32C, sums.CRC32C)
}

// putOne makes the request that sends an object.
func (s *adapter) putOne(ctx context.Context, key string, content partSums, size int64) (*s3.PutObjectOutput, error) {
	lock := s.lock.of(key)
	out, err := s.client.PutObject(ctx, &s3.PutObjectInput{
		Bucket:                    &s.bucketName,
		Key:                       s.key(key),
		Body:                      content.body,
		ContentLength:             &size,
		ChecksumCRC32C:            s.crcHeader(content.crc),
		ContentMD5:                content.md5,
		IfNoneMatch:               s.ifNone(),
		ServerSideEncryption:      s.encryption,
		SSEKMSKeyId:               s.kmsKey,
		StorageClass:              s.classOf(key),
		ObjectLockMode:            lock.mode,
		ObjectLockRetainUntilDate: lock.until(time.Now()),
		ObjectLockLegalHoldStatus: lock.legalHold(),
	}, unsigned)
	if err != nil {
		return nil, fmt.Errorf("PutObject: %w", err)
	}
	return out, nil
}

// unsigned leaves the payload out of the signature, over plain http too. The promised
// checksum stands in a header that is signed, and protects it as well.
func unsigned(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
}
