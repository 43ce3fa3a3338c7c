package gcs

import (
	"errors"
	"io/fs"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"google.golang.org/api/googleapi"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Each answer of the service has the kind by which commands decide, and advice about its cause. No row of the table is
// without an answer here.
func TestAnswers(t *testing.T) {
	t.Parallel()
	held := map[int]bool{-1: true}
	for _, c := range []struct {
		status     int
		code, text string
		kind       cloud.Kind
		says       string
	}{
		{404, "notFound", "The specified bucket does not exist.", cloud.NoBucket, "create it"},
		{400, "invalid", "Invalid bucket name: 'x'", cloud.Misconfigured, "bucket's name"},
		{412, "conditionNotMet", "Request violates constraint 'constraints/storage.retentionPolicySeconds'", cloud.Blocked, "organization"},
		{412, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.", cloud.Precondition, ""},
		{409, "conflict", "The request conflicted with another request.", cloud.Busy, "try again"},
		{403, "retentionPolicyNotMet", "Object 'b/o' is subject to bucket's retention policy", cloud.Protected, "retention policy"},
		{403, "objectUnderActiveHold", "Object 'b/o' is under active Temporary hold", cloud.Protected, "hold"},
		{403, "forbidden", "Object 'b/o' is subject to bucket's retention policy", cloud.Protected, "retention policy"},
		{403, "forbidden", "Object 'b/o' is under active Temporary hold and cannot be deleted", cloud.Protected, "hold"},
		{403, "forbidden", "Object 'b/o' is under active Event-Based hold and cannot be deleted", cloud.Protected, "hold"},
		{429, "rateLimitExceeded", "The object exceeded the rate limit", cloud.Throttled, "fewer transfers"},
		{403, "rateLimitExceeded", "Rate limit exceeded", cloud.Throttled, ""},
		{403, "userRateLimitExceeded", "User rate limit exceeded", cloud.Throttled, ""},
		{503, "backendError", "Backend Error", cloud.Throttled, "maintenance"},
		{503, "", "<html>No server is available.</html>", cloud.Throttled, "maintenance"},
		{408, "", "Request Timeout", cloud.TimedOut, ""},
		{504, "", "Gateway Timeout", cloud.TimedOut, ""},
		{403, "forbidden", "Permission denied on Cloud KMS key. Please ensure that your Cloud Storage service account has been authorized", cloud.Denied, "CryptoKey Encrypter"},
		{400, "invalid", "Cloud KMS key is disabled, destroyed, or scheduled to be destroyed.", cloud.Blocked, "Cloud KMS"},
		{400, "invalid", "projects/p/locations/l/keyRings/r/cryptoKeys/k is not enabled", cloud.Blocked, "Cloud KMS"},
		{400, "required", "Bucket is a requester pays bucket but no user project provided.", cloud.Misconfigured, "GOOGLE_CLOUD_QUOTA_PROJECT"},
		{400, "UserProjectMissing", "User project missing", cloud.Misconfigured, "GOOGLE_CLOUD_QUOTA_PROJECT"},
		{403, "UserProjectAccessDenied", "The user project is denied", cloud.Denied, "serviceusage.services.use"},
		{403, "accountDisabled", "The account for the specified project has been disabled.", cloud.Blocked, "billing"},
		{403, "forbidden", "The billing account for the owning project is disabled in state absent", cloud.Blocked, "billing"},
		{403, "vpcServiceControls", "Request is prohibited by organization policy.", cloud.Blocked, "perimeter"},
		{403, "forbidden", "Request is prohibited. vpcServiceControlsUniqueIdentifier: abc.", cloud.Blocked, "perimeter"},
		{403, "forbidden", "There is an IP filtering condition that is preventing access", cloud.Blocked, "IP filter"},
		{403, "quotaExceeded", "The quota is exceeded", cloud.Blocked, "quota"},
		{403, "sslRequired", "SSL is required for this operation.", cloud.Misconfigured, "https://"},
		{403, "insufficientPermissions", "Request had insufficient authentication scopes.", cloud.Denied, "access scopes"},
		{401, "authError", "Invalid Credentials", cloud.BadCredentials, "GOOGLE_APPLICATION_CREDENTIALS"},
		{403, "forbidden", "backup@p.iam.gserviceaccount.com does not have storage.objects.create access", cloud.Denied, "storage.objects.create"},
		{403, "", "<html>Access denied by the proxy</html>", cloud.Denied, "a proxy"},
	} {
		e := &googleapi.Error{Code: c.status, Message: c.text, Errors: []googleapi.ErrorItem{{Reason: c.code}}}
		if strings.HasPrefix(c.text, "<") {
			e = &googleapi.Error{Code: c.status, Body: c.text}
		}
		a, _ := answerOf(e)
		_, i := cloud.Interpret(answers, &a, "putting")
		held[i] = true
		err := dialect.Wrap("gs://b", "putting", "data/a", e)
		text := err.Error()
		if k := dialect.KindOf(err); k != c.kind || !strings.Contains(text, c.says) || strings.Contains(text, "<html") {
			t.Errorf("%+v: row %d, kind %q; %q", c, i, k.Word(), text)
		}
		if c.kind != cloud.Denied && strings.Contains(text, "need the permission") {
			t.Errorf("%+v is not a matter of permissions: %q", c, text)
		}
	}
	for text, says := range map[string]string{
		"Invalid JWT: Token must be a short-lived token (60 minutes) and in a reasonable timeframe.": "clock",
		"Token has been expired or revoked.": "has expired",
		"Invalid JWT Signature.":             "new key",
		"Invalid grant: account not found":   "does not exist any more",
		"no file":                            "GOOGLE_APPLICATION_CREDENTIALS",
	} {
		err := dialect.Wrap("gs://b", "putting", "data/a", &credentialsError{errors.New(text)})
		a, _ := answerOf(&credentialsError{errors.New(text)})
		_, i := cloud.Interpret(answers, &a, "putting")
		if held[i] = true; dialect.KindOf(err) != cloud.BadCredentials || !strings.Contains(err.Error(), says) {
			t.Errorf("%v; want %q", err, says)
		}
	}
	for i := range answers {
		if !held[i] {
			t.Errorf("no answer holds row %d: %+v", i, answers[i])
		}
	}
}

// A conflict with another request ends by itself, so the request is sent again.
func TestGCSConflictIsTriedAgain(t *testing.T) {
	t.Parallel()
	var n atomic.Int32
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method != http.MethodPost || n.Add(1) > 2 {
			return false
		}
		fail(w, http.StatusConflict, "conflict", "The request conflicted with another request.")
		return true
	})
	if _, err := storetest.PutBytes(t, b, "a", []byte("a")); err != nil || n.Load() != 3 {
		t.Errorf("%v; %d requests", err, n.Load())
	}
}

// With credentials that may write and not read, a second Put of a key fails because it cannot be read.
func TestGCSLookIsDenied(t *testing.T) {
	t.Parallel()
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) bool {
		if r.Method == http.MethodPost {
			fail(w, http.StatusPreconditionFailed, "conditionNotMet", "At least one of the pre-conditions you specified did not hold.")
		} else {
			fail(w, http.StatusForbidden, "forbidden", "backup@p does not have storage.objects.get access")
		}
		return true
	})
	_, err := storetest.PutBytes(t, b, "a", []byte("a"))
	if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "storage.objects.get") || strings.Contains(err.Error(), "conditionNotMet") {
		t.Errorf("%v", err)
	}
}
