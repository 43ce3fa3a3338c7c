package s3

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"net/http"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// deleteBatch is the maximum number of keys in one request to delete.
const deleteBatch = 1000

func (s *adapter) key(key string) *string { return aws.String(s.Prefix + key) }

// Stat implements store.Store.
func (s *adapter) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := s.head(ctx, key)
	return o, s.fail("checking", key, err)
}

// head requests an object's size, time and checksum.
func (s *adapter) head(ctx context.Context, key string) (store.Object, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.Object{}, err
	}
	var h *s3.HeadObjectOutput
	err := s.atOldest(ctx, key, func(id *string) (err error) {
		h, err = s.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &s.bucketName, Key: s.key(key), VersionId: id, ChecksumMode: s.mode()})
		return err
	})
	if err != nil {
		return store.Object{}, s.whichMissing(ctx, err)
	}
	s.seen.Store(true)
	o := store.Object{Key: key, Size: aws.ToInt64(h.ContentLength), Modified: aws.ToTime(h.LastModified)}
	if crc, ok := crcFromHeader(h.ChecksumCRC32C); ok && h.ChecksumType != types.ChecksumTypeComposite {
		o.CRC32C = &crc
	}
	return o, nil
}

// whichMissing distinguishes a missing bucket from a missing object. The answer to a HEAD has no body that
// would name it.
func (s *adapter) whichMissing(ctx context.Context, err error) error {
	if dialect.Classify(err) != cloud.NotFound || s.seen.Load() {
		return err
	}
	_, bucketErr := s.client.HeadBucket(ctx, &s3.HeadBucketInput{Bucket: &s.bucketName})
	switch {
	case bucketErr == nil:
		s.seen.Store(true)
	case dialect.Classify(bucketErr) == cloud.NotFound:
		return &types.NoSuchBucket{}
	}
	return err
}

// crcFromHeader parses a CRC-32C as S3 encodes it. It returns false for a checksum of checksums, which ends
// in "-<parts>".
func crcFromHeader(v *string) (manifest.CRC32C, bool) {
	b, err := base64.StdEncoding.DecodeString(aws.ToString(v))
	if err != nil || len(b) != 4 {
		return 0, false
	}
	return manifest.CRC32C(binary.BigEndian.Uint32(b)), true
}

// CrcToHeader returns a CRC-32C as S3 and Google Cloud Storage encode it: base64 of four bytes, big-endian.
func CrcToHeader(c manifest.CRC32C) *string {
	return aws.String(base64.StdEncoding.EncodeToString(binary.BigEndian.AppendUint32(nil, uint32(c))))
}

// Delete implements store.Store, with one request for every thousand keys. If the bucket keeps versions, it
// lists and deletes all of them.
func (s *adapter) Delete(ctx context.Context, keys []string) error {
	var errs []error
	good := make([]string, 0, len(keys))
	for _, key := range keys {
		if err := cloud.CheckKey(key); err != nil {
			errs = append(errs, s.fail("deleting", key, err))
			continue
		}
		good = append(good, key)
	}
	if len(good) == 0 {
		return errors.Join(errs...)
	}
	versioned, err := s.versioned(ctx)
	switch {
	case err != nil:
		errs = append(errs, s.fail("deleting", batchName(good), err))
	case versioned:
		errs = append(errs, s.deleteVersions(ctx, good))
	default:
		objects := make([]version, len(good))
		for i, key := range good {
			objects[i].key = *s.key(key)
		}
		errs = append(errs, s.deleteObjects(ctx, objects, map[string]bool{}))
	}
	return errors.Join(errs...)
}

// deleteError returns the error of one version that the service did not delete. A missing version is no
// error.
func (s *adapter) deleteError(e types.Error) error {
	code := aws.ToString(e.Code)
	if code == "NoSuchKey" || code == "NoSuchVersion" {
		return nil
	}
	err := &smithy.GenericAPIError{Code: code, Message: aws.ToString(e.Message)}
	return s.fail("deleting", strings.TrimPrefix(aws.ToString(e.Key), s.Prefix), err)
}

func (s *adapter) batchName(versions []version) string {
	keys := make([]string, len(versions))
	for i, v := range versions {
		keys[i] = strings.TrimPrefix(v.key, s.Prefix)
	}
	return batchName(keys)
}

// batchName returns the keys, for the error of a request that failed as a whole.
func batchName(keys []string) string {
	if len(keys) == 1 {
		return keys[0]
	}
	return fmt.Sprintf("%s … %s (%d objects)", keys[0], keys[len(keys)-1], len(keys))
}

// statusOf returns the HTTP status of the answer that caused an error, and 0 if there was no answer.
func statusOf(err error) int {
	var r interface{ HTTPStatusCode() int }
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

func isConflict(err error) bool {
	return statusOf(err) == http.StatusConflict || apiCode(err) == "ConditionalRequestConflict"
}
