package s3

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func readAll(t *testing.T, b cloud.Bucket, key string, offset, length int64) string {
	t.Helper()
	r, err := b.Get(t.Context(), key, offset, length)
	if err != nil {
		t.Fatalf("Get %s: %v", key, err)
	}
	defer r.Close()
	got, err := io.ReadAll(r)
	if err != nil {
		t.Fatalf("reading %s: %v", key, err)
	}
	return string(got)
}

func keysOf(t *testing.T, b cloud.Bucket, prefix, delimiter, after string) []string {
	t.Helper()
	var keys []string
	for o, err := range b.List(t.Context(), prefix, delimiter, after) {
		if err != nil {
			t.Fatalf("List: %v", err)
		}
		keys = append(keys, o.Key)
	}
	return keys
}

// An intruder has put newer versions into a bucket and hidden others behind delete markers. The store still
// shows the oldest versions. With pages of few versions, the versions of one key straddle pages.
func TestS3OldestVersion(t *testing.T) {
	t.Parallel()
	for _, page := range []int{1, 2, 3, 1000} {
		t.Run(fmt.Sprint(page), func(t *testing.T) {
			server := storetest.NewS3Versions(t)
			b := open(t, server.URL, cloud.Options{}).(*adapter)
			b.oldest.page = page
			keys := []string{"archive.json", "data/a/1", "data/a/1.zst", "data/a/2", "data/b/1", "manifests/000/000/001.json", "manifests/000/000/002.json"}
			for i, key := range keys {
				if stored, err := storetest.PutBytes(t, b, key, []byte("right "+key)); err != nil || stored.Existed {
					t.Fatalf("%+v, %v", stored, err)
				}
				for n := range i { // one version more for each further key
					server.Intrude(t, key, "wrong")
					if n%2 == 1 {
						server.Hide(t, key)
					}
				}
				server.Hide(t, key)
			}
			server.Intrude(t, "foreign", "1")
			for range 2 { // with an empty cache, and with the cache of the first round
				for _, key := range keys {
					right := "right " + key
					if got := readAll(t, b, key, 0, -1); got != right {
						t.Errorf("%s reads as %q", key, got)
					}
					if got := readAll(t, b, key, 1, 3); got != right[1:4] {
						t.Errorf("a range of %s reads as %q", key, got)
					}
					o, err := b.Stat(t.Context(), key)
					if err != nil || o.Size != int64(len(right)) || o.CRC32C == nil || *o.CRC32C != storetest.SumsOf([]byte(right)).CRC32C {
						t.Errorf("Stat %s: %+v, %v", key, o, err)
					}
					// The newest is a delete marker, so the service does not refuse.
					if stored, err := storetest.PutBytes(t, b, key, []byte(right)); err != nil || !stored.Existed {
						t.Errorf("the same content again under %s: %+v, %v", key, stored, err)
					}
					server.Hide(t, key)
					if _, err := storetest.PutBytes(t, b, key, []byte("WRONG "+key)); !errors.Is(err, store.ErrExists) {
						t.Errorf("another content under %s: %v", key, err)
					}
				}
				b.oldest.first, b.oldest.windows, b.oldest.ids = 0, nil, nil
			}
			all := slices.Sorted(slices.Values(append(slices.Clone(keys), "foreign")))
			if got := keysOf(t, b, "", "", ""); !slices.Equal(got, all) {
				t.Errorf("listed %q", got)
			}
			for o, err := range b.List(t.Context(), "data/", "", "") {
				if err != nil || o.Size != int64(len("right "+o.Key)) || o.Modified.IsZero() {
					t.Errorf("listed %+v, %v", o, err)
				}
			}
			for _, c := range []struct {
				prefix, delimiter, after string
				want                     []string
			}{
				{"", "/", "", []string{"archive.json", "data/", "foreign", "manifests/"}},
				{"", "/", "archive.json", []string{"data/", "foreign", "manifests/"}},
				{"", "/", "data/a/1", []string{"data/", "foreign", "manifests/"}},
				{"data/", "/", "", []string{"data/a/", "data/b/"}},
				{"data/", "", "data/a/1", []string{"data/a/1.zst", "data/a/2", "data/b/1"}},
				{"data/", "", "a", []string{"data/a/1", "data/a/1.zst", "data/a/2", "data/b/1"}},
				{"data/", "", "z", nil},
				{"no", "/", "", nil},
			} {
				if got := keysOf(t, b, c.prefix, c.delimiter, c.after); !slices.Equal(got, c.want) {
					t.Errorf("List %q %q %q: %q, want %q", c.prefix, c.delimiter, c.after, got, c.want)
				}
			}
			if _, err := b.Get(t.Context(), "data/a", 0, -1); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("Get of a missing key: %v", err)
			}
			// Delete removes all versions of its keys, and none of the other keys.
			if err := b.Delete(t.Context(), store.AnyVersion("manifests/000/000/002.json", "data/a/1", "nothing", "data/b/1")); err != nil {
				t.Fatal(err)
			}
			want := []string{"archive.json", "data/a/1.zst", "data/a/2", "foreign", "manifests/000/000/001.json"}
			if got := server.Keys(t, ""); !slices.Equal(got, want) {
				t.Errorf("after Delete the bucket has %q, want %q", got, want)
			}
			if got := readAll(t, b, "data/a/2", 0, -1); got != "right data/a/2" {
				t.Errorf("after Delete of its neighbours: %q", got)
			}
			// Another writer deleted the object and put it again. The store finds it, although
			// another version is cached.
			b.oldest.remember([]version{{key: *b.key("data/a/1"), id: server.Versions(t, "data/a/2")[0]}})
			if _, err := storetest.PutBytes(t, b, "data/a/1", []byte("new")); err != nil {
				t.Fatal(err)
			}
			if got := readAll(t, b, "data/a/1", 0, -1); got != "new" {
				t.Errorf("put again: %q", got)
			}
		})
	}
}

