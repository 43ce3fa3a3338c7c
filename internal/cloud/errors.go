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

// Kind sorts failures by what an operator can do about them.
type Kind int

// The kinds of failures.
const (
	Other          Kind = iota // any other; also an error of the service that all retries returned
	NotFound                   // the object does not exist
	NoBucket                   // the bucket does not exist
	Denied                     // the credentials are valid and lack the permission
	BadCredentials             // the credentials are missing, unknown, wrong or expired
	Throttled                  // the service asked to slow down until the attempts were used up
	Unreachable                // no connection: DNS, refused, TLS
	Broken                     // a connection broke while it was in use
	TimedOut                   // no traffic on an open connection, or the caller's deadline has passed
	Precondition               // create-only, and an object exists
	Misconfigured              // wrong region, endpoint or bucket name
	Canceled                   // the caller canceled the operation
	Protected                  // a lock, hold, retention or lease protects the existing object
	Frozen                     // the object is in a class from which it must be thawed before it can be read
	Blocked                    // the account, its bills, quota, network rules or keys forbid the operation to all
	Busy                       // another request for the same object was under way until the attempts were used up
)

// ErrNoBucket is reported if the bucket itself does not exist. An error that wraps it also wraps
// fs.ErrNotExist.
var ErrNoBucket = errors.New("the bucket does not exist")

// Error is a failed operation on a bucket.
type Error struct {
	Op     string // the operation: "putting", "getting", "listing" …
	Key    string // the key or prefix below the archive's prefix; may be empty
	Where  string // the archive's URL, without credentials
	Kind   Kind
	Advice string // what to do; empty if there is no advice
	Err    error  // the cause

	reason string // Err in few words; if empty, the text of Err is used
}

// Error returns the operation, the key, the URL, the cause and the advice.
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

// cause returns Err in few words.
func (e *Error) cause() string {
	if e.reason != "" {
		return e.reason
	}
	return e.Err.Error()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Is reports whether the Kind matches target, which may be fs.ErrNotExist, fs.ErrPermission, ErrNoBucket,
// store.ErrProtected, store.ErrFrozen or store.ErrTransient.
func (e *Error) Is(target error) bool {
	switch target {
	case fs.ErrNotExist:
		return e.Kind == NotFound || e.Kind == NoBucket
	case fs.ErrPermission:
		return e.Kind == Denied
	case ErrNoBucket:
		return e.Kind == NoBucket
	case store.ErrProtected:
		return e.Kind == Protected
	case store.ErrFrozen:
		return e.Kind == Frozen
	case store.ErrTransient:
		return e.Kind.isTransient()
	}
	return false
}

// isTransient reports whether the same operation may succeed later, with nothing changed.
func (k Kind) isTransient() bool {
	switch k {
	case Throttled, Unreachable, Broken, TimedOut, Busy:
		return true
	}
	return false
}

// ClassifyStatus returns the kind of failure that an HTTP status stands for.
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
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return Throttled
	}
	return Other
}

func classifyNetwork(err error) Kind {
	var timeout net.Error
	switch {
	case NoConnection(err) || BadCertificate(err):
		return Unreachable
	case errors.Is(err, ErrWebPage):
		return Misconfigured
	case NoCredentials(err):
		return BadCredentials
	case errors.As(err, &timeout) && timeout.Timeout():
		return TimedOut
	case broken(err):
		return Broken
	}
	return Other
}

// NoConnection reports whether err arose before there was a connection. Then the service cannot have
// applied the operation.
func NoConnection(err error) bool {
	var dns *net.DNSError
	var op *net.OpError
	return errors.As(err, &dns) || refusedByProxy(err) || (errors.As(err, &op) && op.Op == "dial")
}

// ProxyError is the answer of a proxy that does not connect to the service.
type ProxyError struct {
	Host   string // of the proxy, and its port
	Status string // of HTTP, such as "407 Proxy Authentication Required"
}

func (e *ProxyError) Error() string { return "the proxy " + e.Host + " answered " + e.Status }

// refusedByProxy reports whether the connection to a proxy failed, or the proxy refused to connect to the service.
func refusedByProxy(err error) bool {
	var op *net.OpError
	return errors.As(err, new(*ProxyError)) || (errors.As(err, &op) && op.Op == "proxyconnect")
}

// broken reports whether a connection ended in the middle. The service may have applied the operation.
func broken(err error) bool {
	var src *BodyError
	if errors.As(err, &src) {
		return false
	}
	return errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// BadCertificate reports whether TLS failed in a way that a retry does not help.
func BadCertificate(err error) bool {
	var verify *tls.CertificateVerificationError
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var record tls.RecordHeaderError
	var alert tls.AlertError
	return errors.As(err, &verify) || errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &record) ||
		errors.As(err, &alert) || strings.Contains(err.Error(), "server gave HTTP response to HTTPS client")
}

// NoCredentials reports whether the AWS credential chain returned no credentials. The SDK has no type for
// that error, only these words.
func NoCredentials(err error) bool {
	s := err.Error()
	return strings.Contains(s, "get credentials:") || strings.Contains(s, "failed to refresh cached credentials")
}

// systemAdvice returns the advice for an error of the operating system, or of a proxy.
func systemAdvice(err error) string {
	switch {
	case refusedByProxy(err):
		return "check the proxy that the environment names (HTTPS_PROXY, HTTP_PROXY); " +
			"NO_PROXY lists hosts that need none"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		return "make room where the archive is; what was stored stays, and the next run continues from there"
	case errors.Is(err, syscall.EROFS):
		return "the file system is mounted read-only; mount it for writing"
	case errors.As(err, new(*fs.PathError)) && errors.Is(err, fs.ErrPermission), errors.As(err, new(*os.LinkError)) && errors.Is(err, fs.ErrPermission):
		return "the user that runs strongroom needs access to the archive's directory"
	}
	return ""
}

// RedactedURL is an archive's URL without credentials, for messages and logs.
type RedactedURL string

// Exists returns an *Error of kind Precondition: another object exists under the key. It wraps
// store.ErrExists.
func (w RedactedURL) Exists(key string) error {
	return &Error{Op: "putting", Key: key, Where: string(w), Kind: Precondition, Err: store.ErrExists}
}

// Changed returns an *Error of kind Precondition: the object under the key is another one than was to be deleted.
// It wraps store.ErrChanged.
func (w RedactedURL) Changed(key string) error {
	return &Error{Op: "deleting", Key: key, Where: string(w), Kind: Precondition, Err: store.ErrChanged}
}

// Mismatch returns an *Error that wraps store.ErrMismatch: the source has other sums than declared.
func (w RedactedURL) Mismatch(key string) error {
	return &Error{Op: "putting", Key: key, Where: string(w), Err: store.ErrMismatch}
}
