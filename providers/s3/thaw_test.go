package s3

import (
	"errors"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// openCold opens a store on a service with objects that must be thawed.
func openCold(t *testing.T, params string) (*storetest.ColdS3, cloud.Bucket) {
	t.Helper()
	c := storetest.NewColdS3(t)
	return c, openFakeAt(t, c.Endpoint, "&versions=false"+params, cloud.Options{})
}

func stat(t *testing.T, s store.Store, key string) store.Object {
	t.Helper()
	o, err := s.Stat(t.Context(), key)
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// The requests and the states of a thaw are those of the documentation: 202, x-amz-restore, a copy that ends, 409, 200.
// An object of an intelligent tier is moved for good, and its request has no number of days.
func TestS3Thaw(t *testing.T) {
	for class, body := range map[string]string{
		"GLACIER":             "<Days>5</Days>",
		"DEEP_ARCHIVE":        "<Days>5</Days>",
		"ARCHIVE_ACCESS":      "",
		"DEEP_ARCHIVE_ACCESS": "",
	} {
		t.Run(class, func(t *testing.T) {
			c, b := openCold(t, "")
			thawer := b.(store.Thawer)
			if _, err := storetest.PutBytes(t, b, "data/a", []byte("content")); err != nil {
				t.Fatal(err)
			}
			c.Move(class, "data/a")
			o := stat(t, b, "data/a")
			if o.Frozen != class || o.Thawing || !o.ThawedUntil.IsZero() || o.CRC32C == nil || !thawer.MayBeFrozen(o.Class) {
				t.Fatalf("%+v", o)
			}
			if _, err := b.Get(t.Context(), "data/a", 0, -1); !errors.Is(err, store.ErrFrozen) {
				t.Errorf("%v", err)
			}
			r := store.ThawRequest{Tier: store.ThawBulk, Days: 5}
			for range 2 { // the second one is refused with 409
				if err := thawer.Thaw(t.Context(), o, r); err != nil {
					t.Fatal(err)
				}
			}
			if under := stat(t, b, "data/a"); under.Frozen != class || !under.Thawing {
				t.Errorf("under way: %+v", under)
			}
			accepted, bodies := c.Thaws()
			if accepted["data/a"] != 1 || !strings.Contains(bodies[0], "<Tier>Bulk</Tier>") ||
				strings.Contains(bodies[0], "<Days>") != (body != "") || !strings.Contains(bodies[0], body) {
				t.Errorf("%v, %q", accepted, bodies)
			}
			done := stat(t, b, "data/a")
			if done.Frozen != "" || done.Thawing || done.ThawedUntil.IsZero() != (body == "") {
				t.Errorf("done: %+v", done)
			}
			if got := readAll(t, b, "data/a", 0, -1); got != "content" {
				t.Errorf("%q", got)
			}
			if body == "" {
				return
			}
			if err := thawer.Thaw(t.Context(), done, store.ThawRequest{Tier: store.ThawStandard, Days: 30}); err != nil { // 200
				t.Fatal(err)
			}
			if longer := stat(t, b, "data/a"); !longer.ThawedUntil.After(time.Now().AddDate(0, 0, 29)) {
				t.Errorf("kept longer: %+v", longer)
			}
			c.Expire("data/a")
			if again := stat(t, b, "data/a"); again.Frozen != class || !again.ThawedUntil.IsZero() {
				t.Errorf("ended: %+v", again)
			}
		})
	}
}

// A service without capacity for expedited thaws is requested again by the caller, minutes later, and not at once. Other
// errors name the permission, and what is not frozen is not called denied for lack of it.
func TestS3ThawErrors(t *testing.T) {
	c, b := openCold(t, "")
	thawer := b.(store.Thawer)
	for _, key := range []string{"data/a", "data/b"} {
		if _, err := storetest.PutBytes(t, b, key, []byte("content")); err != nil {
			t.Fatal(err)
		}
	}
	c.Move("GLACIER", "data/a")
	c.RefuseExpedited(1)
	c.Requests()
	expedited := store.ThawRequest{Tier: store.ThawExpedited, Days: 1}
	err := thawer.Thaw(t.Context(), stat(t, b, "data/a"), expedited)
	if !errors.Is(err, store.ErrNoThawCapacity) || !errors.Is(err, store.ErrTransient) || !strings.Contains(err.Error(), "tier standard") {
		t.Errorf("%v", err)
	}
	if got := c.Requests(); !slices.Equal(got, []string{"HEAD data/a", "RESTORE data/a"}) {
		t.Errorf("%q", got)
	}
	if err := thawer.Thaw(t.Context(), stat(t, b, "data/a"), expedited); err != nil {
		t.Error(err)
	}
	err = thawer.Thaw(t.Context(), stat(t, b, "data/b"), expedited)
	if !errors.Is(err, store.ErrFrozen) || !strings.Contains(err.Error(), "not allowed for the object's current storage class") {
		t.Errorf("%v", err)
	}
	if err := thawer.Thaw(t.Context(), store.Object{Key: "data/none"}, expedited); dialect.KindOf(err) != cloud.NotFound {
		t.Errorf("%v", err)
	}
	if err := thawer.Thaw(t.Context(), store.Object{Key: "../a"}, expedited); err == nil {
		t.Error("a bad key was sent")
	}
	_, denied := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) { fail(w, http.StatusForbidden, "AccessDenied") })
	err = denied.(store.Thawer).Thaw(t.Context(), store.Object{Key: "data/a", Class: "GLACIER"}, expedited)
	if dialect.KindOf(err) != cloud.Denied || !strings.Contains(err.Error(), "s3:RestoreObject") {
		t.Errorf("%v", err)
	}
}