// A repair deletes an object and puts it again while another program looks it up. What a listing named is gone then,
// and the object is not missing: a verification would report it as lost.
func TestS3ObjectReplacedDuringALookup(t *testing.T) {
	const key = "data/00001/x-000000001"
	for name, joins := range map[string]bool{"its own": false, "one that runs": true} {
		t.Run(name, func(t *testing.T) {
			isGone := make(chan struct{})
			gone := sync.OnceFunc(func() { close(isGone) })
			listed := []string{"old", "new"}
			if joins {
				listed = listed[1:]
			}
			_, b := newFakeAt(t, "&versions=true", cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
				switch q := r.URL.Query(); {
				case q.Has("versions"):
					fmt.Fprintf(w, `<ListVersionsResult><Version><Key>%s</Key><VersionId>%s</VersionId></Version></ListVersionsResult>`, key, listed[0])
					listed = listed[1:]
				case q.Get("versionId") == "new":
					io.WriteString(w, "correct")
				default:
					fail(w, http.StatusNotFound, "NoSuchVersion")
					gone()
				}
			})
			if s := b.(*adapter); joins { // the other lookup began before the deletion
				stale := []version{{key: key, id: "old"}}
				s.oldest.remember(stale)
				end := s.oldest.begin(key)
				go func() {
					<-isGone
					for _, ok := s.oldest.id(key); ok; _, ok = s.oldest.id(key) {
						runtime.Gosched()
					}
					s.oldest.remember(stale)
					end()
				}()
			}
			if got := readAll(t, b, key, 0, -1); got != "correct" {
				t.Errorf("it reads as %q", got)
			}
		})
	}
}

// MinIO lists without a lock: while one version of an object is deleted, a listing may omit the others. A HEAD shows
// that the object exists. Without it, a Put would fail that has stored its object, and a read would report a loss. Credentials that
// may not send a HEAD get the listing's answer: a missing object is missing, and no lack of permission.
func TestS3ListingOmitsAnObject(t *testing.T) {
	const key = "data/00001/x-000000001"
	for _, status := range []int{http.StatusOK, http.StatusNotFound, http.StatusForbidden} {
		t.Run(fmt.Sprint(status), func(t *testing.T) {
			listings := 0
			_, b := newFakeAt(t, "&versions=true", cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
				switch q := r.URL.Query(); {
				case q.Has("versions"):
					listed := ""
					if listings++; listings > 1 {
						listed = "<Version><Key>" + key + "</Key><VersionId>v</VersionId></Version>"
					}
					fmt.Fprintf(w, `<ListVersionsResult>%s</ListVersionsResult>`, listed)
				case r.Method == http.MethodHead:
					w.WriteHeader(status)
				default:
					io.WriteString(w, "correct")
				}
			})
			r, err := b.Get(t.Context(), key, 0, -1)
			if err == nil {
				r.Close()
			}
			if isThere := status == http.StatusOK; (err == nil) != isThere ||
				errors.Is(err, fs.ErrNotExist) == isThere {
				t.Errorf("HEAD answers %d: %v", status, err)
			}
		})
	}
}

