package s3

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A Put is one request with the CRC-32C in a header. The payload is not hashed for the signature, also over
// plain http, and there is no other checksum.
func TestS3RequestOfAPut(t *testing.T) {
	var o object
	f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) { o.serve(w, r, false) })
	content := bytes.Repeat([]byte("x"), 2<<20)
	if stored, err := storetest.PutBytes(t, b, "data/a", content); err != nil || stored.Existed {
		t.Fatalf("%+v, %v", stored, err)
	}
	if got := f.seen(); !slices.Equal(got, []string{"PUT data/a"}) {
		t.Fatalf("requests: %q", got)
	}
	for name, want := range map[string]string{
		"X-Amz-Content-Sha256": "UNSIGNED-PAYLOAD", "X-Amz-Checksum-Crc32c": *CrcToHeader(storetest.SumsOf(content).CRC32C),
		"If-None-Match": "*", "Expect": "100-continue", "Content-Encoding": "", "X-Amz-Trailer": "", "X-Amz-Sdk-Checksum-Algorithm": "",
	} {
		if got := f.headers[0].Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if a := f.headers[0].Get("Authorization"); !strings.Contains(a, "x-amz-checksum-crc32c") {
		t.Errorf("the checksum is not signed: %s", a)
	}
}

// The answer to a PUT is lost after the service applied it. The existing object is equal, so the Put succeeds.
func TestS3AnswerLost(t *testing.T) {
	var o object
	var lost atomic.Bool
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		o.serve(w, r, r.Method == http.MethodPut && lost.CompareAndSwap(false, true))
	})
	for range 2 {
		if stored, err := storetest.PutBytes(t, b, "a", []byte("content")); err != nil || !stored.Existed {
			t.Fatalf("%+v, %v", stored, err)
		}
	}
	if _, err := storetest.PutBytes(t, b, "a", []byte("CONTENT")); !errors.Is(err, store.ErrExists) {
		t.Errorf("other content: %v", err)
	}
}

// Requests with errors that will not pass are not retried, and the error states what to do.
func TestS3ErrorsOfTheService(t *testing.T) {
	for _, c := range []struct {
		status int
		code   string
		kind   cloud.Kind
		says   string
	}{
		{404, "NoSuchBucket", cloud.NoBucket, "create it"},
		{403, "AccessDenied", cloud.Denied, "permission s3:PutObject"},
		{403, "InvalidAccessKeyId", cloud.BadCredentials, "check the credentials"},
		{403, "SignatureDoesNotMatch", cloud.BadCredentials, "check the credentials"},
		{400, "ExpiredToken", cloud.BadCredentials, "expired"},
		{403, "RequestTimeTooSkewed", cloud.BadCredentials, "clock"},
		{301, "PermanentRedirect", cloud.Misconfigured, "region="},
		{400, "AuthorizationHeaderMalformed", cloud.Misconfigured, "region="},
	} {
		t.Run(c.code, func(t *testing.T) {
			f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) { fail(w, c.status, c.code) })
			_, err := storetest.PutBytes(t, b, "data/a", []byte("a"))
			var e *cloud.Error
			if !errors.As(err, &e) || e.Kind != c.kind {
				t.Fatalf("%v (%+v)", err, e)
			}
			for _, want := range []string{c.says, "putting data/a", "s3://bucket"} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not contain %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "topsecret") || strings.Contains(err.Error(), "Credential=") {
				t.Errorf("%q contains a secret", err)
			}
			if errors.Is(err, cloud.ErrNoBucket) != (c.kind == cloud.NoBucket) || errors.Is(err, fs.ErrNotExist) != (c.kind == cloud.NoBucket) {
				t.Errorf("%v: ErrNoBucket %v, fs.ErrNotExist %v", err, errors.Is(err, cloud.ErrNoBucket), errors.Is(err, fs.ErrNotExist))
			}
			if n := len(f.seen()); n > 2 {
				t.Errorf("%d requests: %q", n, f.seen())
			}
		})
	}
}

