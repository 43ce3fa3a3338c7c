package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// refuse answers with an error that has a message.
func refuse(w http.ResponseWriter, status int, code, message string) {
	w.Header().Set("Content-Type", "application/xml")
	w.WriteHeader(status)
	fmt.Fprintf(w, `<?xml version="1.0" encoding="UTF-8"?><Error><Code>%s</Code><Message>%s</Message></Error>`, code, message)
}

// A conflict with another request ends by itself, as at OVH and Amazon. So the request is sent again, and a backup
// does not fail.
func TestS3ConflictsAreTriedAgain(t *testing.T) {
	for _, code := range []string{"OperationAborted", "ConditionalRequestConflict"} {
		var o object
		var n atomic.Int32
		f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) <= 2 {
				fail(w, http.StatusConflict, code)
				return
			}
			o.serve(w, r, false)
		})
		if _, err := storetest.PutBytes(t, b, "a", []byte("a")); err != nil {
			t.Errorf("%s: %v", code, err)
		}
		if got := f.seen(); !slices.Equal(got, []string{"PUT a", "PUT a", "PUT a"}) {
			t.Errorf("%s: requests %q", code, got)
		}
	}
}

// After a conflict while an upload is completed, Amazon demands a new upload. The same request again would be in vain.
func TestS3ConflictOfAnUpload(t *testing.T) {
	completed := 0
	f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		switch q := r.URL.Query(); {
		case r.Method == http.MethodPost && q.Has("uploads"):
			io.WriteString(w, "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>")
		case r.Method == http.MethodPost:
			if completed++; completed == 1 {
				fail(w, http.StatusConflict, "ConditionalRequestConflict")
				return
			}
			sums := storetest.SumsOf(make([]byte, cloud.SingleMax+1))
			fmt.Fprintf(w, "<CompleteMultipartUploadResult><ChecksumCRC32C>%s</ChecksumCRC32C></CompleteMultipartUploadResult>", *CrcToHeader(sums.CRC32C))
		case strings.Trim(r.URL.Path, "/") == "bucket":
		case r.Method == http.MethodHead || r.Method == http.MethodGet:
			fail(w, http.StatusNotFound, "NoSuchKey")
		case r.Method == http.MethodPut:
			w.Header().Set("ETag", `"e"`)
		}
	})
	if _, err := storetest.PutBytes(t, b, "a", make([]byte, cloud.SingleMax+1)); err != nil || completed != 2 {
		t.Errorf("%v; completed %d times: %q", err, completed, f.seen())
	}
}

// The answer to a HEAD has no body, so expired credentials are a plain "bad request". Its cause is named all the same,
// also if it shows at an object's attributes first.
func TestS3CauseOfARefusedHead(t *testing.T) {
	for _, c := range []struct {
		status     int
		code, text string
		kind       cloud.Kind
		says       string
	}{
		{400, "ExpiredToken", "The provided token has expired.", cloud.BadCredentials, "have expired"},
		{403, "AccessDenied", "not authorized to perform: kms:Decrypt on resource", cloud.Denied, "kms:Decrypt"},
		{403, "RequestTimeTooSkewed", "The difference is too large.", cloud.BadCredentials, "clock"},
		{403, "AccessDenied", "Access Denied", cloud.Denied, "s3:GetObject"},
	} {
		f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) { refuse(w, c.status, c.code, c.text) })
		_, err := b.Stat(t.Context(), "a")
		if k := dialect.KindOf(err); k != c.kind || !strings.Contains(err.Error(), c.says) || !strings.Contains(err.Error(), c.code) {
			t.Errorf("%v (%s)", err, k.Word())
		}
		if got := f.seen(); !slices.Equal(got, []string{"HEAD a", "GET a"}) {
			t.Errorf("requests %q", got)
		}
	}
}

// With credentials that may write and not read, a second Put of a key fails because it cannot be read. That the key
// exists is no error of the caller.
func TestS3LookIsDenied(t *testing.T) {
	for _, size := range []int{10, cloud.CompareMax + 1} {
		_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			if r.Method == http.MethodPut {
				fail(w, http.StatusPreconditionFailed, "PreconditionFailed")
				return
			}
			fail(w, http.StatusForbidden, "AccessDenied")
		})
		_, err := storetest.PutBytes(t, b, "a", make([]byte, size))
		if !errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "s3:GetObject") || strings.Contains(err.Error(), "PreconditionFailed") {
			t.Errorf("%d bytes: %v", size, err)
		}
	}
}

