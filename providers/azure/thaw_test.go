package azure

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// archiving answers as the documentation states of objects in the archive tier: 409 BlobArchived to a read, 202 to Set
// Blob Tier, x-ms-archive-status while the object moves, and 409 BlobBeingRehydrated to a request for another tier.
type archiving struct {
	tier     string
	pending  string // the tier that the object moves to
	priority string
	heads    int // until it has moved
}

func (a *archiving) serve(f *fakeService, w http.ResponseWriter, r *http.Request) {
	switch comp := r.URL.Query().Get("comp"); {
	case strings.HasSuffix(r.URL.Path, "/missing"):
		fail(w, http.StatusNotFound, "BlobNotFound")
		return
	case r.Method == http.MethodPut && comp == "tier":
		to := r.Header.Get("X-Ms-Access-Tier")
		switch {
		case a.pending != "" && to != a.pending:
			fail(w, http.StatusConflict, "BlobBeingRehydrated")
		case a.tier == "Archive":
			a.pending, a.priority = to, r.Header.Get("X-Ms-Rehydrate-Priority")
			w.WriteHeader(http.StatusAccepted)
		default:
			a.tier = to
		}
		return
	case r.Method == http.MethodPut:
		if v := r.Header.Get("X-Ms-Access-Tier"); v != "" && !f.exists {
			a.tier = v
		}
	case r.Method == http.MethodHead:
		if a.pending != "" {
			if a.heads--; a.heads < 0 {
				a.tier, a.pending = a.pending, ""
			}
		}
		w.Header().Set("X-Ms-Access-Tier", a.tier)
		if a.pending != "" {
			w.Header().Set("X-Ms-Archive-Status", "rehydrate-pending-to-"+strings.ToLower(a.pending))
		}
	case r.Method == http.MethodGet && a.tier == "Archive":
		fail(w, http.StatusConflict, "BlobArchived")
		return
	}
	if from := r.Header.Get("X-Ms-Range"); r.Method == http.MethodGet && from != "" {
		first, _, _ := strings.Cut(strings.TrimPrefix(from, "bytes="), "-")
		n, err := strconv.Atoi(first)
		if err != nil || n > len(f.content) {
			fail(w, http.StatusBadRequest, "InvalidHeaderValue")
			return
		}
		w.Header().Set("Content-Range", fmt.Sprintf("bytes %d-%d/%d", n, len(f.content)-1, len(f.content)))
		w.WriteHeader(http.StatusPartialContent)
		w.Write(f.content[n:])
		return
	}
	f.serve(w, r, false)
}

func newArchiving(t *testing.T, params string) (*fakeService, *archiving, cloud.Bucket) {
	t.Helper()
	a := &archiving{tier: "Hot", heads: 1}
	f, _ := newFake(t, cloud.Options{}, a.serve)
	b := open(t, "azblob://bucket?protocol=http&localemu=true&domain="+url.QueryEscape(f.address)+params, cloud.Options{})
	return f, a, b
}

// An archived object is thawed by a move to the hot tier. Until that is done, the properties show it, and a second
// request changes nothing.
func TestAzureThaw(t *testing.T) {
	for tier, priority := range map[store.ThawTier]string{store.ThawStandard: "Standard", store.ThawExpedited: "High"} {
		_, a, b := newArchiving(t, "")
		thawer := b.(store.Thawer)
		if _, err := storetest.PutBytes(t, b, "data/a", []byte("content")); err != nil {
			t.Fatal(err)
		}
		a.tier = "Archive"
		o, err := b.Stat(t.Context(), "data/a")
		if err != nil || o.Frozen != "Archive" || o.Thawing {
			t.Fatalf("%+v, %v", o, err)
		}
		if _, err := b.Get(t.Context(), "data/a", 0, -1); !errors.Is(err, store.ErrFrozen) {
			t.Errorf("%v", err)
		}
		for range 2 {
			if err := thawer.Thaw(t.Context(), o, store.ThawRequest{Tier: tier, Days: 3}); err != nil {
				t.Fatal(err)
			}
		}
		if a.priority != priority || a.pending != "Hot" {
			t.Errorf("%+v", a)
		}
		if o, err := b.Stat(t.Context(), "data/a"); err != nil || o.Frozen != "Archive" || !o.Thawing {
			t.Errorf("under way: %+v, %v", o, err)
		}
		if o, err := b.Stat(t.Context(), "data/a"); err != nil || o.Frozen != "" || o.Thawing || o.Class != "Hot" {
			t.Errorf("done: %+v, %v", o, err)
		}
		if got := readAll(t, b, "data/a", 0, -1); got != "content" {
			t.Errorf("%q", got)
		}
	}
}