// A Put succeeds after one 503 and one broken connection.
func TestS3Retries(t *testing.T) {
	var o object
	var n atomic.Int32
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		switch n.Add(1) {
		case 1:
			io.Copy(io.Discard, r.Body)
			fail(w, http.StatusServiceUnavailable, "SlowDown")
		case 2:
			panic(http.ErrAbortHandler)
		default:
			o.serve(w, r, false)
		}
	})
	if _, err := storetest.PutBytes(t, b, "a", []byte("content")); err != nil {
		t.Fatal(err)
	}
}

// A server accepts the connection and never answers, or stops midway.
func TestS3ServerHangs(t *testing.T) {
	end := make(chan struct{})
	f, b := newFake(t, cloud.Options{Timeout: 150 * time.Millisecond}, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/half") {
			w.Header().Set("Content-Length", "100")
			w.Write([]byte("half"))
			w.(http.Flusher).Flush()
		}
		<-end
	})
	t.Cleanup(func() { close(end) })
	start := time.Now()
	timedOut := func(what string, err error) {
		t.Helper()
		var e *cloud.Error
		if !errors.As(err, &e) || e.Kind != cloud.TimedOut {
			t.Errorf("%s: %v, want TimedOut", what, err)
		}
	}
	_, err := b.Get(t.Context(), "a", 0, -1)
	timedOut("Get", err)
	if n := len(f.seen()); n != cloud.MaxStandstills {
		t.Errorf("%d attempts, want %d", n, cloud.MaxStandstills)
	}
	r, err := b.Get(t.Context(), "half", 0, -1)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.ReadAll(r)
	r.Close()
	timedOut("reading", err)
	for _, err = range b.List(t.Context(), "", "", "") {
	}
	timedOut("List", err)
	_, err = storetest.PutBytes(t, b, "a", []byte("a"))
	timedOut("Put", err)
	if took := time.Since(start); took > patience {
		t.Errorf("it took %v", took)
	}
}

// The peer reads no bytes.
func TestMovingWrite(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer b.Close()
	defer a.Close()
	c := cloud.NewIdleTimeoutConn(a, 50*time.Millisecond)
	if _, err := c.Write([]byte("x")); !errors.Is(err, context.DeadlineExceeded) && !isTimeout(err) {
		t.Errorf("Write: %v", err)
	}
	if _, err := c.Read(make([]byte, 1)); !isTimeout(err) {
		t.Errorf("Read: %v", err)
	}
}

func isTimeout(err error) bool {
	var n net.Error
	return errors.As(err, &n) && n.Timeout()
}

// If no server listens, there is a clear error after a few attempts.
func TestS3Unreachable(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l.Close()
	b := openFake(t, "http://"+l.Addr().String(), cloud.Options{})
	start := time.Now()
	for _, err = range b.List(t.Context(), "", "", "") {
	}
	var e *cloud.Error
	if !errors.As(err, &e) || e.Kind != cloud.Unreachable || !strings.Contains(err.Error(), "refused") || !strings.Contains(err.Error(), "check the endpoint") {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("it took %v", took)
	}
}

func TestS3NoCredentials(t *testing.T) {
	openFake(t, "http://127.0.0.1:1", cloud.Options{}) // for its environment
	for _, v := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"} {
		t.Setenv(v, "")
	}
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", filepath.Join(t.TempDir(), "missing"))
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "missing"))
	b := open(t, "s3://bucket?region=us-east-1&endpoint=http://127.0.0.1:1", cloud.Options{})
	_, err := storetest.PutBytes(t, b, "a", nil)
	var e *cloud.Error
	if !errors.As(err, &e) || e.Kind != cloud.BadCredentials {
		t.Errorf("%v (%+v)", err, e)
	}
}