// Services demand a checksum of a request's body, and not all accept the same. CRC-32C is sent, and MD5 once a service
// has demanded that.
func TestS3ChecksumOfADelete(t *testing.T) {
	f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Content-Md5") == "" && r.Header.Get("X-Amz-Checksum-Crc32c") == "" {
			refuse(w, http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: Content-MD5 or x-amz-checksum-crc32c")
			return
		}
		deleteAll(w, r.Body)
	})
	if err := b.Delete(t.Context(), store.AnyVersion("a", "b")); err != nil {
		t.Error(err)
	}
	if n := len(f.seen()); n != 1 || f.headers[0].Get("X-Amz-Checksum-Crc32") != "" || f.headers[0].Get("X-Amz-Checksum-Crc32c") == "" {
		t.Errorf("%d requests, %v", n, f.headers)
	}
	for _, code := range []string{"MissingContentMD5", "InvalidArgument"} {
		f, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			if r.Header.Get("Content-Md5") == "" {
				refuse(w, http.StatusBadRequest, code, "the header Content-MD5 is missing, or x-amz-checksum-crc32c is not supported")
				return
			}
			deleteAll(w, r.Body)
		})
		for range 2 {
			if err := b.Delete(t.Context(), store.AnyVersion("a", "b")); err != nil {
				t.Errorf("%s: %v", code, err)
			}
		}
		if n := len(f.seen()); n != 3 {
			t.Errorf("%s: %d requests", code, n)
		}
	}
}

// A service that is busy with some objects of a batch deletes them when asked again. A prune does not fail for them.
func TestS3DeletesAgainWhatWasBusy(t *testing.T) {
	var bodies []string
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		bodies = append(bodies, string(body))
		if len(bodies) == 1 {
			io.WriteString(w, "<DeleteResult><Error><Key>a</Key><Code>SlowDown</Code></Error>"+
				"<Error><Key>b</Key><Code>InternalError</Code></Error>"+
				"<Error><Key>c</Key><Code>AccessDenied</Code><Message>protected by object lock</Message></Error><Deleted><Key>d</Key></Deleted></DeleteResult>")
			return
		}
		deleteAll(w, bytes.NewReader(body))
	})
	err := b.Delete(t.Context(), store.AnyVersion("a", "b", "c", "d"))
	if !errors.Is(err, store.ErrProtected) || strings.Count(err.Error(), "deleting") != 1 || errors.Is(err, fs.ErrPermission) {
		t.Errorf("%v", err)
	}
	if len(bodies) != 2 || strings.Contains(bodies[1], "<Key>c<") || strings.Contains(bodies[1], "<Key>d<") ||
		!strings.Contains(bodies[1], "<Key>a<") || !strings.Contains(bodies[1], "<Key>b<") {
		t.Errorf("sent %q", bodies)
	}
}

// Gateways that do not know GetBucketVersioning take it for another request. That fails no run: there is a warning.
func TestS3VersioningIsUnknown(t *testing.T) {
	for code, status := range map[string]int{
		"InvalidArgument": 400, "NoSuchKey": 404, "NoSuchVersioningConfiguration": 404,
		"MethodNotAllowed": 405, "UnsupportedOperation": 403, "NotImplemented": 501, "AccessDenied": 403,
	} {
		var o object
		var log strings.Builder
		options := cloud.Options{Log: slog.New(slog.NewTextHandler(&log, nil))}
		_, b := newFakeAt(t, "", options, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("versioning") {
				fail(w, status, code)
				return
			}
			o.serve(w, r, false)
		})
		if _, err := storetest.PutBytes(t, b, "a", []byte("a")); err != nil {
			t.Errorf("%s: %v", code, err)
		}
		if quiet := code == "MethodNotAllowed" || code == "UnsupportedOperation" || code == "NotImplemented"; quiet == strings.Contains(log.String(), "versions=true") {
			t.Errorf("%s: %s", code, log.String())
		}
	}
	for code, status := range map[string]int{"ExpiredToken": 400, "NoSuchBucket": 404, "AuthorizationHeaderMalformed": 400} {
		_, b := newFakeAt(t, "", cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) { fail(w, status, code) })
		if _, err := b.Stat(t.Context(), "a"); err == nil || !strings.Contains(err.Error(), "GetBucketVersioning") && code != "NoSuchBucket" && !strings.Contains(err.Error(), code) {
			t.Errorf("%s: %v", code, err)
		}
	}
}

