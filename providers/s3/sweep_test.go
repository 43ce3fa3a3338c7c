package s3

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// Sweep ends uploads that are at least a week old. A younger one may belong to a running writer. MinIO lists
// uploads only for an exact key, so a fake answers here as AWS documents it.
func TestS3SweepSparesTheYoung(t *testing.T) {
	now := time.Now()
	fake, bucket := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case r.URL.Query().Has("uploads"):
			fmt.Fprint(w, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>`)
			for id, age := range map[string]time.Duration{"old": 8 * 24 * time.Hour, "young": 6 * 24 * time.Hour, "now": 0} {
				fmt.Fprintf(w, `<Upload><Key>data/%s</Key><UploadId>%s</UploadId><Initiated>%s</Initiated></Upload>`,
					id, id, now.Add(-age).UTC().Format("2006-01-02T15:04:05.000Z"))
			}
			fmt.Fprint(w, `</ListMultipartUploadsResult>`)
		default:
			t.Errorf("unexpected %s %s", r.Method, r.URL)
		}
	})
	n, err := bucket.(store.Sweeper).Sweep(context.Background())
	if err != nil || n != 1 {
		t.Fatalf("swept %d, %v", n, err)
	}
	if seen := fake.seen(); !slices.Contains(seen, "DELETE data/old") || len(seen) != 2 {
		t.Fatalf("requests %q", seen)
	}
}

// A listing of uploads may answer that there is none as an error, and must not go on for ever.
func TestS3SweepOfOddListings(t *testing.T) {
	for name, c := range map[string]struct {
		answer func(w http.ResponseWriter)
		want   error
	}{
		"no uploads": {func(w http.ResponseWriter) { fail(w, http.StatusNotFound, "NoSuchUpload") }, nil},
		"a marker again": {func(w http.ResponseWriter) {
			fmt.Fprint(w, `<ListMultipartUploadsResult><IsTruncated>true</IsTruncated><NextKeyMarker>data/a</NextKeyMarker></ListMultipartUploadsResult>`)
		}, cloud.ErrBadListing},
	} {
		t.Run(name, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			var fake *fakeService
			fake, bucket := newFake(t, cloud.Options{}, func(w http.ResponseWriter, _ *http.Request) {
				if len(fake.seen()) > 10 {
					cancel()
				}
				c.answer(w)
			})
			if n, err := bucket.(store.Sweeper).Sweep(ctx); n != 0 || !errors.Is(err, c.want) {
				t.Errorf("swept %d, %v; want %v", n, err, c.want)
			}
		})
	}
}
