package s3

import (
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// answered returns the error of the SDK for an answer. Without a code, the body is not in the format of S3.
func answered(a cloud.Answer, header http.Header) error {
	err := error(&smithy.GenericAPIError{Code: a.Code, Message: a.Text})
	if a.Code == "" {
		err = &smithy.DeserializationError{Err: errors.New("it is HTML")}
	}
	response := &http.Response{StatusCode: a.Status, Header: header, Body: io.NopCloser(strings.NewReader(""))}
	return &awshttp.ResponseError{
		ResponseError: &smithyhttp.ResponseError{Response: &smithyhttp.Response{Response: response}, Err: err}, RequestID: "r-1",
	}
}

// documented are answers of services, as their documentation or reports of their users quote them.
var documented = []struct {
	answer cloud.Answer
	kind   cloud.Kind
	says   string
}{
	{cloud.Answer{Status: 404, Code: "NoSuchKey", Text: "The specified key does not exist."}, cloud.NotFound, ""},
	{cloud.Answer{Status: 404, Code: "NotFound"}, cloud.NotFound, ""},
	{cloud.Answer{Status: 404, Code: "NoSuchUpload"}, cloud.NotFound, ""},
	{cloud.Answer{Status: 404, Code: "NoSuchVersion"}, cloud.NotFound, ""},
	{cloud.Answer{Status: 404, Code: "NoSuchBucket"}, cloud.NoBucket, "create it"},
	{cloud.Answer{Status: 412, Code: "PreconditionFailed"}, cloud.Precondition, ""},
	{cloud.Answer{Status: 200, Code: "412 Precondition Failed"}, cloud.Precondition, ""},
	{cloud.Answer{Status: 416, Code: "InvalidRange"}, cloud.Other, ""},
	{cloud.Answer{Status: 403, Code: "InvalidObjectState", Text: "The operation is not valid for the object's storage class"}, cloud.Frozen, "RestoreObject"},
	{cloud.Answer{Status: 409, Code: "RestoreAlreadyInProgress", Text: "Object restore is already in progress"}, cloud.Frozen, "hours"},
	{cloud.Answer{Status: 503, Code: "GlacierExpeditedRetrievalNotAvailable", Text: "Glacier expedited retrievals are currently not available, please try again later"}, cloud.Throttled, "tier standard"},
	{cloud.Answer{Status: 409, Code: "ObjectRestoreAlreadyInProgress"}, cloud.Frozen, "hours"},
	{cloud.Answer{Status: 409, Code: "OperationAborted", Text: "A conflicting conditional operation is currently in progress against this resource. Please try again."}, cloud.Busy, "try again"},
	{cloud.Answer{Status: 409, Code: "ConditionalRequestConflict"}, cloud.Busy, "try again"},
	{cloud.Answer{Status: 503, Code: "SlowDown"}, cloud.Throttled, "fewer transfers"},
	{cloud.Answer{Status: 503, Code: "SlowDownWrite"}, cloud.Throttled, ""},
	{cloud.Answer{Status: 400, Code: "ThrottlingException"}, cloud.Throttled, ""},
	{cloud.Answer{Status: 503, Code: "RequestLimitExceeded"}, cloud.Throttled, ""},
	{cloud.Answer{Status: 429, Code: "TooManyRequests"}, cloud.Throttled, ""},
	{cloud.Answer{Status: 503, Code: "RequestThrottled"}, cloud.Throttled, ""},
	{cloud.Answer{Status: 503, Code: "BandwidthLimitExceeded"}, cloud.Throttled, ""},
	{cloud.Answer{Status: 503, Code: "ServiceUnavailable"}, cloud.Throttled, "maintenance"},
	{cloud.Answer{Status: 503}, cloud.Throttled, "maintenance"},
	{cloud.Answer{Status: 400, Code: "RequestTimeout"}, cloud.Broken, ""},
	{cloud.Answer{Status: 400, Code: "BadDigest", Text: "The CRC32C you specified did not match the calculated checksum."}, cloud.Other, ""},
	{cloud.Answer{Status: 400, Code: "XAmzContentChecksumMismatch", Text: "The provided checksum does not match"}, cloud.Other, ""},
	{cloud.Answer{Status: 400, Code: "XAmzContentSHA256Mismatch"}, cloud.Other, ""},
	{cloud.Answer{Status: 400, Code: "InvalidDigest"}, cloud.Other, ""},
	{cloud.Answer{Status: 501, Code: "NotImplemented", Text: "Server side encryption specified but KMS is not configured"}, cloud.Misconfigured, "no KMS"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "User: arn:aws:iam::1:user/b is not authorized to perform: kms:GenerateDataKey on resource: arn:aws:kms:eu-west-1:1:key/a"}, cloud.Denied, "kms:Decrypt"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "The ciphertext refers to a customer master key that does not exist, does not exist in this region, or you are not allowed to access."}, cloud.Denied, "kms:Decrypt"},
	{cloud.Answer{Status: 400, Code: "KMS.AccessDeniedException"}, cloud.Denied, "kms:Decrypt"},
	{cloud.Answer{Status: 400, Code: "KMS.DisabledException", Text: "arn:aws:kms:eu-west-1:1:key/a is disabled."}, cloud.Blocked, "enable"},
	{cloud.Answer{Status: 400, Code: "KMS.KMSInvalidStateException", Text: "it is pending deletion."}, cloud.Blocked, "enable or restore"},
	{cloud.Answer{Status: 400, Code: "KMS.NotFoundException"}, cloud.Misconfigured, "kmskeyid="},
	{cloud.Answer{Status: 400, Code: "KMS.ThrottlingException"}, cloud.Throttled, ""},
	{cloud.Answer{Status: 400, Code: "kms:KeyNotFound", Text: "key with given key ID does not exist"}, cloud.Blocked, "check the key"},
	{cloud.Answer{Status: 400, Code: "InvalidRequest", Text: "Bucket is missing ObjectLockConfiguration"}, cloud.Misconfigured, "no object lock"},
	{cloud.Answer{Status: 400, Code: "InvalidRequest", Text: "Object Lock is not enabled for this bucket"}, cloud.Misconfigured, "no object lock"},
	{cloud.Answer{Status: 400, Code: "InvalidRequest", Text: "object lock not enabled on bucket"}, cloud.Misconfigured, "no object lock"},
	{cloud.Answer{Status: 200, Code: "AccessDenied", Text: "Access Denied because object protected by object lock."}, cloud.Protected, "retention"},
	{cloud.Answer{Status: 400, Code: "InvalidRequest", Text: "Object is WORM protected and cannot be overwritten"}, cloud.Protected, "retention"},
	{cloud.Answer{Status: 403, Code: "ObjectLocked"}, cloud.Protected, "retention"},
	{cloud.Answer{Status: 403, Code: "FileImmutable"}, cloud.Protected, "retention"},
	{cloud.Answer{Status: 403, Code: "ObjectUnderRetention"}, cloud.Protected, "retention"},
	{cloud.Answer{Status: 403, Code: "ObjectLockedByBucketPolicy", Text: "The object is locked by the bucket policy."}, cloud.Protected, "lock rule"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: `is not authorized to perform: s3:PutObject on resource: "arn:aws:s3:::b/x" with an explicit deny in a resource-based policy`}, cloud.Denied, "policy of the bucket"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "with an explicit deny in a VPC endpoint policy"}, cloud.Denied, "VPC endpoint"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "with an explicit deny in a service control policy"}, cloud.Denied, "service control policy"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "with an explicit deny in a resource control policy"}, cloud.Denied, "resource control policy"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "with an explicit deny in an identity-based policy"}, cloud.Denied, "explicitly"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "because no VPC endpoint policy allows the s3:PutObject action"}, cloud.Denied, "VPC endpoint"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "because no permissions boundary allows the s3:PutObject action"}, cloud.Denied, "boundary"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "because no service control policy allows the s3:PutObject action"}, cloud.Denied, "organization"},
	{cloud.Answer{Status: 403, Code: "AllAccessDisabled"}, cloud.Blocked, "bills"},
	{cloud.Answer{Status: 403, Code: "AccountProblem"}, cloud.Blocked, "bills"},
	{cloud.Answer{Status: 403, Code: "NotSignedUp"}, cloud.Blocked, "bills"},
	{cloud.Answer{Status: 403, Code: "UserSuspended"}, cloud.Blocked, "bills"},
	{cloud.Answer{Status: 403, Code: "InvalidPayer"}, cloud.Blocked, "bills"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "Cannot upload files, storage cap exceeded. See the Caps & Alerts page"}, cloud.Blocked, "cap"},
	{cloud.Answer{Status: 403, Code: "QuotaExceeded"}, cloud.Blocked, "quota"},
	{cloud.Answer{Status: 400, Code: "XMinioAdminBucketQuotaExceeded"}, cloud.Blocked, "quota"},
	{cloud.Answer{Status: 507, Code: "XMinioStorageFull"}, cloud.Blocked, "full"},
	{cloud.Answer{Status: 507, Code: "InsufficientStorage"}, cloud.Blocked, "no room"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "This is a requester pays bucket"}, cloud.Misconfigured, "requester_pays=true"},
	{cloud.Answer{Status: 400, Code: "ExpiredToken", Text: "The provided token has expired."}, cloud.BadCredentials, "have expired"},
	{cloud.Answer{Status: 400, Code: "TokenRefreshRequired"}, cloud.BadCredentials, "have expired"},
	{cloud.Answer{Status: 403, Code: "RequestExpired"}, cloud.BadCredentials, "clock"},
	{cloud.Answer{Status: 403, Code: "RequestTimeTooSkewed"}, cloud.BadCredentials, "clock"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "Request has expired"}, cloud.BadCredentials, "clock"},
	{cloud.Answer{Status: 403, Code: "InvalidAccessKeyId"}, cloud.BadCredentials, "AWS_ACCESS_KEY_ID"},
	{cloud.Answer{Status: 403, Code: "SignatureDoesNotMatch"}, cloud.BadCredentials, "AWS_SECRET_ACCESS_KEY"},
	{cloud.Answer{Status: 400, Code: "InvalidToken"}, cloud.BadCredentials, "AWS_SESSION_TOKEN"},
	{cloud.Answer{Status: 401, Code: "AuthFailure"}, cloud.BadCredentials, "AWS_ACCESS_KEY_ID"},
	{cloud.Answer{Status: 400, Code: "UnrecognizedClientException"}, cloud.BadCredentials, "AWS_ACCESS_KEY_ID"},
	{cloud.Answer{Status: 403, Code: "InvalidClientTokenId"}, cloud.BadCredentials, "AWS_ACCESS_KEY_ID"},
	{cloud.Answer{Status: 400, Code: "BadRequest", Text: "The plain HTTP request was sent to HTTPS port"}, cloud.Misconfigured, "https://"},
	{cloud.Answer{Status: 400, Code: "BadRequest", Text: "Client sent an HTTP request to an HTTPS server."}, cloud.Misconfigured, "https://"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "SSL is required for this operation."}, cloud.Misconfigured, "https://"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "HTTPS is required"}, cloud.Misconfigured, "https://"},
	{cloud.Answer{Status: 301, Code: "PermanentRedirect"}, cloud.Misconfigured, "region="},
	{cloud.Answer{Status: 307, Code: "TemporaryRedirect"}, cloud.Misconfigured, "region="},
	{cloud.Answer{Status: 307, Code: "Redirect"}, cloud.Misconfigured, "region="},
	{cloud.Answer{Status: 301, Code: "MovedPermanently"}, cloud.Misconfigured, "region="},
	{
		cloud.Answer{Status: 400, Code: "AuthorizationHeaderMalformed", Text: "the region 'us-east-1' is wrong; expecting 'eu-west-1'"},
		cloud.Misconfigured, "write region=eu-west-1 in the URL",
	},
	{cloud.Answer{Status: 400, Code: "IllegalLocationConstraintException"}, cloud.Misconfigured, "region="},
	{cloud.Answer{Status: 400, Code: "InvalidBucketName"}, cloud.Misconfigured, "bucket's name"},
	{cloud.Answer{Status: 400, Code: "InvalidStorageClass"}, cloud.Misconfigured, "storage_class="},
	{cloud.Answer{Status: 400, Code: "MissingContentMD5"}, cloud.Misconfigured, "checksum=md5"},
	{
		cloud.Answer{Status: 400, Code: "InvalidRequest", Text: "Missing required header for this request: Content-MD5 or x-amz-checksum-sha256 or x-amz-checksum-crc32c"},
		cloud.Misconfigured, "checksum=md5",
	},
	{
		cloud.Answer{Status: 400, Code: "InvalidRequest", Text: "Content-MD5 OR x-amz-checksum- HTTP header is required for Put Object requests with Object Lock parameters"},
		cloud.Misconfigured, "lock=",
	},
	{cloud.Answer{Status: 400, Code: "InvalidArgument", Text: "x-amz-checksum-crc32c header is not supported"}, cloud.Misconfigured, "checksum=md5"},
	{cloud.Answer{Status: 501, Code: "NotImplemented", Text: "CRC32C checksums with type FULL_OBJECT are not implemented"}, cloud.Misconfigured, "checksum=md5"},
	{cloud.Answer{Status: 501, Code: "NotImplemented", Text: "A header you provided implies functionality that is not implemented"}, cloud.Misconfigured, "create_only=false"},
	{cloud.Answer{Status: 501}, cloud.Misconfigured, "create_only=false"},
	{cloud.Answer{Status: 405, Code: "MethodNotAllowed"}, cloud.Denied, "s3:PutObject"},
	{cloud.Answer{Status: 403, Code: "AccessDenied", Text: "Access Denied"}, cloud.Denied, "s3:PutObject"},
	{cloud.Answer{Status: 403, Code: "Forbidden"}, cloud.Denied, "s3:PutObject"},
	{cloud.Answer{Status: 403}, cloud.Denied, "a proxy"},
	{cloud.Answer{Status: 500, Code: "InternalError"}, cloud.Other, "try again later"},
}

