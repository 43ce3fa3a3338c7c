package s3

import (
	"cmp"
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

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/manifest"
)

func (s *adapter) key(key string) *string { return aws.String(s.Prefix + key) }

// explain returns the cause of a refused HEAD, whose answer has no body: expired credentials are a plain 400, and a key
// of KMS or a policy is a plain 403. The answer to a GET of one byte names it. full is the whole key in the bucket.
func (s *adapter) explain(ctx context.Context, full string, id *string, err error) error {
	a, ok := answerOf(err)
	switch {
	case !ok || cloud.GoesBeyond(ctx),
		a.Status >= http.StatusInternalServerError || a.Status == http.StatusTooManyRequests,
		a.Code != strings.ReplaceAll(http.StatusText(a.Status), " ", ""), dialect.Classify(err) == cloud.NotFound:
		return err
	}
	out, cause := s.client.GetObject(ctx, &s3.GetObjectInput{
		Bucket: &s.bucketName, Key: &full, VersionId: id, Range: aws.String("bytes=0-0"),
	})
	if cause == nil {
		_ = out.Body.Close() // its content does not matter
		return err
	}
	if k := dialect.Classify(cause); k == cloud.Other || k == cloud.NotFound || ctx.Err() != nil {
		return err
	}
	return fmt.Errorf("GetObject: %w", cause)
}

// sizeOf returns the size of an object whose HEAD has no length: a proxy that compresses answers drops it. The answer to a
// GET of one byte has the size, too.
func (s *adapter) sizeOf(ctx context.Context, full string, id *string) (*int64, error) {
	out, err := s.client.GetObject(ctx, &s3.GetObjectInput{Bucket: &s.bucketName, Key: &full, VersionId: id, Range: aws.String("bytes=0-0")})
	switch {
	case isBeyond(err):
		return aws.Int64(0), nil
	case err != nil:
		return nil, fmt.Errorf("GetObject: %w", err)
	}
	_ = out.Body.Close() // its content does not matter
	_, size := rangeOf(out)
	if size < 0 {
		return nil, errors.New("HeadObject: the answers have no length; check the endpoint, and the proxies on the way")
	}
	return &size, nil
}

// frozenClass returns a storage class from which objects must be thawed before they can be read, and "" for any other
// class. The names after the first two are those of other services.
func frozenClass(class string) string {
	switch strings.ToUpper(class) {
	case "GLACIER", "DEEP_ARCHIVE", "ARCHIVE", "COLDARCHIVE", "COLD_ARCHIVE", "DEEPCOLDARCHIVE":
		return class
	}
	return ""
}

// classNow returns store.Object's Class. S3 omits the header of the class in which objects are by default.
func classNow[T ~string](class T) string {
	return cmp.Or(string(class), string(types.StorageClassStandard))
}

// frozenNow returns store.Object's Frozen. Unlike a listing, it considers thawed copies, and what an intelligent tier
// has archived.
func frozenNow(h *s3.HeadObjectOutput) string {
	if strings.Contains(aws.ToString(h.Restore), `ongoing-request="false"`) {
		return ""
	}
	return cmp.Or(frozenClass(string(h.StorageClass)), string(h.ArchiveStatus))
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

// statusOf returns the HTTP status of the answer that caused an error, and 0 if there was no answer.
func statusOf(err error) int {
	var r interface{ HTTPStatusCode() int }
	if errors.As(err, &r) {
		return r.HTTPStatusCode()
	}
	return 0
}

func isConflict(err error) bool { return statusOf(err) == http.StatusConflict }