// Another program moves the object to another tier. That is a thaw too, which is waited for.
func TestAzureThawOfAnotherProgram(t *testing.T) {
	_, a, b := newArchiving(t, "")
	if _, err := storetest.PutBytes(t, b, "data/a", []byte("content")); err != nil {
		t.Fatal(err)
	}
	a.tier, a.pending, a.heads = "Archive", "Cool", 5
	thawer := b.(store.Thawer)
	o, err := b.Stat(t.Context(), "data/a")
	if err != nil || !o.Thawing {
		t.Fatalf("%+v, %v", o, err)
	}
	if err := thawer.Thaw(t.Context(), o, store.ThawRequest{Tier: store.ThawStandard}); err != nil {
		t.Error(err)
	}
	var tiers []string
	for _, tt := range thawer.ThawTimes("Archive") {
		tiers = append(tiers, fmt.Sprint(tt.Tier, " ", tt.Longest, tt.CopyClass))
	}
	if want := []string{"standard " + (15 * time.Hour).String(), "expedited " + time.Hour.String()}; !slices.Equal(tiers, want) {
		t.Errorf("%q", tiers)
	}
	if !thawer.MayBeFrozen("Archive") || thawer.MayBeFrozen("Cool") || thawer.MayBeFrozen("") {
		t.Error("another tier than Archive must be thawed")
	}
}

// A copy to the archive tier puts log content alone there. An object that exists is compared by its MD5, and not read.
func TestAzurePutsIntoTheArchiveTier(t *testing.T) {
	for key, want := range map[string]string{"data/a": "Archive", "bundles/a": "Archive", "manifests/a": "Hot", "probe/1/content": "Hot"} {
		f, a, b := newArchiving(t, "&access_tier=Archive")
		if got := store.FrozenClass(b); got != "Archive" {
			t.Errorf("%q", got)
		}
		if _, err := storetest.PutBytes(t, b, key, []byte("content")); err != nil || a.tier != want {
			t.Fatalf("%s has the tier %s: %v", key, a.tier, err)
		}
		if want == "Hot" {
			continue
		}
		before := len(f.seen())
		if r, err := storetest.PutBytes(t, b, key, []byte("content")); err != nil || !r.Existed || r.Frozen != "Archive" || r.MD5 == "" {
			t.Errorf("%+v, %v", r, err)
		}
		if _, err := storetest.PutBytes(t, b, key, []byte("CONTENT")); !errors.Is(err, store.ErrExists) {
			t.Errorf("%v", err)
		}
		if got := f.seen()[before:]; slices.ContainsFunc(got, func(r string) bool { return strings.HasPrefix(r, "GET") }) {
			t.Errorf("%q", got)
		}
	}
	content := make([]byte, cloud.SingleMax+1) // in blocks
	var tier atomic.Value
	f, _ := newFake(t, cloud.Options{}, func(f *fakeService, w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("comp") == "blocklist" {
			tier.Store(r.Header.Get("X-Ms-Access-Tier"))
		}
		f.serve(w, r, false)
	})
	b := open(t, "azblob://bucket?protocol=http&localemu=true&access_tier=Cold&domain="+url.QueryEscape(f.address), cloud.Options{})
	if _, err := storetest.PutBytes(t, b, "data/a", content); err != nil || tier.Load() != "Cold" || store.FrozenClass(b) != "" {
		t.Errorf("%v, %v", tier.Load(), err)
	}
	if _, err := Open(t.Context(), "azblob://bucket?account=acct&access_tier=archive", cloud.Options{}); err == nil || !strings.Contains(err.Error(), "Archive") {
		t.Errorf("%v", err)
	}
}

// Azurite has the archive tier, and moves objects out of it at once.
func TestAzuriteThaw(t *testing.T) {
	t.Parallel()
	b := open(t, storetest.Azure(t)+"&access_tier=Archive", cloud.Options{})
	if _, err := storetest.PutBytes(t, b, "data/a", []byte("content")); err != nil {
		t.Fatal(err)
	}
	o, err := b.Stat(t.Context(), "data/a")
	if err != nil || o.Frozen != "Archive" {
		t.Fatalf("%+v, %v", o, err)
	}
	if _, err := b.Get(t.Context(), "data/a", 0, -1); !errors.Is(err, store.ErrFrozen) {
		t.Errorf("%v", err)
	}
	if r, err := storetest.PutBytes(t, b, "data/a", []byte("content")); err != nil || r.Frozen != "Archive" {
		t.Errorf("%+v, %v", r, err)
	}
	if err := b.(store.Thawer).Thaw(t.Context(), o, store.ThawRequest{Tier: store.ThawStandard}); err != nil {
		t.Fatal(err)
	}
	if got := readAll(t, b, "data/a", 0, -1); got != "content" {
		t.Errorf("%q", got)
	}
}

func readAll(t *testing.T, b store.Store, key string, offset, length int64) string {
	t.Helper()
	r, err := b.Get(t.Context(), key, offset, length)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	content, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}

// The adapter keeps the contract of stores that thaw.
func TestAzureThaws(t *testing.T) {
	_, a, b := newArchiving(t, "")
	storetest.Thaws(t, b, func(string) { a.tier = "Archive" })
}