// Each answer of a service has the kind by which commands decide, and advice about its cause. An operator whose key is
// disabled is not sent to look for a missing permission. No row of the table is without an answer here.
func TestAnswers(t *testing.T) {
	t.Parallel()
	held := map[int]bool{-1: true}
	for _, c := range documented {
		_, i := cloud.Interpret(answers, &c.answer, "putting")
		held[i] = true
		err := dialect.Wrap("s3://b", "putting", "data/a", answered(c.answer, nil))
		text := err.Error()
		if k := dialect.KindOf(err); k != c.kind || !strings.Contains(text, c.says) {
			t.Errorf("%+v: row %d, kind %q, want %q; %q must contain %q", c.answer, i, k.Word(), c.kind.Word(), text, c.says)
		}
		if c.kind != cloud.Denied && strings.Contains(text, "need the permission") {
			t.Errorf("%+v is not a matter of permissions: %q", c.answer, text)
		}
	}
	list := cloud.Answer{Status: 501, Code: "NotImplemented", Text: "A parameter you provided implies functionality that is not implemented"}
	m, i := cloud.Interpret(answers, &list, "listing")
	if held[i] = true; strings.Contains(m.Advice, "create_only") {
		t.Errorf("a listing sends no If-None-Match: %q", m.Advice)
	}
	for i := range answers {
		if !held[i] {
			t.Errorf("no answer holds row %d: %+v", i, answers[i])
		}
	}
}