// A key that has a delete marker alone is missing. That takes one listing more, not one for each possible replacement.
func TestS3DeleteMarkerAlone(t *testing.T) {
	const key = "data/00001/x-000000001"
	f, b := newFakeAt(t, "&versions=true", cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Has("versions") {
			fmt.Fprintf(w, `<ListVersionsResult><DeleteMarker><Key>%s</Key><VersionId>m</VersionId></DeleteMarker></ListVersionsResult>`, key)
			return
		}
		w.Header().Set("X-Amz-Delete-Marker", "true")
		w.WriteHeader(http.StatusNotFound)
	})
	if _, err := b.Get(t.Context(), key, 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	if got := f.seen(); len(got) != 4 {
		t.Errorf("requests %q", got)
	}
}

// versionsFake answers like a bucket with versions, without a server. Each object has one version, and its id
// is "v-" and the key.
type versionsFake struct {
	mu     sync.Mutex
	status string // of versioning
	deny   string // the error code that GetBucketVersioning returns; empty: it succeeds
	keys   []string

	repeatsMarker bool // a listing that starts after a version begins with that version
}

func (f *versionsFake) serve(w http.ResponseWriter, r *http.Request) {
	f.mu.Lock()
	defer f.mu.Unlock()
	q := r.URL.Query()
	key := strings.TrimPrefix(r.URL.Path, "/bucket/")
	switch {
	case q.Has("versioning") && f.deny != "":
		status := http.StatusForbidden
		if f.deny == "NotImplemented" {
			status = http.StatusNotImplemented
		}
		fail(w, status, f.deny)
	case q.Has("versioning"):
		fmt.Fprintf(w, `<VersioningConfiguration><Status>%s</Status></VersioningConfiguration>`, f.status)
	case q.Has("versions"):
		f.list(w, q.Get("prefix"), q.Get("key-marker"), q.Get("max-keys"))
	case r.Method == http.MethodPut:
		io.Copy(io.Discard, r.Body)
		f.keys = append(f.keys, key)
		slices.Sort(f.keys)
	case r.Method == http.MethodGet && q.Get("versionId") != "v-"+key && f.status != "":
		fail(w, http.StatusNotFound, "NoSuchVersion")
	case r.Method == http.MethodGet:
		io.WriteString(w, key)
	default:
		fail(w, http.StatusNotFound, "NoSuchKey")
	}
}

func (f *versionsFake) list(w io.Writer, prefix, after, limit string) {
	var most, n int
	fmt.Sscan(limit, &most)
	fmt.Fprint(w, `<ListVersionsResult>`)
	for _, key := range f.keys {
		if !strings.HasPrefix(key, prefix) || key < after || key == after && (n > 0 || !f.repeatsMarker) {
			continue
		}
		if n == most {
			fmt.Fprintf(w, `<IsTruncated>true</IsTruncated><NextKeyMarker>%s</NextKeyMarker><NextVersionIdMarker>v-%[1]s</NextVersionIdMarker>`, after)
			break
		}
		fmt.Fprintf(w, `<Version><Key>%s</Key><VersionId>v-%[1]s</VersionId><Size>%d</Size></Version>`, key, len(key))
		n, after = n+1, key
	}
	fmt.Fprint(w, `</ListVersionsResult>`)
}

// VersityGW begins each page with the version that ended the page before. Such a listing still ends, and is right.
func TestListingOfVersionsThatRepeatsItsMarker(t *testing.T) {
	f := &versionsFake{status: "Enabled", repeatsMarker: true}
	for i := range 2500 {
		f.keys = append(f.keys, fmt.Sprintf("data/%05d/x-000000001", i))
	}
	_, b := newFakeAt(t, "", cloud.Options{}, f.serve)
	if got := keysOf(t, b, "", "", ""); !slices.Equal(got, f.keys) {
		t.Errorf("%d keys, want %d", len(got), len(f.keys))
	}
}

// A listing of versions takes one request for each thousand. Archives with millions of objects are listed often.
func TestS3RequestsOfAListingOfVersions(t *testing.T) {
	f := &versionsFake{status: "Enabled"}
	for i := range 2500 {
		f.keys = append(f.keys, fmt.Sprintf("data/%05d/x-000000001", i))
	}
	seen, b := newFakeAt(t, "", cloud.Options{}, f.serve)
	if got := keysOf(t, b, "", "", ""); !slices.Equal(got, f.keys) {
		t.Errorf("%d keys, want %d", len(got), len(f.keys))
	}
	if got := seen.seen(); len(got) != 1+3 { // the first one is GetBucketVersioning
		t.Errorf("%d requests, want 4: %q", len(got), got)
	}
}

