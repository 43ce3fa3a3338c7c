package providers_test

import (
	"bytes"
	"context"
	"flag"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/providers"
)

// answers is a server that answers each request with the next of some documents, and repeats the last one.
type answers struct {
	mu       sync.Mutex
	left     [][]byte
	requests int
	received func() // is called for each request, with mu held; may be nil
}

// maxRequests is far more than a listing of a few answers needs. Any listing that sends more would not end.
const maxRequests = 100

func (a *answers) set(documents []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.left, a.requests, a.received = bytes.Split(documents, []byte{0}), 0, nil
}

// count returns the number of requests since the last set.
func (a *answers) count() int {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.requests
}

// bounded returns a context for one listing. It ends when the listing has sent more than a number of requests, or none
// for fuzzWait: it waits for a retry, or is done. So a listing that does not end sends too many, however slow the host
// is.
func (a *answers) bounded(ctx context.Context, most int) (_ context.Context, end func()) {
	ctx, cancel := context.WithCancel(ctx)
	idle := time.AfterFunc(fuzzWait, cancel)
	a.mu.Lock()
	defer a.mu.Unlock()
	a.received = func() {
		if idle.Reset(fuzzWait); a.requests > most {
			cancel()
		}
	}
	return ctx, func() {
		a.mu.Lock()
		defer a.mu.Unlock()
		a.received = nil
		idle.Stop()
		cancel()
	}
}

// ServeHTTP implements http.Handler.
func (a *answers) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	a.mu.Lock()
	body := a.left[0]
	if len(a.left) > 1 {
		a.left = a.left[1:]
	}
	a.requests++
	if a.received != nil {
		a.received()
	}
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/xml")
	w.Write(body)
}

const (
	s3Page    = `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t</NextContinuationToken><Contents><Key>p/a</Key><Size>1</Size></Contents></ListBucketResult>`
	s3End     = `<ListBucketResult><IsTruncated>false</IsTruncated><Contents><Key>p/b</Key></Contents><CommonPrefixes><Prefix>p/c/</Prefix></CommonPrefixes></ListBucketResult>`
	versions  = `<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>p/a</NextKeyMarker><NextVersionIdMarker>1</NextVersionIdMarker><Version><Key>p/a</Key><VersionId>2</VersionId></Version></ListVersionsResult>`
	versEnd   = `<ListVersionsResult><Version><Key>p/a</Key><VersionId>1</VersionId><Size>3</Size></Version><DeleteMarker><Key>p/b</Key></DeleteMarker></ListVersionsResult>`
	azurePage = `<EnumerationResults><Blobs><Blob><Name>p/a</Name><Properties/></Blob></Blobs><NextMarker>t</NextMarker></EnumerationResults>`
	azureEnd  = `<EnumerationResults><Blobs><Blob><Name>p/b</Name></Blob><BlobPrefix><Name>p/c/</Name></BlobPrefix></Blobs></EnumerationResults>`
	gcsPage   = `{"kind":"storage#objects","nextPageToken":"t","items":[{"name":"p/a","size":"1"}]}`
	gcsEnd    = `{"kind":"storage#objects","items":[null,{"name":"p/b","crc32c":"AAAAAQ=="}],"prefixes":["p/c/"]}`
)

// fuzzWait is how long a listing may send nothing. An answer that is cut counts as a broken connection, and is
// requested again after waits that would take almost all of the time.
const fuzzWait = 100 * time.Millisecond

// spendRetries uses up the retries that a bucket starts with.
func spendRetries(ctx context.Context, b providers.Bucket, server *answers) {
	server.set([]byte("<ListBucketResult><Contents>")) // cut
	var all sync.WaitGroup
	for range 300 {
		all.Go(func() {
			ctx, cancel := context.WithTimeout(ctx, time.Second)
			defer cancel()
			for range b.List(ctx, "", "", "") {
			}
		})
	}
	all.Wait()
}

