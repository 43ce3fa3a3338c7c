package gcs

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"

	"google.golang.org/api/googleapi"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// permissions are the permissions that an operation needs, for advice.
var permissions = map[string]string{
	"putting":  "storage.objects.create (and storage.objects.get); the role Storage Object User is sufficient",
	"getting":  "storage.objects.get",
	"reading":  "storage.objects.get",
	"checking": "storage.objects.get",
	"listing":  "storage.objects.list",
	"deleting": "storage.objects.delete",
}

func (s *adapter) fail(op, key string, err error) error {
	return dialect.Wrap(string(s.RedactedURL), op, key, err)
}

// dialect interprets the errors of Google's service and module. The table is in answers.go.
var dialect = &cloud.Dialect{
	Answer: answerOf, Answers: answers, Sort: sortError, Reason: reason, Advise: advise, Permissions: permissions,
}

// advise returns the advice for a kind of failure at Google if it differs from the general advice.
func advise(e *cloud.Error) string {
	var api *googleapi.Error
	if errors.As(e.Err, &api) && isWebPage(api) && e.Kind != cloud.Throttled {
		return "a proxy or a web server may have answered in place of the service; check endpoint= in the URL, and the proxies"
	}
	switch e.Kind {
	case cloud.BadCredentials:
		return "check the credentials (GOOGLE_APPLICATION_CREDENTIALS, gcloud auth application-default login, or the service account of this host), and whether they have expired"
	case cloud.Unreachable:
		if cloud.BadCertificate(e.Err) {
			return "check the endpoint's scheme and certificate; " +
				"set SSL_CERT_FILE to the file of your own certificate authority"
		}
		return "check the network, and endpoint= or " + envEmulator + " if one is set"
	case cloud.Misconfigured:
		return "check the bucket's name, and endpoint= or " + envEmulator + " if one is set"
	}
	return ""
}

// reason returns an error of Google in few words.
func reason(err error) (string, bool) {
	var broken *cloud.BodyError
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
	switch {
	case isWebPage(api):
		m = http.StatusText(api.Code) + ", without an error of Google in the answer"
	case m == "":
		m = strings.TrimSpace(api.Body)
	}
	if m == "" {
		m = http.StatusText(api.Code)
	}
	const most = 300
	if len(m) > most {
		m = strings.ToValidUTF8(m[:most], "") + " …"
	}
	if r := codeOf(api); r != "" {
		m = r + ": " + m
	}
	return fmt.Sprintf("%s (HTTP %d)", m, api.Code), true
}

// codeOf returns the service's code of an error, such as "rateLimitExceeded".
func codeOf(e *googleapi.Error) string {
	if len(e.Errors) > 0 {
		return e.Errors[0].Reason
	}
	return ""
}

// isWebPage reports whether an error answer is HTML, which the service sends to no program.
func isWebPage(e *googleapi.Error) bool {
	return len(e.Errors) == 0 && strings.HasPrefix(strings.TrimSpace(e.Body), "<")
}

// answerOf returns an error answer of Google, or of the service that issues its tokens.
func answerOf(err error) (cloud.Answer, bool) {
	var creds *credentialsError
	var e *googleapi.Error
	switch {
	case errors.As(err, &creds):
		return cloud.Answer{Code: "credentials", Text: creds.Error()}, sortError(err) == cloud.BadCredentials
	case !errors.As(err, &e):
		return cloud.Answer{}, false
	}
	return cloud.Answer{Status: e.Code, Code: codeOf(e), Text: cmp.Or(e.Message, e.Body)}, true
}

// sortError returns the kind of an error for which there may be no answer.
func sortError(err error) cloud.Kind {
	var creds *credentialsError
	switch {
	case !errors.As(err, &creds):
		return cloud.Other
	case cloud.NoConnection(creds.err):
		return cloud.Unreachable
	case errors.Is(creds.err, context.DeadlineExceeded):
		return cloud.TimedOut
	}
	return cloud.BadCredentials
}

// isTransient reports whether a retry may succeed after the given attempt, counted from 1.
func isTransient(err error, attempt int) bool {
	if attempt >= cloud.MaxAttempts {
		return false
	}
	var broken *cloud.BodyError
	if errors.As(err, &broken) || errors.Is(err, store.ErrMismatch) || errors.Is(err, errAnswerEarly) || cloud.BadCertificate(err) ||
		cloud.IsLastingAnswer(err) {
		return false
	}
	switch dialect.Classify(err) {
	case cloud.Throttled, cloud.Busy:
		return true
	case cloud.Unreachable:
		return attempt < cloud.MaxConnect
	case cloud.TimedOut:
		return attempt < cloud.MaxStandstills
	case cloud.Other, cloud.Broken:
	default:
		return false
	}
	var api *googleapi.Error
	if errors.As(err, &api) {
		return cloud.IsPassingStatus(api.Code) || api.Code == http.StatusGone // an upload's session
	}
	return isConnection(err)
}

// isConnection reports whether err is of the connection, and not of an answer.
func isConnection(err error) bool {
	var u *url.Error
	var n net.Error
	return errors.As(err, &u) || errors.As(err, &n) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF)
}

// isBadChecksum reports whether the service refused the content because of its checksum.
func isBadChecksum(err error) bool {
	var e *googleapi.Error
	if !errors.As(err, &e) || e.Code != http.StatusBadRequest {
		return false
	}
	m := strings.ToLower(e.Message)
	return strings.Contains(m, "crc32c") || strings.Contains(m, "checksum")
}

// errNoBucket reports a missing bucket if the service's answer does not distinguish it from a missing object.
var errNoBucket = &googleapi.Error{Code: http.StatusNotFound, Message: "The specified bucket does not exist."}
