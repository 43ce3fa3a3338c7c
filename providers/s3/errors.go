package s3

import (
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// dialect interprets the errors of S3 and of its SDK. The table is in answers.go.
var dialect = &cloud.Dialect{
	Answer: answerOf, Answers: answers, Sort: sortError, Reason: reason, Advise: advise, Permissions: permissions,
}

// answerOf returns an error answer of S3. The answer of a service that issues credentials is none.
func answerOf(err error) (cloud.Answer, bool) {
	if err == nil || cloud.NoCredentials(err) {
		return cloud.Answer{}, false
	}
	var api smithy.APIError
	a := cloud.Answer{Status: statusOf(err)}
	if errors.As(err, &api) && !isWebPage(err) {
		a.Code, a.Text = api.ErrorCode(), api.ErrorMessage()
		return a, true
	}
	return a, a.Status >= http.StatusMultipleChoices
}

// isWebPage reports whether an answer is HTML. The SDK makes a code of its status.
func isWebPage(err error) bool {
	var resp *awshttp.ResponseError
	return errors.As(err, &resp) && resp.Response != nil &&
		strings.HasPrefix(strings.ToLower(resp.Response.Header.Get("Content-Type")), "text/html")
}

// sortError returns the kind of an error that is no answer of S3.
func sortError(err error) cloud.Kind {
	if cloud.NoCredentials(err) && !cloud.NoConnection(err) {
		return cloud.BadCredentials
	}
	return cloud.Other
}

// reason returns an error answer of S3 in few words.
func reason(err error) (string, bool) {
	if err != nil && cloud.NoCredentials(err) {
		return noCredentials(err), true
	}
	a, ok := answerOf(err)
	if !ok {
		return "", false
	}
	s := a.Code
	if m := strings.TrimSpace(a.Text); m != "" && m != s {
		s += ": " + m
	}
	var resp *awshttp.ResponseError
	switch {
	case a.Status == 0:
		return s, true
	case s == "":
		return fmt.Sprintf("HTTP %d %s, without an error of S3 in the answer", a.Status, http.StatusText(a.Status)), true
	case errors.As(err, &resp) && resp.ServiceRequestID() != "":
		return s + fmt.Sprintf(" (HTTP %d, request %s)", a.Status, resp.ServiceRequestID()), true
	}
	return s + fmt.Sprintf(" (HTTP %d)", a.Status), true
}

// noCredentials returns why the credential chain returned nothing. The SDK's text begins with the request.
func noCredentials(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	for _, before := range []string{"get credentials: ", "failed to refresh cached credentials, "} {
		if _, after, ok := strings.Cut(text, before); ok {
			text = after
		}
	}
	if isSession(err) {
		return "no session: " + text
	}
	return "no credentials: " + text
}

// isSession reports whether the request for a session failed, which a directory bucket (S3 Express One Zone) needs. The
// SDK takes the session for credentials, and returns the cause as text only.
func isSession(err error) bool {
	return strings.Contains(err.Error(), "operation error S3: CreateSession")
}

// advise returns the advice for a kind of failure at S3 if it differs from the general advice.
func advise(e *cloud.Error) string {
	if a, ok := answerOf(e.Err); ok && a.Code == "" && e.Kind != cloud.Throttled {
		return "a proxy or a web server may have answered in place of the service; check endpoint= in the URL, and the proxies"
	}
	if isSession(e.Err) {
		return "the bucket's name is that of a directory bucket (S3 Express One Zone), which does not list in the order of " +
			"the keys; use a bucket of another type"
	}
	if errors.Is(e.Err, errVersionsUnknown) {
		return "if the service does not support GetBucketVersioning, add versions=true or versions=false to the URL"
	}
	switch e.Kind {
	case cloud.BadCredentials:
		return checkCredentials
	case cloud.Unreachable:
		switch {
		case cloud.NoCredentials(e.Err):
			return "the service that issues the credentials cannot be reached; " + checkCredentials
		case cloud.BadCertificate(e.Err):
			return "check the endpoint's scheme and certificate; " +
				"set AWS_CA_BUNDLE to the file of your own certificate authority"
		}
		return "check the endpoint, the region and the network"
	case cloud.Misconfigured:
		if r := regionOf(e.Err); r != "" {
			return "the bucket is in the region " + r + "; write region=" + r + " in the URL"
		}
		return checkPlace
	}
	return ""
}

var (
	expectedRegion = regexp.MustCompile(`expecting '([a-z0-9-]+)'`)
	regionName     = regexp.MustCompile(`^[a-z0-9-]{1,40}$`)
)

// regionOf returns the region of the bucket if an answer names it. A header does, or a message.
func regionOf(err error) string {
	var resp *awshttp.ResponseError
	if errors.As(err, &resp) && resp.Response != nil {
		if r := resp.Response.Header.Get("X-Amz-Bucket-Region"); regionName.MatchString(r) {
			return r
		}
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		if m := expectedRegion.FindStringSubmatch(api.ErrorMessage()); m != nil {
			return m[1]
		}
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