func TestRetryer(t *testing.T) {
	t.Parallel()
	r := newRetryer(cloud.NewBudget(8))
	if r.MaxAttempts() != cloud.MaxAttempts {
		t.Errorf("%d attempts", r.MaxAttempts())
	}
	dial := &net.OpError{Op: "dial", Err: errors.New("refused")}
	slow := &smithy.GenericAPIError{Code: "SlowDown"}
	for attempt := 1; attempt < cloud.MaxAttempts; attempt++ {
		if d, err := r.RetryDelay(attempt, slow); err != nil || d < 0 || d > min(cloud.MaxBackoff, cloud.FirstBackoff<<(attempt-1)) {
			t.Errorf("after attempt %d: %v, %v", attempt, d, err)
		}
		if _, err := r.RetryDelay(attempt, dial); (err != nil) != (attempt >= cloud.MaxConnect) {
			t.Errorf("no connection, after attempt %d: %v", attempt, err)
		}
	}
	for _, err := range []error{cloud.NewBodyError(io.ErrUnexpectedEOF), &smithy.GenericAPIError{Code: "AccessDenied"}, &smithy.GenericAPIError{Code: "NoSuchBucket"}} {
		if r.IsErrorRetryable(err) {
			t.Errorf("%v is retried", err)
		}
	}
}

// On a real server each operation distinguishes a missing bucket from a missing key. Sweep ends an upload
// whose abort failed.
func TestS3Server(t *testing.T) {
	t.Parallel()
	server := storetest.NewS3(t)
	gone := open(t, strings.Replace(server.URL, server.Bucket, server.Bucket+"-gone", 1), cloud.Options{})
	_, putErr := storetest.PutBytes(t, gone, "a", []byte("a"))
	_, getErr := gone.Get(t.Context(), "a", 0, -1)
	_, statErr := gone.Stat(t.Context(), "a")
	large := make([]byte, cloud.SingleMax+1)
	_, largeErr := storetest.PutBytes(t, gone, "a", large)
	var listErr error
	for _, listErr = range gone.List(t.Context(), "", "", "") {
	}
	deleteErr := gone.Delete(t.Context(), store.AnyVersion("a"))
	for what, err := range map[string]error{"Put": putErr, "Put of parts": largeErr, "Get": getErr, "Stat": statErr, "List": listErr, "Delete": deleteErr} {
		if !errors.Is(err, cloud.ErrNoBucket) || !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s without a bucket: %v", what, err)
		}
	}
	there := open(t, server.URL, cloud.Options{}).(*adapter)
	if _, err := there.Stat(t.Context(), "a"); !errors.Is(err, fs.ErrNotExist) || errors.Is(err, cloud.ErrNoBucket) {
		t.Errorf("Stat without an object: %v", err)
	}
	up, err := server.Client.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: &server.Bucket, Key: there.key("a")})
	if err != nil {
		t.Fatal(err)
	}
	if n := server.Uploads(t, "a"); n != 1 {
		t.Fatalf("%d uploads, want the one just begun", n)
	}
	there.unfinished[aws.ToString(up.UploadId)] = *there.key("a")
	if n, err := there.Sweep(t.Context()); n != 1 || err != nil || server.Uploads(t, "a") != 0 {
		t.Errorf("Sweep: %d, %v; %d left", n, err, server.Uploads(t, "a"))
	}
}

func TestS3UnknownAuthority(t *testing.T) {
	server := storetest.NewS3TLS(t)
	t.Setenv("AWS_CA_BUNDLE", "")
	b := open(t, server.URL, cloud.Options{})
	start := time.Now()
	_, err := storetest.PutBytes(t, b, "a", nil)
	var e *cloud.Error
	if !errors.As(err, &e) || e.Kind != cloud.Unreachable || !strings.Contains(err.Error(), "AWS_CA_BUNDLE") {
		t.Errorf("%v", err)
	}
	if took := time.Since(start); took > patience {
		t.Errorf("it took %v", took)
	}
}