// Versions cost one request for each bucket, one listing for the reads of a thousand neighbouring keys, also
// if several goroutines read at once, and one listing for each Put.
func TestS3RequestsWithVersions(t *testing.T) {
	f := &versionsFake{status: "Enabled"}
	for i := range 2500 {
		f.keys = append(f.keys, fmt.Sprintf("data/%05d/x-000000001", i))
	}
	seen, b := newFakeAt(t, "", cloud.Options{}, f.serve)
	gate := make(chan struct{}, 8)
	var wg sync.WaitGroup
	for i := range 2500 {
		gate <- struct{}{}
		wg.Go(func() {
			defer func() { <-gate }()
			key := fmt.Sprintf("data/%05d/x-000000001", i)
			r, err := b.Get(t.Context(), key, 0, -1)
			if err != nil {
				t.Errorf("Get %s: %v", key, err)
				return
			}
			defer r.Close()
			if got, err := io.ReadAll(r); string(got) != key || err != nil {
				t.Errorf("%s reads as %q, %v", key, got, err)
			}
		})
	}
	wg.Wait()
	// Several lookups may start while none is running; 3 listings are the minimum.
	if extra := len(seen.seen()) - 2500; extra > 1+3*8 {
		t.Errorf("%d requests more than the reads", extra)
	}
	before := len(seen.seen())
	if _, err := storetest.PutBytes(t, b, "data/new", []byte("new")); err != nil {
		t.Fatal(err)
	}
	if got := seen.seen()[before:]; len(got) != 2 || got[0] != "PUT data/new" {
		t.Errorf("a Put costs %q", got)
	}
	if n := len(b.(*adapter).oldest.windows); n > versionWindows {
		t.Errorf("%d pages are remembered", n)
	}
}

// If the bucket keeps no versions, or the service does not report whether it does, there is one request for
// that and no listing.
func TestS3RequestsWithoutVersions(t *testing.T) {
	for _, c := range []struct{ name, params, deny string }{
		{"none", "", ""},
		{"denied", "", "AccessDenied"},
		{"not implemented", "", "NotImplemented"},
		{"set in the URL", "&versions=false", "AccessDenied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &versionsFake{deny: c.deny}
			seen, b := newFakeAt(t, c.params, cloud.Options{}, f.serve)
			var want []string
			for i := range 3 {
				key := fmt.Sprint("data/", i)
				if _, err := storetest.PutBytes(t, b, key, []byte(key)); err != nil {
					t.Fatal(err)
				}
				if got := readAll(t, b, key, 0, -1); got != key {
					t.Fatalf("%s reads as %q", key, got)
				}
				want = append(want, "PUT "+key)
				if i == 0 && c.params == "" {
					want = append(want, "GET /bucket")
				}
				want = append(want, "GET "+key)
			}
			if got := seen.seen(); !slices.Equal(got, want) {
				t.Errorf("requests %q, want %q", got, want)
			}
		})
	}
}

// A failure to read whether the bucket keeps versions is returned, and the next operation tries again.
func TestS3VersionsUnknown(t *testing.T) {
	f := &versionsFake{deny: "InvalidAccessKeyId", status: "Enabled"}
	_, b := newFakeAt(t, "", cloud.Options{}, f.serve)
	_, err := b.Put(t.Context(), "data/a", bytes.NewReader(nil), storetest.SumsOf(nil))
	var e *cloud.Error
	if !errors.As(err, &e) || e.Kind != cloud.BadCredentials {
		t.Fatalf("%v", err)
	}
	f.deny = ""
	if _, err := storetest.PutBytes(t, b, "data/a", nil); err != nil {
		t.Fatal(err)
	}
}

// The cache holds the pages that were listed last, and no more.
func TestVersionMemory(t *testing.T) {
	t.Parallel()
	var m versionMemory
	for page := range 3 * versionWindows {
		m.remember([]version{{key: "often", id: fmt.Sprint(page)}, {key: fmt.Sprint("once ", page), id: "x"}})
	}
	if id, ok := m.id("often"); !ok || id != fmt.Sprint(3*versionWindows-1) {
		t.Errorf("often: %q, %v", id, ok)
	}
	if _, ok := m.id("once 0"); ok || len(m.ids) != versionWindows+1 || len(m.windows) != versionWindows {
		t.Errorf("%d ids and %d pages are cached", len(m.ids), len(m.windows))
	}
}
