package s3

import (
	"context"
	"fmt"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
	"github.com/aws/smithy-go"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// objectID names a version in a request to delete and in its answer.
type objectID struct{ key, version string }

// isBusy reports whether a service may delete an object if it is asked again.
func isBusy(e *types.Error) bool {
	switch code := aws.ToString(e.Code); code {
	case "InternalError", "ServiceUnavailable":
		return true
	case "ConditionalRequestConflict": // of one object, the condition did not hold
		return false
	default:
		k := dialect.Classify(&smithy.GenericAPIError{Code: code, Message: aws.ToString(e.Message)})
		return k == cloud.Throttled || k == cloud.Busy
	}
}

// sendDelete sends one request. Its answer must have each object. The request is not quiet: in quiet mode, Alibaba OSS
// returns no document if it deleted all, as a proxy may that deletes nothing.
func (s *adapter) sendDelete(ctx context.Context, batch []version) ([]types.Error, error) {
	in := &s3.DeleteObjectsInput{Bucket: &s.bucketName, Delete: &types.Delete{Quiet: aws.Bool(false)}}
	for _, v := range batch {
		id := types.ObjectIdentifier{Key: aws.String(v.key)}
		if v.id == "" && v.etag != "" {
			id.ETag = aws.String(v.etag) // services refuse a condition on a version
		}
		if v.id != "" {
			id.VersionId = aws.String(v.id)
		}
		in.Delete.Objects = append(in.Delete.Objects, id)
	}
	var out *s3.DeleteObjectsOutput
	err := s.withSum(func(sum types.ChecksumAlgorithm, o ...func(*s3.Options)) (err error) {
		in.ChecksumAlgorithm = sum
		out, err = s.client.DeleteObjects(cloud.ForDocument(ctx, "DeleteResult", errorRoot), in, o...)
		return err
	})
	if err != nil {
		return nil, err
	}
	missing := unanswered(batch, out)
	if len(missing) == len(batch) {
		return nil, fmt.Errorf("DeleteObjects: %w", errUnanswered)
	}
	return append(out.Errors, missing...), nil
}

// codeUnanswered marks an object that an answer does not have. No service sends this code.
const codeUnanswered = "strongroom:unanswered"

var errUnanswered = fmt.Errorf("%w: it has neither the deletion nor an error of the object", cloud.ErrBadAnswer)

// unanswered returns an error for each version that an answer does not have. Some services omit the version's id.
func unanswered(batch []version, out *s3.DeleteObjectsOutput) []types.Error {
	answered := make(map[objectID]bool, len(batch))
	keys := make(map[string]bool, len(batch))
	add := func(key, id *string) {
		answered[objectID{aws.ToString(key), aws.ToString(id)}] = true
		keys[aws.ToString(key)] = true
	}
	for i := range out.Deleted {
		add(out.Deleted[i].Key, out.Deleted[i].VersionId)
	}
	for i := range out.Errors {
		add(out.Errors[i].Key, out.Errors[i].VersionId)
	}
	var missing []types.Error
	for _, v := range batch {
		if !answered[objectID{v.key, v.id}] && !answered[objectID{v.key, ""}] && (v.id != "" || !keys[v.key]) {
			missing = append(missing, types.Error{
				Key: aws.String(v.key), VersionId: given(v.id), Code: aws.String(codeUnanswered),
			})
		}
	}
	return missing
}

// deleteError returns the error of one object that the service did not delete. A missing object is no error.
func (s *adapter) deleteError(e types.Error) error {
	code := aws.ToString(e.Code)
	key := strings.TrimPrefix(aws.ToString(e.Key), s.Prefix)
	switch code {
	case "NoSuchKey", "NoSuchVersion":
		return nil
	case "PreconditionFailed", "ConditionalRequestConflict", "412 Precondition Failed": // the last in directory buckets
		return s.Changed(key)
	case codeUnanswered:
		return s.fail("deleting", key, errUnanswered)
	}
	return s.fail("deleting", key, &smithy.GenericAPIError{Code: code, Message: aws.ToString(e.Message)})
}
