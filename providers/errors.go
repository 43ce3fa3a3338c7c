package providers

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	"gocloud.dev/gcerrors"

	"github.com/strongroom-dev/strongroom/store"
)

// Kind sorts failures by what somebody can do about them.
type Kind int

// The kinds.
const (
	Other          Kind = iota // none of these; an error of the service that did not pass
	NotFound                   // there is no such object
	NoBucket                   // there is no such bucket
	Denied                     // the credentials are known and may not do this
	BadCredentials             // there are none, or they are unknown, wrong or expired
	Throttled                  // the service asked to slow down until the attempts were used up
	Unreachable                // no connection: DNS, refused, TLS
	Broken                     // a connection broke while it was in use
	TimedOut                   // a connection was there and nothing moved on it, or the caller's deadline has passed
	Precondition               // create-only found something there
	Misconfigured              // wrong region, endpoint or bucket name
	Canceled                   // the caller gave up
)

// ErrNoBucket says that the bucket itself does not exist. What wraps it wraps
// fs.ErrNotExist too.
var ErrNoBucket = errors.New("the bucket does not exist")

// Error is a failed operation on a bucket.
type Error struct {
	Op     string // what was being done: "putting", "getting", "listing" …
	Key    string // to which key or prefix of the archive; may be empty
	Where  string // the archive's URL, without credentials
	Kind   Kind
	Advice string // what to do, when there is something to do
	Err    error  // why
}

// Error implements error: what was being done, to what, why it failed, what to do.
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Op)
	if e.Key != "" {
		b.WriteString(" " + e.Key)
	}
	fmt.Fprintf(&b, " (%s): ", e.Where)
	switch {
	case e.Kind == NoBucket && strings.HasPrefix(e.Where, "azblob:"):
		b.WriteString("the container does not exist")
	case e.Kind == NoBucket:
		b.WriteString(ErrNoBucket.Error())
	default:
		b.WriteString(strings.ReplaceAll(reason(e.Err), "\n"+errBudget.Error(), "")) // errors.Join's
	}
	if errors.Is(e.Err, errBudget) {
		b.WriteString("; " + errBudget.Error())
	}
	if e.Advice != "" {
		b.WriteString("; " + e.Advice)
	}
	return b.String()
}

// Unwrap gives the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is makes errors.Is work with fs.ErrNotExist, fs.ErrPermission and ErrNoBucket.
func (e *Error) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Kind == NotFound || e.Kind == NoBucket
	case fs.ErrPermission:
		return e.Kind == Denied
	case ErrNoBucket:
		return e.Kind == NoBucket
	}
	return false
}

// reason is the cause in few words. The SDKs wrap theirs in several layers of request
// details, and net/http in the whole URL.
func reason(err error) string {
	if s, ok := azureReason(err); ok {
		return s
	}
	if s, ok := gcsReason(err); ok {
		return s
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		s := api.ErrorCode()
		if m := strings.TrimSpace(api.ErrorMessage()); m != "" && m != s {
			s += ": " + m
		}
		var resp *awshttp.ResponseError
		if errors.As(err, &resp) && resp.Response != nil {
			s += fmt.Sprintf(" (HTTP %d, request %s)", resp.HTTPStatusCode(), resp.ServiceRequestID())
		}
		return s
	}
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err.Error()
	}
	return err.Error()
}

// wrap makes an *Error of a failed operation, and leaves alone what is one already.
// The advice on permissions is provider-specific: permission names what op needs.
func wrap(where, op, key, permission string, err error) error {
	var e *Error
	if err == nil || errors.As(err, &e) {
		return err
	}
	k := classify(err)
	return &Error{Op: op, Key: key, Where: where, Kind: k, Advice: advice(k, permission, err), Err: err}
}

// classify sorts an error. gocloud's own codes are too coarse: to them throttling, bad
// signatures and refused connections are all Unknown.
func classify(err error) Kind {
	switch {
	case errors.Is(err, context.Canceled):
		return Canceled
	case errors.Is(err, fs.ErrPermission):
		return Denied
	case errors.Is(err, fs.ErrNotExist), gcerrors.Code(err) == gcerrors.NotFound && !isAPI(err):
		return NotFound
	}
	if k := classifyAzure(err); k != Other {
		return k
	}
	if k := classifyGCS(err); k != Other {
		return k
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if k := classifyCode(api.ErrorCode()); k != Other {
			return k
		}
	}
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) {
		if k := classifyStatus(resp.HTTPStatusCode()); k != Other {
			return k
		}
	}
	return classifyNetwork(err)
}

func isAPI(err error) bool {
	var api smithy.APIError
	return errors.As(err, &api)
}

func classifyCode(code string) Kind {
	switch code {
	case "NoSuchKey", "NotFound", "NoSuchUpload", "NoSuchVersion":
		return NotFound
	case "NoSuchBucket":
		return NoBucket
	case "AccessDenied", "Forbidden", "AllAccessDisabled", "AccountProblem", "MethodNotAllowed", "InvalidObjectState":
		return Denied
	case "InvalidAccessKeyId", "SignatureDoesNotMatch", "ExpiredToken", "InvalidToken", "TokenRefreshRequired",
		"RequestTimeTooSkewed", "AuthFailure", "UnrecognizedClientException", "ExpiredTokenException", "InvalidClientTokenId":
		return BadCredentials
	case "SlowDown", "Throttling", "ThrottlingException", "RequestLimitExceeded", "TooManyRequests", "RequestThrottled", "SlowDownRead", "SlowDownWrite":
		return Throttled
	case "PreconditionFailed", "ConditionalRequestConflict":
		return Precondition
	case "PermanentRedirect", "TemporaryRedirect", "Redirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException",
		"InvalidBucketName", "MovedPermanently", "NotImplemented":
		return Misconfigured
	}
	return Other
}

