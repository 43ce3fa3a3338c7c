package azure

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"

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

// roles are the roles that an operation needs, for advice.
var roles = map[string]string{
	"putting":  "role Storage Blob Data Contributor on the container (a shared access signature: sp=rcl)",
	"getting":  "role Storage Blob Data Reader on the container (a shared access signature: sp=r)",
	"reading":  "role Storage Blob Data Reader on the container (a shared access signature: sp=r)",
	"checking": "role Storage Blob Data Reader on the container (a shared access signature: sp=r)",
	"listing":  "role Storage Blob Data Reader on the container (a shared access signature: sr=c, sp=l)",
	"deleting": "role Storage Blob Data Contributor on the container (a shared access signature: sp=d)",
}

func (s *adapter) fail(op, key string, err error) error {
	return dialect.Wrap(string(s.RedactedURL), op, key, err)
}

// dialect interprets the errors of Azure and of its SDK.
var dialect = &cloud.Dialect{Sort: sortError, Reason: reason, Advise: advise}

// advise returns the advice for Azure if it differs from the general advice.
func advise(e *cloud.Error) string {
	code := codeOf(e.Err)
	switch e.Kind {
	case cloud.Other:
		if code == string(bloberror.BlockCountExceedsLimit) {
			return "earlier attempts to store the object left too many blocks; " +
				"Azure drops them a week after the last one"
		}
	case cloud.NoBucket:
		return "create the container, or correct the URL"
	case cloud.Denied:
		switch code {
		case "KeyBasedAuthenticationNotPermitted":
			return "the storage account refuses keys; unset AZURE_STORAGE_KEY, so that Microsoft Entra ID is used"
		case string(bloberror.AuthorizationFailure), string(bloberror.AuthorizationSourceIPMismatch):
			return "check that AZURE_STORAGE_KEY, if it is set, is a key of this account, " +
				"and check the account's network rules; the credentials need the " + roles[e.Op]
		case string(bloberror.BlobImmutableDueToPolicy):
			return "an immutability policy or a legal hold of the container protects the object"
		case string(bloberror.BlobArchived), string(bloberror.BlobBeingRehydrated):
			return "the object is in the archive tier; move it to another tier, which takes hours, and try again"
		}
		return "the credentials need the " + roles[e.Op]
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

// codeOf returns the code in an error answer of Azure, and "" for another error.
func codeOf(err error) string {
	var answer *azcore.ResponseError
	if errors.As(err, &answer) {
		return answer.ErrorCode
	}
	return ""
}

// sortError returns the kind of an error of the Azure SDK.
func sortError(err error) cloud.Kind {
	var token *tokenError
	if errors.As(err, &token) {
		return cloud.BadCredentials
	}
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) {
		return cloud.Other
	}
	switch bloberror.Code(answer.ErrorCode) {
	case bloberror.ContainerNotFound, bloberror.ContainerBeingDeleted, bloberror.ContainerDisabled:
		return cloud.NoBucket
	case bloberror.BlobNotFound, bloberror.ResourceNotFound:
		return cloud.NotFound
	case bloberror.AuthenticationFailed, bloberror.InvalidAuthenticationInfo, bloberror.NoAuthenticationInformation:
		return cloud.BadCredentials
	case bloberror.BlobAlreadyExists, bloberror.UnauthorizedBlobOverwrite, bloberror.ConditionNotMet:
		return cloud.Precondition
	case bloberror.BlobImmutableDueToPolicy, bloberror.BlobArchived, bloberror.BlobBeingRehydrated, "PublicAccessNotPermitted":
		return cloud.Denied
	case bloberror.BlockCountExceedsLimit:
		return cloud.Other // its status would be sorted as a conflict
	case bloberror.ServerBusy:
		return cloud.Throttled
	case bloberror.OperationTimedOut:
		return cloud.TimedOut
	case bloberror.InvalidResourceName, bloberror.InvalidURI, bloberror.UnsupportedHTTPVerb, bloberror.OutOfRangeInput,
		bloberror.AccountIsDisabled, bloberror.FeatureVersionMismatch, "FeatureNotSupported":
		return cloud.Misconfigured
	}
	if answer.StatusCode == http.StatusServiceUnavailable {
		return cloud.Throttled
	}
	return cloud.ClassifyStatus(answer.StatusCode)
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
		code = http.StatusText(answer.StatusCode)
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

// messageOf returns the first line of the message in an answer's body, which the SDK keeps for reading. The
// further lines repeat the request, and the element after the message may quote the signed text.
func messageOf(r *http.Response) string {
	if r.Body == nil {
		return ""
	}
	b, err := io.ReadAll(io.LimitReader(r.Body, 64<<10))
	if s, ok := r.Body.(io.Seeker); ok {
		_, _ = s.Seek(0, io.SeekStart)
	}
	var m struct{ Message string }
	if err != nil || xml.Unmarshal(b, &m) != nil {
		return ""
	}
	line, _, _ := strings.Cut(strings.TrimSpace(m.Message), "\n")
	return strings.TrimSpace(line)
}
