package azure

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// tokenError is the error of a credential chain that returned no token.
type tokenError struct{ err error }

func (e *tokenError) Error() string {
	// The chain's text has a line for each of its links.
	return "no credentials: " + strings.Join(strings.Fields(e.err.Error()), " ")
}
func (e *tokenError) Unwrap() error { return e.err }

// NonRetriable marks an error that the SDK must not retry.
func (*tokenError) NonRetriable() {}

// errUnacknowledged means that an answer has neither an ETag nor the id of a request. Something else may have answered in
// place of the service, so the object that exists decides.
var errUnacknowledged = fmt.Errorf("%w: it has neither an ETag nor x-ms-request-id, so it does not acknowledge the request; "+
	"check domain= in the URL, and the proxies on the way", cloud.ErrBadAnswer)

// acknowledged returns errUnacknowledged unless an answer with success has a header that a service sends. Azure and
// Azurite send the id with each answer (Microsoft, "Common REST API response headers"). A proxy may remove it.
func acknowledged(id *string, tag *azcore.ETag) error {
	if value(id) == "" && versionOf(tag) == "" {
		return errUnacknowledged
	}
	return nil
}

// roles are the roles that an operation needs, for advice.
var roles = map[string]string{
	"putting":  "role Storage Blob Data Contributor on the container (a shared access signature: sp=rcl)",
	"getting":  "role Storage Blob Data Reader on the container (a shared access signature: sp=r)",
	"reading":  "role Storage Blob Data Reader on the container (a shared access signature: sp=r)",
	"checking": "role Storage Blob Data Reader on the container (a shared access signature: sp=r)",
	"listing":  "role Storage Blob Data Reader on the container (a shared access signature: sr=c, sp=l)",
	"thawing":  "role Storage Blob Data Contributor on the container (a shared access signature: sp=w)",
	"deleting": "role Storage Blob Data Contributor on the container (a shared access signature: sp=d)",
}

func (s *adapter) fail(op, key string, err error) error {
	return dialect.Wrap(string(s.RedactedURL), op, key, err)
}

// dialect interprets the errors of Azure and of its SDK. The table is in answers.go.
var dialect = &cloud.Dialect{Answer: answerOf, Answers: answers, Sort: sortError, Reason: reason, Advise: advise}

// advise returns the advice for a kind of failure at Azure if it differs from the general advice.
func advise(e *cloud.Error) string {
	if a, ok := answerOf(e.Err); ok && a.Code == "" && e.Kind != cloud.Throttled {
		return "a proxy or a web server may have answered in place of the service; check domain= in the URL, and the proxies"
	}
	switch e.Kind {
	case cloud.NoBucket:
		return "create the container, or correct the URL"
	case cloud.Denied:
		if role := roles[e.Op]; role != "" {
			return "the credentials need the " + role
		}
	case cloud.BadCredentials:
		return "check the credentials (AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, or those of Microsoft Entra ID), " +
			"that they belong to the account, whether they have expired, and this host's clock"
	case cloud.Unreachable:
		if cloud.BadCertificate(e.Err) {
			return "check protocol= and domain= in the URL; " +
				"set SSL_CERT_FILE to the file of your own certificate authority"
		}
		return "check the account's name, domain= in the URL, and the network"
	case cloud.Misconfigured:
		return "check account= and domain= in the URL, and the container's name"
	}
	return ""
}

// answerOf returns an error answer of Azure. Its text has the detail of an authentication error too, which no message
// may quote: it has the signed text.
func answerOf(err error) (cloud.Answer, bool) {
	var answer *azcore.ResponseError
	if errors.As(err, new(*tokenError)) || !errors.As(err, &answer) {
		return cloud.Answer{}, false
	}
	a := cloud.Answer{Status: answer.StatusCode, Code: answer.ErrorCode}
	if r := answer.RawResponse; r != nil {
		m := bodyOf(r)
		a.Text = m.Message + "\n" + m.AuthenticationErrorDetail
	}
	return a, true
}

// sortError returns the kind of an error that is no answer of Azure.
func sortError(err error) cloud.Kind {
	if errors.As(err, new(*tokenError)) {
		return cloud.BadCredentials
	}
	return cloud.Other
}

// reason returns an error answer of Azure in few words. The SDK's text contains the whole request.
func reason(err error) (string, bool) {
	var token *tokenError
	if errors.As(err, &token) {
		return token.Error(), true
	}
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) {
		return "", false
	}
	code := answer.ErrorCode
	if code == "" {
		code = http.StatusText(answer.StatusCode) + ", without an error of Azure in the answer"
	}
	id := ""
	if r := answer.RawResponse; r != nil {
		if m := messageOf(r); m != "" {
			code += ": " + m
		}
		id = ", request " + r.Header.Get("X-Ms-Request-Id")
	}
	return fmt.Sprintf("%s (HTTP %d%s)", code, answer.StatusCode, id), true
}

// messageOf returns the first line of the message in an answer's body. The further lines repeat the request.
func messageOf(r *http.Response) string {
	line, _, _ := strings.Cut(strings.TrimSpace(bodyOf(r).Message), "\n")
	return strings.TrimSpace(line)
}

// errorBody is the body of an error answer.
type errorBody struct {
	Message                   string
	AuthenticationErrorDetail string
}

// bodyOf returns the body of an error answer, which the SDK keeps for reading.
func bodyOf(r *http.Response) (m errorBody) {
	if r.Body == nil {
		return m
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if s, ok := r.Body.(io.Seeker); ok {
		_, _ = s.Seek(0, io.SeekStart)
	}
	if err != nil || xml.Unmarshal(b, &m) != nil {
		return errorBody{}
	}
	return m
}