// An answer that may pass does not turn the versions off for the life of the process: the newest version would count, which
// an intruder can put. The error names the parameter, and the next operation requests the configuration again.
func TestS3VersioningFailsOnce(t *testing.T) {
	f := &versionsFake{status: "Enabled", keys: []string{"data/a"}}
	for code, status := range map[string]int{"InvalidRequest": 400, "Strange": 400, "NotHere": 404} {
		var asked atomic.Int32
		_, b := newFakeAt(t, "", cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Query().Has("versioning") && asked.Add(1) == 1 {
				fail(w, status, code)
				return
			}
			f.serve(w, r)
		})
		if _, err := b.Get(t.Context(), "data/a", 0, -1); err == nil || !strings.Contains(err.Error(), "versions=true or versions=false") {
			t.Errorf("%s: %v", code, err)
		}
		if got := readAll(t, b, "data/a", 0, -1); got != "data/a" {
			t.Errorf("%s: %q", code, got)
		}
	}
}

// With requester_pays each request states who pays. Amazon refuses those that do not.
func TestS3RequesterPays(t *testing.T) {
	var o object
	f, b := newFakeAt(t, "&versions=false&requester_pays=true", cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost || r.URL.Query().Has("list-type") {
			deleteAll(w, r.Body)
			return
		}
		o.serve(w, r, false)
	})
	_, putErr := storetest.PutBytes(t, b, "a", []byte("a"))
	_, statErr := b.Stat(t.Context(), "a")
	r, getErr := b.Get(t.Context(), "a", 0, -1)
	if getErr == nil {
		getErr = r.Close()
	}
	if err := errors.Join(putErr, statErr, getErr, b.Delete(t.Context(), store.AnyVersion("a"))); err != nil {
		t.Error(err)
	}
	for i, h := range f.headers {
		if h.Get("X-Amz-Request-Payer") != "requester" || !strings.Contains(h.Get("Authorization"), "x-amz-request-payer") {
			t.Errorf("%s: %v", f.seen()[i], h)
		}
	}
}

// An endpoint with addresses of both kinds is chosen by name. An access point has an alias that is a bucket's name.
func TestS3Addresses(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	for _, dual := range []bool{false, true} {
		b := open(t, fmt.Sprintf("s3://ap-abc-s3alias/a?region=us-east-1&dualstack=%v", dual), cloud.Options{})
		if got := b.(*adapter).client.Options().EndpointOptions.UseDualStackEndpoint == aws.DualStackEndpointStateEnabled; got != dual {
			t.Errorf("dualstack=%v: %v", dual, got)
		}
	}
	_, err := Open(t.Context(), "s3://arn:aws:s3:us-west-2:123456789012:accesspoint/ap/a?region=us-west-2", cloud.Options{})
	if err == nil || !strings.Contains(err.Error(), "s3alias") {
		t.Errorf("%v", err)
	}
}

// The SDK requests a session for a directory bucket, and reports a refusal as missing credentials. New credentials would
// not help: archives cannot be made in such a bucket.
func TestS3DirectoryBucket(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusForbidden, "AccessDenied") }))
	t.Cleanup(server.Close)
	openFake(t, server.URL, cloud.Options{}) // for its credentials
	b := open(t, "s3://bkt--use1-az5--x-s3/a?region=us-east-1&versions=false&endpoint="+url.QueryEscape(server.URL), cloud.Options{})
	_, err := b.Stat(t.Context(), "archive.json")
	if s := fmt.Sprint(err); !strings.Contains(s, "no session: ") || !strings.Contains(s, "directory bucket") || strings.Contains(s, "check the credentials") {
		t.Error(s)
	}
}

// The listing and the attributes show which objects must be thawed, and reading one fails for that reason. They also show
// the class of each object, which decides its price. Markers of directories, which consoles make, are no objects.
func TestS3FrozenObjectsAndMarkers(t *testing.T) {
	for versions, element := range map[string]string{"false": "Contents", "true": "Version"} {
		_, b := newFakeAt(t, "&versions="+versions, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			switch q := r.URL.Query(); {
			case q.Has("list-type") || q.Has("versions"):
				root := map[bool]string{true: "ListVersionsResult", false: "ListBucketResult"}[q.Has("versions")]
				fmt.Fprintf(w, "<%s>", root)
				for _, o := range []string{"<Key>data/</Key>", "<Key>data/a</Key><StorageClass>GLACIER</StorageClass>", "<Key>data/b</Key><StorageClass>GLACIER_IR</StorageClass>", "<Key>data/c</Key>"} {
					fmt.Fprintf(w, "<%s>%s<VersionId>v</VersionId><LastModified>2026-11-02T10:15:30Z</LastModified><Size>1</Size></%s>", element, o, element)
				}
				fmt.Fprintf(w, "</%s>", root)
			case r.Method == http.MethodHead:
				w.Header().Set("X-Amz-Storage-Class", "DEEP_ARCHIVE")
			default:
				refuse(w, http.StatusForbidden, "InvalidObjectState", "The operation is not valid for the object's storage class")
			}
		})
		var got []string
		for o, err := range b.List(t.Context(), "data/", "", "") {
			got = append(got, fmt.Sprintf("%s %s %s %v", o.Key, o.Frozen, o.Class, err))
		}
		if want := []string{"data/a GLACIER GLACIER <nil>", "data/b  GLACIER_IR <nil>", "data/c  STANDARD <nil>"}; !slices.Equal(got, want) {
			t.Errorf("versions=%s: %q, want %q", versions, got, want)
		}
		if o, err := b.Stat(t.Context(), "data/a"); err != nil || o.Frozen != "DEEP_ARCHIVE" || o.Class != "DEEP_ARCHIVE" {
			t.Errorf("versions=%s: %+v, %v", versions, o, err)
		}
		_, err := b.Get(t.Context(), "data/a", 0, -1)
		if !errors.Is(err, store.ErrFrozen) || errors.Is(err, fs.ErrPermission) || !strings.Contains(err.Error(), "RestoreObject") {
			t.Errorf("versions=%s: %v", versions, err)
		}
	}
}