func classifyStatus(status int) Kind {
	switch status {
	case http.StatusMovedPermanently, http.StatusTemporaryRedirect, http.StatusPermanentRedirect, http.StatusNotImplemented:
		return Misconfigured
	case http.StatusUnauthorized:
		return BadCredentials
	case http.StatusForbidden:
		return Denied
	case http.StatusNotFound:
		return NotFound
	case http.StatusConflict, http.StatusPreconditionFailed:
		return Precondition
	case http.StatusTooManyRequests:
		return Throttled
	}
	return Other
}

func classifyNetwork(err error) Kind {
	var timeout net.Error
	switch {
	case noConnection(err) || badCertificate(err):
		return Unreachable
	case noCredentials(err):
		return BadCredentials
	case errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	case broken(err):
		return Broken
	}
	return Other
}

// noConnection reports whether err arose before there was a connection, so that the
// operation cannot have been applied.
func noConnection(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &dns) || (errors.As(err, &op) && op.Op == "dial")
}

// broken reports whether a connection ended in the middle. What was asked for may have
// been applied.
func broken(err error) bool {
	var src *bodyError
	if errors.As(err, &src) {
		return false
	}
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// badCertificate reports whether TLS failed for good.
func badCertificate(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &record) ||
		errors.As(err, &alert) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// noCredentials reports whether the credential chain came up empty. The SDK has no type
// for that, only these words.
func noCredentials(err error) bool {
	s := err.Error()
	return strings.Contains(s, "get credentials:") || strings.Contains(s, "failed to refresh cached credentials")
}

// advice says what to do about a failure. permission is what the operation needs of the
// provider, or "".
func advice(k Kind, permission string, err error) string {
	if a := settingAdvice(err); a != "" {
		return a
	}
	if a := fileAdvice(err); a != "" {
		return a
	}
	switch k {
	case NoBucket:
		return "create it, or correct the URL"
	case Denied:
		if permission != "" {
			return "the credentials need the permission " + permission
		}
	case BadCredentials:
		if code := apiCode(err); code == "RequestTimeTooSkewed" {
			return "set this host's clock"
		}
		return "check the credentials (AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile, or the role of this host), and whether they have expired"
	case Throttled:
		return "the service is overloaded; try again later, or with fewer transfers"
	case Unreachable:
		if badCertificate(err) {
			return "check the endpoint's scheme and certificate; AWS_CA_BUNDLE names the file of an authority of your own"
		}
		return "check the endpoint, the region and the network"
	case Broken:
		return "the connection broke; try again, and look at the network and what stands between"
	case TimedOut:
		return "the service did not answer in time; try again later"
	case Misconfigured:
		return "check region= and endpoint= in the URL, and the bucket's name"
	}
	return ""
}

// settingAdvice is for what a service refuses because of a setting in the URL.
func settingAdvice(err error) string {
	var api smithy.APIError
	if !errors.As(err, &api) {
		return ""
	}
	code, text := api.ErrorCode(), api.ErrorMessage()
	switch {
	case code == "InvalidStorageClass":
		return "the service does not have the class that storage_class= in the URL names; write one that it has, or leave it out"
	case strings.Contains(text, "ObjectLockConfiguration") || strings.Contains(text, "Object Lock") && strings.Contains(text, "not enabled"):
		return "the bucket has no object lock: make one that has it, or leave lock= and legal_hold= out of the URL"
	case strings.HasPrefix(strings.ToLower(code), "kms") || strings.Contains(text, "KMS is not configured"):
		return "the service cannot encrypt by KMS with ssetype= and kmskeyid= of the URL: check the key and that the service has a KMS, or leave them out"
	}
	return ""
}

// fileAdvice is for what an operating system refuses.
func fileAdvice(err error) string {
	switch {
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room where the archive is; what was stored stays, and the next run goes on from there"
	case errors.Is(err, syscall.EROFS):
		return "the file system is mounted read-only; mount it for writing"
	case errors.As(err, new(*fs.PathError)) && errors.Is(err, fs.ErrPermission), errors.As(err, new(*os.LinkError)) && errors.Is(err, fs.ErrPermission):
		return "the user that runs strongroom needs access to the archive's directory"
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

// redactedURL is an archive's URL, fit for messages.
type redactedURL string

// exists says that another object lies under a key.
func (w redactedURL) exists(key string) error {
	return &Error{Op: "putting", Key: key, Where: string(w), Kind: Precondition, Err: store.ErrExists}
}

// mismatch says that the source is not what was promised.
func (w redactedURL) mismatch(key string) error {
	return &Error{Op: "putting", Key: key, Where: string(w), Err: store.ErrMismatch}
}
