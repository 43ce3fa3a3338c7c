package azure

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/Azure/azure-sdk-for-go/sdk/azcore/runtime"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// answered returns the error of the SDK for an answer. detail is the detail of an authentication error.
func answered(a *cloud.Answer, detail string) error {
	body := fmt.Sprintf("<Error><Code>%s</Code><Message>%s\nRequestId:r-1</Message><AuthenticationErrorDetail>%s</AuthenticationErrorDetail></Error>",
		a.Code, a.Text, detail)
	if a.Code == "" {
		body = "<html>No server is available.<br></html>"
	}
	return runtime.NewResponseError(&http.Response{
		StatusCode: a.Status, Header: http.Header{"X-Ms-Error-Code": {a.Code}, "X-Ms-Request-Id": {"r-1"}},
		Body: io.NopCloser(strings.NewReader(body)), Request: &http.Request{Method: http.MethodPut, URL: &url.URL{Scheme: "https", Host: "service.invalid"}},
	})
}

// Each answer of the service has the kind by which commands decide, and advice about its cause. No row of the table is
// without an answer here.
func TestAnswers(t *testing.T) {
	t.Parallel()
	held := map[int]bool{-1: true}
	for _, c := range []struct {
		status             int
		code, text, detail string
		kind               cloud.Kind
		says               string
	}{
		{404, "ContainerNotFound", "", "", cloud.NoBucket, "create the container"},
		{409, "ContainerBeingDeleted", "The specified container is being deleted. Try operation later.", "", cloud.NoBucket, "being deleted"},
		{404, "BlobNotFound", "", "", cloud.NotFound, ""},
		{404, "ResourceNotFound", "", "", cloud.NotFound, ""},
		{409, "BlobAlreadyExists", "", "", cloud.Precondition, ""},
		{403, "UnauthorizedBlobOverwrite", "", "", cloud.Precondition, ""},
		{412, "ConditionNotMet", "", "", cloud.Precondition, ""},
		{409, "BlobArchived", "", "", cloud.Frozen, "archive tier"},
		{409, "BlobBeingRehydrated", "", "", cloud.Frozen, "being moved"},
		{409, "DirectoryIsNotEmpty", "", "", cloud.Misconfigured, "directory"},
		{409, "ResourceTypeMismatch", "", "", cloud.Misconfigured, "directory"},
		{409, "BlobImmutableDueToPolicy", "", "", cloud.Protected, "immutability policy"},
		{409, "BlobImmutableDueToLegalHold", "", "", cloud.Protected, "legal hold"},
		{409, "ImmutabilityPolicyDeleteOnLockedPolicy", "", "", cloud.Protected, "immutability policy"},
		{409, "SnapshotsPresent", "", "", cloud.Protected, "snapshots"},
		{412, "LeaseIdMissing", "There is currently a lease on the blob and no lease ID was specified in the request.", "", cloud.Protected, "lease break"},
		{503, "ServerBusy", "", "", cloud.Throttled, "overloaded"},
		{503, "", "", "", cloud.Throttled, "maintenance"},
		{500, "OperationTimedOut", "", "", cloud.TimedOut, ""},
		{409, "AccountBeingCreated", "", "", cloud.Busy, "try again"},
		{409, "SystemInUse", "", "", cloud.Busy, "try again"},
		{409, "BlockCountExceedsLimit", "", "", cloud.Other, "a week after"},
		{403, "KeyVaultEncryptionKeyNotFound", "The key vault key is not found to unwrap the encryption key.", "", cloud.Blocked, "Key Vault"},
		{409, "BlobUsesCustomerSpecifiedEncryption", "", "", cloud.Denied, "a key of its own"},
		{403, "AccountIsDisabled", "", "", cloud.Blocked, "bills"},
		{403, "ContainerDisabled", "", "", cloud.Blocked, "disabled"},
		{400, "AccountRequiresHttps", "The account being accessed does not support http.", "", cloud.Misconfigured, "protocol=http"},
		{403, "AuthorizationProtocolMismatch", "", "", cloud.Misconfigured, "protocol=http"},
		{400, "TlsVersionNotPermitted", "", "", cloud.Misconfigured, "TLS"},
		{403, "AuthorizationSourceIPMismatch", "", "", cloud.Denied, "address of this host"},
		{403, "AuthorizationFailure", "", "", cloud.Denied, "network rules"},
		{403, "KeyBasedAuthenticationNotPermitted", "", "", cloud.Denied, "unset AZURE_STORAGE_KEY"},
		{403, "AuthenticationFailed", "", "Signature not valid in the specified time frame: topsecret", cloud.BadCredentials, "has expired"},
		{403, "AuthenticationFailed", "", "The Date header in the request is incorrect. topsecret", cloud.BadCredentials, "set this host's clock"},
		{401, "InvalidAuthenticationInfo", "Lifetime validation failed. The token is expired.", "", cloud.BadCredentials, "has expired"},
		{401, "InvalidAuthenticationInfo", "Issuer validation failed.", "", cloud.BadCredentials, "AZURE_TENANT_ID"},
		{401, "InvalidAuthenticationInfo", "", "", cloud.BadCredentials, "AZURE_STORAGE_KEY"},
		{403, "AuthenticationFailed", "", "", cloud.BadCredentials, "AZURE_STORAGE_KEY"},
		{401, "NoAuthenticationInformation", "", "", cloud.BadCredentials, "AZURE_STORAGE_SAS_TOKEN"},
		{409, "PublicAccessNotPermitted", "", "", cloud.Denied, "Contributor"},
		{403, "AuthorizationPermissionMismatch", "", "", cloud.Denied, "Contributor"},
		{403, "", "", "", cloud.Denied, "a proxy"},
		{400, "InvalidResourceName", "", "", cloud.Misconfigured, "container's name"},
		{400, "InvalidUri", "", "", cloud.Misconfigured, ""},
		{405, "UnsupportedHttpVerb", "", "", cloud.Misconfigured, ""},
		{400, "OutOfRangeInput", "", "", cloud.Misconfigured, ""},
		{409, "FeatureVersionMismatch", "", "", cloud.Misconfigured, ""},
		{400, "FeatureNotSupported", "", "", cloud.Misconfigured, ""},
	} {
		_, i := cloud.Interpret(answers, &cloud.Answer{Status: c.status, Code: c.code, Text: c.text + c.detail}, "putting")
		held[i] = true
		err := dialect.Wrap("azblob://c", "putting", "data/a", answered(&cloud.Answer{Status: c.status, Code: c.code, Text: c.text}, c.detail))
		text := err.Error()
		if k := dialect.KindOf(err); k != c.kind || !strings.Contains(text, c.says) {
			t.Errorf("%d %s: row %d, kind %q, want %q; %q must contain %q", c.status, c.code, i, k.Word(), c.kind.Word(), text, c.says)
		}
		if strings.Contains(text, "topsecret") || strings.Contains(text, "\n") || strings.Contains(text, "<html") {
			t.Errorf("%q quotes the body", text)
		}
		if c.kind != cloud.Denied && strings.Contains(text, "credentials need the role") {
			t.Errorf("%s is not a matter of roles: %q", c.code, text)
		}
	}
	for i := range answers {
		if !held[i] {
			t.Errorf("no answer holds row %d: %+v", i, answers[i])
		}
	}
}

