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

// Put implements store.Store. The server compares the content with the CRC-32C in sums. The payload is not
// signed, over TLS or not: a signature would hash it again.
func (s *adapter) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	put, src := s.putWhole, cloud.NewBodyUntil(ctx, body, sums.Size)
	if sums.Size > s.singleMax() {
		put = s.putParts
	}
	// Check first, so that a large object is not sent in vain: the server refuses parts only at the end.
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

// afterFailure determines the outcome of a failed Put. The answer may have been lost, or another writer may
// have been faster. Then the object that exists decides. If again is set, the Put should be sent again.
func (s *adapter) afterFailure(ctx context.Context, key string, src *cloud.CheckedBody, sums store.Sums, err error) (stored store.PutResult, again bool, _ error) {
	var broken *cloud.BodyError
	switch k := dialect.Classify(err); {
	case errors.As(err, &broken) || errors.Is(err, store.ErrMismatch) || errors.Is(err, store.ErrWeakStore):
		return stored, false, err
	case ctx.Err() != nil:
		return stored, false, ctx.Err()
	case badDigest(err):
		// The content changed in transit or before. Reading the source again decides.
		if changed := src.Check(ctx, sums); changed != nil {
			return stored, false, changed
		}
		return stored, true, err
	case k == cloud.NoBucket || k == cloud.BadCredentials || k == cloud.Misconfigured || k == cloud.Unreachable || k == cloud.Blocked:
		return stored, false, err // a comparison would fail in the same way
	}
	look, cancel := context.WithTimeout(ctx, 2*s.timeout)
	defer cancel()
	stored, headErr := s.compareExisting(look, key, sums)
	switch {
	case headErr == nil && errors.Is(err, errUnacknowledged) && s.checksum == checksumCRC32C:
		return stored, false, errUnconfirmed
	case headErr == nil || errors.Is(headErr, store.ErrExists):
		return stored, false, headErr
	case dialect.KindOf(headErr) == cloud.NotFound:
		return stored, s.isWorthAnotherPut(err, sums.Size), err
	case dialect.Classify(err) == cloud.Precondition || dialect.KindOf(headErr) == cloud.BadCredentials:
		return stored, false, headErr // an object is there, and what prevents reading it is the cause
	}
	return stored, false, err
}

// isWorthAnotherPut reports whether a Put that failed may succeed if all of it is sent again. A request that is sent
// whole was tried again already.
func (s *adapter) isWorthAnotherPut(err error, size int64) bool {
	switch apiCode(err) {
	case "NoSuchUpload", "PreconditionFailed":
		return true
	}
	return size > s.singleMax() && isConflict(err)
}

// badDigest reports whether the server refused the content because of its checksum.
func badDigest(err error) bool {
	switch apiCode(err) {
	case "BadDigest", "XAmzContentChecksumMismatch", "InvalidDigest", "XAmzContentSHA256Mismatch":
		return true
	}
	return false
}

// compareExisting compares the existing object with sums. An equal object is success, another one is
// ErrExists. The error has Kind NotFound if no object exists. Of an object that must be thawed before it can be read, it
// compares the size and the checksum that the service reports.
func (s *adapter) compareExisting(ctx context.Context, key string, sums store.Sums) (store.PutResult, error) {
	if sums.Size > cloud.CompareMax || s.FrozenClass() != "" { // smaller objects are read anyway
		o, err := s.Attributes(ctx, key)
		switch {
		case err != nil:
			return store.PutResult{}, s.fail("checking", key, err)
		case o.Size != sums.Size, o.CRC32C != nil && *o.CRC32C != sums.CRC32C:
			return store.PutResult{}, s.Exists(key)
		case o.CRC32C != nil && (o.Frozen != "" || sums.Size > cloud.CompareMax):
			return store.PutResult{Existed: true, Frozen: o.Frozen}, nil
		}
	}
	got, err := s.readBack(ctx, key, sums.Size)
	if errors.Is(err, store.ErrFrozen) && s.FrozenClass() == "" { // a rule of the bucket has moved it
		return s.compareFrozen(ctx, key, sums, err)
	}
	if err != nil {
		return store.PutResult{}, err
	}
	if got != sums {
		return store.PutResult{}, s.Exists(key)
	}
	return store.PutResult{Existed: true}, nil
}

// compareFrozen compares an object that could not be read back because of frozen.
func (s *adapter) compareFrozen(ctx context.Context, key string, sums store.Sums, frozen error) (store.PutResult, error) {
	o, err := s.Attributes(ctx, key)
	switch {
	case err != nil:
		return store.PutResult{}, s.fail("checking", key, err)
	case o.Size != sums.Size, o.CRC32C != nil && *o.CRC32C != sums.CRC32C:
		return store.PutResult{}, s.Exists(key)
	case o.Frozen == "" || o.CRC32C == nil:
		return store.PutResult{}, frozen
	}
	return store.PutResult{Existed: true, Frozen: o.Frozen}, nil
}

// readBack reads an object of an expected size and returns its sums. It reads at most one byte more than
// size: then the sums differ already.
func (s *adapter) readBack(ctx context.Context, key string, size int64) (store.Sums, error) {
	r, err := s.Get(ctx, key, 0, size+1)
	if err != nil {
		return store.Sums{}, err
	}
	defer r.Close()
	return cloud.SumUp(ctx, r)
}

// putWhole sends an object in one request. It returns the id of the version that it made, if the bucket
// keeps versions.
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
	return out.VersionId, s.checked(out.ETag, out.ChecksumCRC32C, sums.CRC32C)
}

// putOne sends the request.
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

// unsigned excludes the payload from the signature, also over plain http. The checksum is in a signed header
// and protects the payload.
func unsigned(o *s3.Options) {
	o.APIOptions = append(o.APIOptions, v4.SwapComputePayloadSHA256ForUnsignedPayloadMiddleware)
}