// A number of days that the request has no room for is refused before it is sent.
func TestS3ThawDays(t *testing.T) {
	c, b := openCold(t, "")
	if _, err := storetest.PutBytes(t, b, "data/a", []byte("content")); err != nil {
		t.Fatal(err)
	}
	c.Move("GLACIER", "data/a")
	o := stat(t, b, "data/a")
	for _, days := range []int{-1, 0, 1 << 32, 1<<32 + 5} {
		if err := b.(store.Thawer).Thaw(t.Context(), o, store.ThawRequest{Tier: store.ThawBulk, Days: days}); err == nil {
			t.Errorf("%d days were requested", days)
		}
	}
	if accepted, _ := c.Thaws(); len(accepted) > 0 {
		t.Errorf("%v", accepted)
	}
}

// The times of the tiers are those of the documentation of RestoreObject. Of a class of another service no time is
// known, and each tier may be tried.
func TestS3ThawTimes(t *testing.T) {
	_, b := openCold(t, "")
	for class, want := range map[string][]time.Duration{ // standard, bulk, expedited
		"GLACIER":             {5 * time.Hour, 12 * time.Hour, 5 * time.Minute},
		"DEEP_ARCHIVE":        {12 * time.Hour, 48 * time.Hour},
		"ARCHIVE_ACCESS":      {5 * time.Hour, 12 * time.Hour, 5 * time.Minute},
		"DEEP_ARCHIVE_ACCESS": {12 * time.Hour, 48 * time.Hour},
		"COLDARCHIVE":         {0, 0, 0},
	} {
		var got []time.Duration
		for i, tt := range b.(store.Thawer).ThawTimes(class) {
			got = append(got, tt.Longest)
			if tt.Tier != store.ThawTiers()[i] || strings.HasSuffix(class, "_ACCESS") && tt.CopyClass != "" {
				t.Errorf("%s: %+v", class, tt)
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: %v", class, got)
		}
	}
	for class, want := range map[string]bool{"STANDARD": false, "GLACIER_IR": false, "GLACIER": true, "INTELLIGENT_TIERING": true} {
		if b.(store.Thawer).MayBeFrozen(class) != want {
			t.Errorf("%s: %v", class, !want)
		}
	}
}

// A copy to GLACIER puts log content alone there. Objects that exist are compared by the checksum that the service
// reports, and none is read: a GET would be refused. The probe object that is stored like data stays readable.
func TestS3PutsIntoAFrozenClass(t *testing.T) {
	c, b := openCold(t, "&storage_class=GLACIER")
	if got := store.FrozenClass(b); got != "GLACIER" {
		t.Errorf("%q", got)
	}
	frozen := map[string]bool{"data/a": true, "bundles/a": true, "manifests/a": false, "pages/a": false, "ledger/a": false, "proofs/a": false, "archive.json": false, "probe/1/content": false}
	for key, want := range frozen {
		if _, err := storetest.PutBytes(t, b, key, []byte(key)); err != nil {
			t.Fatal(err)
		}
		if class, _ := c.Class(key); (class == "GLACIER") != want {
			t.Errorf("%s has the class %s", key, class)
		}
	}
	c.Requests()
	if r, err := storetest.PutBytes(t, b, "data/a", []byte("data/a")); err != nil || !r.Existed || r.Frozen != "GLACIER" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := storetest.PutBytes(t, b, "data/a", []byte("DATA/A")); !errors.Is(err, store.ErrExists) {
		t.Errorf("%v", err)
	}
	for _, r := range c.Requests() {
		if strings.HasPrefix(r, "GET") {
			t.Errorf("%s", r)
		}
	}
	if r, err := storetest.PutBytes(t, b, "archive.json", []byte("archive.json")); err != nil || !r.Existed || r.Frozen != "" {
		t.Errorf("%+v, %v", r, err)
	}
	// A rule of the bucket has moved an object, and the URL names no class.
	plain := openFakeAt(t, c.Endpoint, "&versions=false", cloud.Options{})
	if r, err := storetest.PutBytes(t, plain, "data/a", []byte("data/a")); err != nil || r.Frozen != "GLACIER" {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := storetest.PutBytes(t, plain, "data/a", []byte("DATA/A")); !errors.Is(err, store.ErrExists) {
		t.Errorf("%v", err)
	}
}

// The adapter keeps the contract of stores that thaw, in each class.
func TestS3Thaws(t *testing.T) {
	for _, class := range []string{"GLACIER", "DEEP_ARCHIVE", "ARCHIVE_ACCESS", "DEEP_ARCHIVE_ACCESS"} {
		t.Run(class, func(t *testing.T) {
			c, b := openCold(t, "")
			storetest.Thaws(t, b, func(key string) { c.Move(class, key) })
		})
	}
}
