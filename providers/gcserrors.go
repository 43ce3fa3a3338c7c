package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/strongroom-dev/strongroom/store"
)

// gcsPermissions are what an operation needs, for advice.
var gcsPermissions = map[string]string{
	"putting":    "storage.objects.create (and storage.objects.get); the role Storage Object User has all that an archive needs",
	"getting":    "storage.objects.get",
	"reading":    "storage.objects.get",
	"looking at": "storage.objects.get",
	"listing":    "storage.objects.list",
	"deleting":   "storage.objects.delete",
}

func (s *gcsStore) fail(op, key string, err error) error {
	err = wrap(string(s.redactedURL), op, key, gcsPermissions[op], err)
	var e *Error
	if errors.As(err, &e) {
		e.Advice = gcsAdvice(e)
	}
	return err
}

// gcsAdvice is the advice where Google's differs.
func gcsAdvice(e *Error) string {
	switch e.Kind {
	case BadCredentials:
		return "check the credentials (GOOGLE_APPLICATION_CREDENTIALS, gcloud auth application-default login, or the service account of this host), and whether they have expired"
	case Unreachable:
		if badCertificate(e.Err) {
			return "check the endpoint's scheme and certificate; SSL_CERT_FILE names the file of an authority of your own"
		}
		return "check the network, and endpoint= or " + envGCSEmulator + " if one is set"
	case Misconfigured:
		return "check the bucket's name, and endpoint= or " + envGCSEmulator + " if one is set"
	}
	return e.Advice
}

// gcsReason is the cause in few words, when it is an error of Google's.
func gcsReason(err error) (string, bool) {
	var broken *bodyError
	var creds *credentialsError
	var api *googleapi.Error
	switch {
	case errors.As(err, &broken):
		return "", false
	case errors.As(err, &creds):
		return creds.Error(), true
	case !errors.As(err, &api):
		return "", false
	}
	m := strings.TrimSpace(api.Message)
	if m == "" {
		m = strings.TrimSpace(api.Body)
	}
	if m == "" {
		m = http.StatusText(api.Code)
	}
	const most = 300
	if len(m) > most {
		m = strings.ToValidUTF8(m[:most], "") + " …"
	}
	if r := gcsCode(api); r != "" {
		m = r + ": " + m
	}
	return fmt.Sprintf("%s (HTTP %d)", m, api.Code), true
}

// gcsCode is the service's word for an error, such as "rateLimitExceeded".
func gcsCode(e *googleapi.Error) string {
	if len(e.Errors) > 0 {
		return e.Errors[0].Reason
	}
	return ""
}

// classifyGCS sorts what is Google's; Other is everybody else's, and what may pass.
func classifyGCS(err error) Kind {
	var creds *credentialsError
	var e *googleapi.Error
	switch {
	case errors.As(err, &creds):
		if noConnection(creds.err) {
			return Unreachable
		}
		if errors.Is(creds.err, context.DeadlineExceeded) {
			return TimedOut
		}
		return BadCredentials
	case !errors.As(err, &e):
		return Other
	case e.Code == http.StatusForbidden && strings.Contains(strings.ToLower(gcsCode(e)), "ratelimitexceeded"):
		return Throttled
	case e.Code == http.StatusNotFound && strings.Contains(e.Message, "bucket does not exist"):
		return NoBucket
	case e.Code == http.StatusBadRequest && strings.Contains(strings.ToLower(e.Message), "invalid bucket name"):
		return Misconfigured
	case e.Code == http.StatusRequestTimeout, e.Code == http.StatusGatewayTimeout:
		return TimedOut
	}
	return classifyStatus(e.Code)
}

// gcsPasses reports whether it is worth trying again after the given attempt, counted
// from 1.
func gcsPasses(err error, attempt int) bool {
	if attempt >= maxAttempts {
		return false
	}
	var broken *bodyError
	if errors.As(err, &broken) || errors.Is(err, store.ErrMismatch) || errors.Is(err, errGCSEarly) || badCertificate(err) {
		return false
	}
	switch classify(err) {
	case Throttled:
		return true
	case Unreachable:
		return attempt < maxConnect
	case TimedOut:
		return attempt < maxStandstills
	case Other, Broken:
	default:
		return false
	}
	var api *googleapi.Error
	if errors.As(err, &api) {
		return api.Code >= http.StatusInternalServerError || api.Code == http.StatusGone // an upload's session
	}
	var u *url.Error
	var n net.Error
	return errors.As(err, &u) || errors.As(err, &n) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// gcsBadChecksum reports whether the service refused what it got for its checksum.
func gcsBadChecksum(err error) bool {
	var e *googleapi.Error
	if !errors.As(err, &e) || e.Code != http.StatusBadRequest {
		return false
	}
	m := strings.ToLower(e.Message)
	return strings.Contains(m, "crc32c") || strings.Contains(m, "checksum")
}

// errGCSNoBucket is what a missing bucket is reported with when the answer did not tell
// it from a missing object.
var errGCSNoBucket = &googleapi.Error{Code: http.StatusNotFound, Message: "The specified bucket does not exist."}