// The header of a redirect names the region. Its value is the service's, so that only a region's name is printed.
func TestRegionOfAHeader(t *testing.T) {
	t.Parallel()
	for region, want := range map[string]string{"eu-west-1": "write region=eu-west-1 in the URL", "x\ny&lock=": "check region="} {
		h := http.Header{"X-Amz-Bucket-Region": {region}}
		err := dialect.Wrap("s3://b", "getting", "a", answered(cloud.Answer{Status: 301, Code: "MovedPermanently"}, h))
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", region, err)
		}
	}
}

// A refusal of the service that issues credentials is not one of the bucket.
func TestCredentialsAreRefused(t *testing.T) {
	t.Parallel()
	sts := answered(cloud.Answer{Status: 403, Code: "AccessDenied", Text: "Not authorized to perform sts:AssumeRoleWithWebIdentity"}, nil)
	err := dialect.Wrap("s3://b", "listing", "", errors.Join(errors.New("get credentials: failed to refresh cached credentials"), sts))
	if k := dialect.KindOf(err); k != cloud.BadCredentials || strings.Contains(err.Error(), "s3:ListBucket") || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v (%s)", err, k.Word())
	}
	down := fmt.Errorf("operation error S3: GetObject, get identity: get credentials: failed to refresh cached credentials, %w",
		&net.OpError{Op: "dial", Net: "tcp", Err: errors.New("connection refused")})
	err = dialect.Wrap("s3://b", "getting", "a", down)
	if k := dialect.KindOf(err); k != cloud.Unreachable || !strings.Contains(err.Error(), "(s3://b): no credentials: dial tcp: connection refused; the service that issues") {
		t.Errorf("%v (%s)", err, k.Word())
	}
}