// An object that was thawed can be read, although it has its class still. An intelligent tier archives without another
// class.
func TestS3FrozenNow(t *testing.T) {
	for header, want := range map[string]string{
		"":                              "GLACIER",
		`ongoing-request="true"`:        "GLACIER",
		`ongoing-request="false", more`: "",
	} {
		_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("X-Amz-Storage-Class", "GLACIER")
			w.Header().Set("X-Amz-Restore", header)
		})
		if o, err := b.Stat(t.Context(), "a"); err != nil || o.Frozen != want {
			t.Errorf("%s: %+v, %v", header, o, err)
		}
	}
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("X-Amz-Storage-Class", "INTELLIGENT_TIERING")
		w.Header().Set("X-Amz-Archive-Status", "ARCHIVE_ACCESS")
	})
	if o, err := b.Stat(t.Context(), "a"); err != nil || o.Frozen != "ARCHIVE_ACCESS" || o.Class != "INTELLIGENT_TIERING" {
		t.Errorf("%+v, %v", o, err)
	}
}

// Locks are extended with the checksum of the request that the service accepts: CRC-32C, or MD5 where it demands that.
func TestS3ChecksumOfALock(t *testing.T) {
	for _, demand := range []string{"X-Amz-Checksum-Crc32c", "Content-Md5"} {
		var bare int
		_, b := newFakeAt(t, "&lock=GOVERNANCE&lock_for=1h&legal_hold=true", cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
			q := r.URL.Query()
			switch {
			case q.Has("versions"):
				io.WriteString(w, "<ListVersionsResult><Version><Key>a</Key><VersionId>v</VersionId><Size>1</Size></Version></ListVersionsResult>")
			case r.Method == http.MethodPut && (q.Has("retention") || q.Has("legal-hold")):
				if r.Header.Get(demand) == "" || r.Header.Get("X-Amz-Checksum-Crc32") != "" {
					bare++
					refuse(w, http.StatusBadRequest, "InvalidRequest", "Missing required header for this request: Content-MD5")
				}
			default:
				fail(w, http.StatusNotFound, "NoSuchObjectLockConfiguration")
			}
		})
		err := b.(store.RetentionStore).Lock(t.Context(), "a")
		if want := map[bool]int{true: 1}[demand == "Content-Md5"]; err != nil || bare != want {
			t.Errorf("%s: %v; %d requests without it", demand, err, bare)
		}
	}
}

// A maintenance page with 503 is an overloaded service, and its HTML is in no message.
func TestS3MaintenancePage(t *testing.T) {
	spent := cloud.NewBudget(1)
	for spent.Spend() == nil {
	}
	_, b := newFake(t, cloud.Options{Budget: spent}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, "<html><body><h1>503 Service Unavailable</h1>No server is available.<br></body></html>")
	})
	_, err := b.Get(t.Context(), "a", 0, -1)
	if !errors.Is(err, store.ErrTransient) || strings.Contains(err.Error(), "<") || !strings.Contains(err.Error(), "maintenance") || !strings.Contains(err.Error(), "HTTP 503") {
		t.Errorf("%v", err)
	}
}

// A proxy that sends whole objects in place of ranges would mix up the bytes of a restore. Get refuses what does not
// begin at the offset, and states why: then a restore reads the whole object. From the beginning on, the bytes are right.
func TestS3RangesAreIgnored(t *testing.T) {
	_, b := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte("content")) })
	r, err := b.Get(t.Context(), "a", 0, 3)
	if err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(r)
	r.Close()
	if err != nil || string(got) != "con" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := b.Get(t.Context(), "a", 2, 3); !errors.Is(err, store.ErrNoRanges) {
		t.Errorf("%v, want ErrNoRanges", err)
	}
}