// With credentials that may write and not read, a second Put of a key fails because it cannot be read.
func TestAzureLookIsDenied(t *testing.T) {
	_, b := newFake(t, cloud.Options{}, func(_ *fakeService, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPut {
			fail(w, http.StatusConflict, "BlobAlreadyExists")
			return
		}
		fail(w, http.StatusForbidden, "AuthorizationPermissionMismatch")
	})
	_, err := storetest.PutBytes(t, b, "a", []byte("a"))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "Data Reader") || strings.Contains(err.Error(), "BlobAlreadyExists") {
		t.Errorf("%v", err)
	}
}

// A listing shows which objects must be thawed. The directories of an account with a hierarchical namespace, and
// markers of directories, are no objects: a check does not take them for its leftovers.
func TestAzureFrozenObjectsAndDirectories(t *testing.T) {
	_, b := newFake(t, cloud.Options{}, func(_ *fakeService, w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodHead {
			w.Header().Set("X-Ms-Access-Tier", "Archive")
			w.Header().Set("Content-Length", "1")
			return
		}
		w.Header().Set("Content-Type", "application/xml")
		io.WriteString(w, `<?xml version="1.0" encoding="utf-8"?><EnumerationResults><Blobs>`+
			`<Blob><Name>a</Name><Properties><Content-Length>0</Content-Length><ResourceType>directory</ResourceType></Properties></Blob>`+
			`<Blob><Name>a/</Name><Properties><Content-Length>0</Content-Length></Properties></Blob>`+
			`<Blob><Name>a/b</Name><Properties><Content-Length>1</Content-Length><AccessTier>Archive</AccessTier></Properties></Blob>`+
			`<Blob><Name>a/c</Name><Properties><Content-Length>1</Content-Length><AccessTier>Cool</AccessTier></Properties></Blob>`+
			`</Blobs><NextMarker/></EnumerationResults>`)
	})
	var got []string
	for o, err := range b.List(t.Context(), "", "", "") {
		got = append(got, fmt.Sprintf("%s %s %s %v", o.Key, o.Frozen, o.Class, err))
	}
	if want := []string{"a/b Archive Archive <nil>", "a/c  Cool <nil>"}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if o, err := b.Stat(t.Context(), "a/b"); err != nil || o.Frozen != "Archive" || o.Class != "Archive" {
		t.Errorf("%+v, %v", o, err)
	}
}

// An object that a lease protects is no matter of permissions.
func TestAzureLeaseOnDelete(t *testing.T) {
	_, b := newFake(t, cloud.Options{}, func(_ *fakeService, w http.ResponseWriter, _ *http.Request) {
		fail(w, http.StatusPreconditionFailed, "LeaseIdMissing")
	})
	err := b.Delete(t.Context(), store.AnyVersion("a"))
	if !errors.Is(err, store.ErrProtected) || errors.Is(err, fs.ErrPermission) || errors.Is(err, store.ErrChanged) {
		t.Errorf("%v", err)
	}
}
