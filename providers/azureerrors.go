package providers

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore"
	"github.com/Azure/azure-sdk-for-go/sdk/storage/azblob/bloberror"
)

// azureTokenError says that the credential chain gave no token.
type azureTokenError struct{ err error }

func (e *azureTokenError) Error() string {
	// The chain tells each of its links, a line for each.
	return "no credentials: " + strings.Join(strings.Fields(e.err.Error()), " ")
}
func (e *azureTokenError) Unwrap() error { return e.err }

// NonRetriable implements the SDK's way to say that trying again is in vain.
func (*azureTokenError) NonRetriable() {}

// azureRoles are what an operation needs, for advice.
var azureRoles = map[string]string{
	"putting":    "role Storage Blob Data Contributor on the container (a shared access signature: sp=rcl)",
	"getting":    "role Storage Blob Data Reader on the container (a shared access signature: sp=r)",
	"reading":    "role Storage Blob Data Reader on the container (a shared access signature: sp=r)",
	"looking at": "role Storage Blob Data Reader on the container (a shared access signature: sp=r)",
	"listing":    "role Storage Blob Data Reader on the container (a shared access signature: sr=c, sp=l)",
	"deleting":   "role Storage Blob Data Contributor on the container (a shared access signature: sp=d)",
}

func (s *azureStore) fail(op, key string, err error) error {
	var known *Error
	if err == nil || errors.As(err, &known) {
		return err
	}
	err = wrap(string(s.redactedURL), op, key, "", err)
	if errors.As(err, &known) {
		if advice := azureAdvice(known, op); advice != "" {
			known.Advice = advice
		}
	}
	return err
}

// azureAdvice says what to do where the general advice speaks of S3.
func azureAdvice(e *Error, op string) string {
	code := azureCode(e.Err)
	switch e.Kind {
	case Other:
		if code == string(bloberror.BlockCountExceedsLimit) {
			return "earlier attempts to store the object have left too many blocks; Azure drops them a week after the last one"
		}
	case NoBucket:
		return "create the container, or correct the URL"
	case Denied:
		switch code {
		case "KeyBasedAuthenticationNotPermitted":
			return "the storage account takes no keys: unset AZURE_STORAGE_KEY, so that Microsoft Entra ID is used"
		case string(bloberror.AuthorizationFailure), string(bloberror.AuthorizationSourceIPMismatch):
			return "check that AZURE_STORAGE_KEY, if it is set, is a key of this account, and the account's network rules; the credentials need the " + azureRoles[op]
		case string(bloberror.BlobImmutableDueToPolicy):
			return "an immutability policy or a legal hold of the container keeps the object"
		case string(bloberror.BlobArchived), string(bloberror.BlobBeingRehydrated):
			return "the object is in the archive tier; move it to another tier, which takes hours, and try again"
		}
		return "the credentials need the " + azureRoles[op]
	case BadCredentials:
		return "check the credentials (AZURE_STORAGE_KEY, AZURE_STORAGE_SAS_TOKEN, or those of Microsoft Entra ID), that they belong to the account, whether they have expired, and this host's clock"
	case Unreachable:
		if badCertificate(e.Err) {
			return "check protocol= and domain= in the URL; SSL_CERT_FILE names the file of an authority of your own"
		}
		return "check the account's name, domain= in the URL, and the network"
	case Misconfigured:
		return "check account= and domain= in the URL, and the container's name"
	}
	return ""
}

// azureCode is the code in an answer of Azure, "" when err is none.
func azureCode(err error) string {
	var answer *azcore.ResponseError
	if errors.As(err, &answer) {
		return answer.ErrorCode
	}
	return ""
}

// classifyAzure sorts what came from the Azure SDK.
func classifyAzure(err error) Kind {
	var token *azureTokenError
	if errors.As(err, &token) {
		return BadCredentials
	}
	var answer *azcore.ResponseError
	if !errors.As(err, &answer) {
		return Other
	}
	switch bloberror.Code(answer.ErrorCode) {
	case bloberror.ContainerNotFound, bloberror.ContainerBeingDeleted, bloberror.ContainerDisabled:
		return NoBucket
	case bloberror.BlobNotFound, bloberror.ResourceNotFound:
		return NotFound
	case bloberror.AuthenticationFailed, bloberror.InvalidAuthenticationInfo, bloberror.NoAuthenticationInformation:
		return BadCredentials
	case bloberror.BlobAlreadyExists, bloberror.UnauthorizedBlobOverwrite, bloberror.ConditionNotMet:
		return Precondition
	case bloberror.BlobImmutableDueToPolicy, bloberror.BlobArchived, bloberror.BlobBeingRehydrated, "PublicAccessNotPermitted":
		return Denied
	case bloberror.BlockCountExceedsLimit:
		return Other // its status is that of a conflict
	case bloberror.ServerBusy:
		return Throttled
	case bloberror.OperationTimedOut:
		return TimedOut
	case bloberror.InvalidResourceName, bloberror.InvalidURI, bloberror.UnsupportedHTTPVerb, bloberror.OutOfRangeInput,
		bloberror.AccountIsDisabled, bloberror.FeatureVersionMismatch, "FeatureNotSupported":
		return Misconfigured
	}
	if answer.StatusCode == http.StatusServiceUnavailable {
		return Throttled
	}
	return classifyStatus(answer.StatusCode)
}

// azureReason is an answer of Azure in few words. The SDK's text holds the whole request.
func azureReason(err error) (string, bool) {
	var token *azureTokenError
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
		if m := azureMessage(r); m != "" {
			code += ": " + m
		}
		id = ", request " + r.Header.Get("X-Ms-Request-Id")
	}
	return fmt.Sprintf("%s (HTTP %d%s)", code, answer.StatusCode, id), true
}

// azureMessage is the sentence in an answer's body, which the SDK keeps for reading. Its
// further lines repeat the request; the element after it may quote what was signed.
func azureMessage(r *http.Response) string {
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