// FuzzListing lists from a server that answers anything. Whatever that is, a listing ends after a few requests, and its
// objects are in order, below the prefix and after the first key. A listing that would not end shows by its requests.
func FuzzListing(f *testing.F) {
	for _, pages := range [][2]string{{s3Page, s3End}, {versions, versEnd}, {azurePage, azureEnd}, {gcsPage, gcsEnd}} {
		for _, delimiter := range []bool{false, true} {
			f.Add([]byte(pages[0]+"\x00"+pages[1]), delimiter, "")
			f.Add([]byte(pages[0]), delimiter, "a")
			f.Add([]byte(pages[1]+"\x00"+pages[0]), delimiter, "b")
		}
	}
	for _, other := range []string{
		"", "null", "{}", "[]", "<html><body>sign in</body></html>", "<Error><Code>InternalError</Code></Error>",
		"<?xml version=\"1.0\"?>", s3Page[:60], gcsPage[:40], "<ListBucketResult/>", "<EnumerationResults/>",
	} {
		f.Add([]byte(other), false, "")
	}
	server := &answers{}
	listener := httptest.NewServer(server)
	f.Cleanup(listener.Close)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "fake", "AWS_SECRET_ACCESS_KEY": "topsecret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_STORAGE_KEY": "dG9wc2VjcmV0", "AZURE_STORAGE_SAS_TOKEN": "",
	} {
		f.Setenv(name, value)
	}
	s3 := "s3://bucket/p?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(listener.URL)
	var buckets []providers.Bucket
	for _, address := range []string{
		s3 + "&versions=false", s3 + "&versions=true", "gs://bucket/p?endpoint=" + listener.URL,
		"azblob://bucket/p?protocol=http&localemu=true&domain=" + listener.Listener.Addr().String(),
	} {
		b, err := providers.Open(f.Context(), address, providers.Options{Timeout: time.Minute})
		if err != nil {
			f.Fatal(err)
		}
		f.Cleanup(func() { b.Close() })
		buckets = append(buckets, b)
	}
	if flag.Lookup("test.fuzz").Value.String() != "" {
		for _, b := range buckets {
			spendRetries(f.Context(), b, server)
		}
	}
	f.Fuzz(func(t *testing.T, documents []byte, rolled bool, after string) {
		for i, b := range buckets {
			most := maxRequests + bytes.Count(documents, []byte{0})
			server.set(documents)
			listAnything(t, b, server, most, rolled, after)
			if n := server.count(); n > most {
				t.Errorf("bucket %d: %d requests", i, n)
			}
		}
	})
}

func listAnything(t *testing.T, b providers.Bucket, server *answers, most int, rolled bool, after string) {
	t.Helper()
	ctx, end := server.bounded(t.Context(), most)
	defer end()
	delimiter := ""
	if rolled {
		delimiter = "/"
	}
	last := ""
	for o, err := range b.List(ctx, "", delimiter, after) {
		if err != nil {
			return
		}
		switch isDir := strings.HasSuffix(o.Key, "/"); {
		case o.Key <= last, o.Key <= after && !strings.HasPrefix(after, o.Key):
			t.Fatalf("%q comes after %q and %q", o.Key, last, after)
		case o.Size < 0, isDir != o.IsDir, isDir && !rolled:
			t.Fatalf("%+v", o)
		case rolled && strings.Contains(strings.TrimSuffix(o.Key, "/"), "/"):
			t.Fatalf("%q is not rolled up", o.Key)
		}
		last = o.Key
	}
}

// What is no listing is an error at each provider, and never an empty archive: a verify would report each object as
// missing, and a prune could take others for orphans.
func TestListingOfNoListing(t *testing.T) {
	server := &answers{}
	listener := httptest.NewServer(server)
	t.Cleanup(listener.Close)
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID": "fake", "AWS_SECRET_ACCESS_KEY": "topsecret", "AWS_SESSION_TOKEN": "", "AWS_PROFILE": "",
		"AZURE_STORAGE_ACCOUNT": "acct", "AZURE_STORAGE_KEY": "dG9wc2VjcmV0", "AZURE_STORAGE_SAS_TOKEN": "",
	} {
		t.Setenv(name, value)
	}
	s3 := "s3://bucket/p?region=us-east-1&use_path_style=true&endpoint=" + url.QueryEscape(listener.URL)
	for _, address := range []string{
		s3 + "&versions=false", s3 + "&versions=true", "gs://bucket/p?endpoint=" + listener.URL,
		"azblob://bucket/p?protocol=http&localemu=true&domain=" + listener.Listener.Addr().String(),
	} {
		for _, document := range []string{
			"", "  \n", "<?xml version=\"1.0\"?>", "<html><body>sign in</body></html>", "<!DOCTYPE html><p>", "null", "{}", "[]", "0",
			"<Error><Code>AccessDenied</Code></Error>", `{"kind":"storage#buckets"}`, "<ListAllMyBucketsResult/>",
			"<ListBucketResult><Contents>", "<ListVersionsResult><Version>", "<EnumerationResults><Blobs>", `{"kind":"storage#objects",`,
			"<ListBucketResult><IsTruncated>true</IsTruncated></ListBucketResult>",
			"<ListVersionsResult><IsTruncated>true</IsTruncated></ListVersionsResult>",
			"<EnumerationResults><NextMarker>1</NextMarker></EnumerationResults>", // again and again
			`{"kind":"storage#objects","nextPageToken":"1"}`,
			"<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>1</NextContinuationToken></ListBucketResult>",
			"<ListVersionsResult><IsTruncated>true</IsTruncated><NextKeyMarker>p/1</NextKeyMarker></ListVersionsResult>",
		} {
			server.set([]byte(document))
			b, err := providers.Open(t.Context(), address, providers.Options{})
			if err != nil {
				t.Fatal(err)
			}
			var last error
			for _, err := range b.List(t.Context(), "", "", "") {
				last = err
			}
			if n := server.count(); last == nil || n > 10 {
				t.Errorf("%s took %q for a listing: %v after %d requests", address[:8], document, last, n)
			}
			b.Close()
		}
	}
}
