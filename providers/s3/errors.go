package s3

import (
	"errors"
	"fmt"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// dialect interprets the errors of S3 and of its SDK.
var dialect = &cloud.Dialect{Sort: sortError, Reason: reason, Advise: advise, Permissions: permissions}

// sortError returns the kind of an error of the AWS SDK.
func sortError(err error) cloud.Kind {
	var api smithy.APIError
	if errors.As(err, &api) {
		if k := classifyCode(api.ErrorCode()); k != cloud.Other {
			return k
		}
	}
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) {
		return cloud.ClassifyStatus(resp.HTTPStatusCode())
	}
	return cloud.Other
}

// reason returns an error answer of S3 in few words.
func reason(err error) (string, bool) {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return "", false
	}
	s := api.ErrorCode()
	if m := strings.TrimSpace(api.ErrorMessage()); m != "" && m != s {
		s += ": " + m
	}
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		s += fmt.Sprintf(" (HTTP %d, request %s)", resp.HTTPStatusCode(), resp.ServiceRequestID())
	}
	return s, true
}

// advise returns the advice for S3 if it differs from the general advice.
func advise(e *cloud.Error) string {
	if a := settingAdvice(e.Err); a != "" || e.Advice != "" {
		return a
	}
	switch e.Kind {
	case cloud.BadCredentials:
		if apiCode(e.Err) == "RequestTimeTooSkewed" {
			return "set this host's clock"
		}
		return "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the role of this host), and whether they have expired"
	case cloud.Unreachable:
		if cloud.BadCertificate(e.Err) {
			return "check the endpoint's scheme and certificate; " +
				"set AWS_CA_BUNDLE to the file of your own certificate authority"
		}
		return "check the endpoint, the region and the network"
	case cloud.Misconfigured:
		return "check region= and endpoint= in the URL, and the bucket's name"
	}
	return ""
}

func classifyCode(code string) cloud.Kind {
	switch code {
	case "NoSuchKey", "NotFound", "NoSuchUpload", "NoSuchVersion":
		return cloud.NotFound
	case "NoSuchBucket":
		return cloud.NoBucket
	case "AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem", "MethodNotAllowed", "InvalidObjectState":
		return cloud.Denied
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
		"RequestTimeTooSkewed", "AuthFailure", "UnrecognizedClientException", "ExpiredTokenException", "InvalidClientTokenId":
		return cloud.BadCredentials
	case "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "RequestThrottled", "SlowDownRead", "SlowDownWrite":
		return cloud.Throttled
	case "PreconditionFailed", "ConditionalRequestConflict":
		return cloud.Precondition
	case "PermanentRedirect", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException",
		"InvalidBucketName", "MovedPermanently", "NotImplemented":
		return cloud.Misconfigured
	}
	return cloud.Other
}

// settingAdvice returns the advice for an error that a setting in the URL causes.
func settingAdvice(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	code, text := api.ErrorCode(), api.ErrorMessage()
	switch {
	case code == "InvalidStorageClass":
		return "the service does not have this class; write one that it has in storage_class=, or leave it out"
	case strings.Contains(text, "ObjectLockConfiguration") || strings.Contains(text, "Object Lock") && strings.Contains(text, "not enabled"):
		return "the bucket has no object lock; " +
			"create a bucket that has it, or leave lock= and legal_hold= out of the URL"
	case strings.HasPrefix(strings.ToLower(code), "kms") || strings.Contains(text, "KMS is not configured"):
		return "the service cannot encrypt by KMS with ssetype= and kmskeyid= of the URL; " +
			"check the key and that the service has a KMS, or leave them out"
	}
	return ""
}

func apiCode(err error) string {
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return ""
}
