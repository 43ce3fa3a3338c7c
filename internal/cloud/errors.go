package cloud

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"strings"
	"syscall"

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

	reason string // Err in few words; empty: its own text
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
		b.WriteString(e.cause())
	}
	if errors.Is(e.Err, ErrBudget) {
		b.WriteString("; " + ErrBudget.Error())
	}
	if e.Advice != "" {
		b.WriteString("; " + e.Advice)
	}
	return b.String()
}

// cause is Err in few words.
func (e *Error) cause() string {
	if e.reason != "" {
		return e.reason
	}
	return e.Err.Error()
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

func ClassifyStatus(status int) Kind {
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
	case NoConnection(err) || BadCertificate(err):
		return Unreachable
	case NoCredentials(err):
		return BadCredentials
	case errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	case broken(err):
		return Broken
	}
	return Other
}

// NoConnection reports whether err arose before there was a connection, so that the
// operation cannot have been applied.
func NoConnection(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &dns) || (errors.As(err, &op) && op.Op == "dial")
}

// broken reports whether a connection ended in the middle. What was asked for may have
// been applied.
func broken(err error) bool {
	var src *BodyError
	if errors.As(err, &src) {
		return false
	}
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// BadCertificate reports whether TLS failed for good.
func BadCertificate(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &record) ||
		errors.As(err, &alert) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// NoCredentials reports whether the credential chain came up empty. The SDK has no type
// for that, only these words.
func NoCredentials(err error) bool {
	s := err.Error()
	return strings.Contains(s, "get credentials:") || strings.Contains(s, "failed to refresh cached credentials")
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

// RedactedURL is an archive's URL, fit for messages.
type RedactedURL string

// Exists says that another object lies under a key.
func (w RedactedURL) Exists(key string) error {
	return &Error{Op: "putting", Key: key, Where: string(w), Kind: Precondition, Err: store.ErrExists}
}

// Mismatch says that the source is not what was promised.
func (w RedactedURL) Mismatch(key string) error {
	return &Error{Op: "putting", Key: key, Where: string(w), Err: store.ErrMismatch}
}
