package s3

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
)

// A service denies requests for the places around the archive. That is no failure, and it is not retried. It
// counts as a missing permission, even if the service reports wrong credentials.
func TestSurroundingsDenied(t *testing.T) {
	for _, code := range []string{"AccessDenied", "InvalidAccessKeyId"} {
		counter := &cloud.Counter{}
		fake, top := newFake(t, cloud.Options{Counter: counter}, func(w http.ResponseWriter, r *http.Request) { fail(w, http.StatusForbidden, code) })
		s := top.(*adapter)
		s.Prefix = "orders/node-1/"
		places := s.Surroundings()
		if len(places) != 2 || places[0].Address != "s3://bucket/orders" || places[1].Address != "s3://bucket" {
			t.Fatalf("%v", places)
		}
		for _, p := range places {
			if _, err := p.Store.Get(context.Background(), "archive.json", 0, -1); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s: %v", code, err)
			}
			if _, err := p.Store.Stat(context.Background(), "archive.json"); !errors.Is(err, fs.ErrPermission) {
				t.Errorf("%s: %v", code, err)
			}
			for _, err := range p.Store.List(context.Background(), "manifests/", "", "") {
				if !errors.Is(err, fs.ErrPermission) {
					t.Errorf("%s: %v", code, err)
				}
			}
		}
		if n := len(fake.seen()); n != 6 || len(counter.Failures()) != 0 {
			t.Errorf("%s: %d requests; failures %v", code, n, counter.Failures())
		}
		if _, err := s.Stat(context.Background(), "archive.json"); err == nil || len(counter.Failures()) != 1 {
			t.Errorf("the archive itself is denied, too: %v; failures %v", err, counter.Failures())
		}
	}
}

// Sweep ends no upload of a nested archive or of another program.
func TestS3SweepSparesOthers(t *testing.T) {
	uploads := map[string]bool{ // whether Sweep ends the upload to a key
		"data/00000001.jdb/x":        true,
		"data/old/data/x/y":          true,
		"data/node-2/data/x/y":       false,
		"data/node-3/data/x/y":       false,
		"data/node-4/bundles/x":      false,
		"website/movie.mp4":          false,
		"website/data/x":             false,
		"probe/abcdefghijkl/large":   true,
		"data/node-5/probe/x/large":  true,
		"archive.json":               true,
		"data/node-2/archive.json/x": true,
	}
	there := []string{"data/node-2/archive.json", "data/node-3/manifests/000/000/001.json", "data/node-4/ledger/000/000/001.json"}
	fake, bucket := newFake(t, cloud.Options{}, func(w http.ResponseWriter, r *http.Request) {
		key, query := strings.TrimPrefix(r.URL.Path, "/bucket/"), r.URL.Query()
		switch {
		case r.Method == http.MethodDelete:
			w.WriteHeader(http.StatusNoContent)
		case query.Has("uploads"):
			fmt.Fprint(w, `<ListMultipartUploadsResult><IsTruncated>false</IsTruncated>`)
			for key := range uploads {
				fmt.Fprintf(w, `<Upload><Key>%s</Key><UploadId>1</UploadId><Initiated>2020-01-01T00:00:00.000Z</Initiated></Upload>`, key)
			}
			fmt.Fprint(w, `</ListMultipartUploadsResult>`)
		case query.Has("prefix"):
			fmt.Fprint(w, `<ListBucketResult><IsTruncated>false</IsTruncated>`)
			for _, key := range there {
				if strings.HasPrefix(key, query.Get("prefix")) {
					fmt.Fprintf(w, `<Contents><Key>%s</Key><Size>1</Size><LastModified>2020-01-01T00:00:00.000Z</LastModified></Contents>`, key)
				}
			}
			fmt.Fprint(w, `</ListBucketResult>`)
		case r.Method == http.MethodHead && !slices.Contains(there, key):
			w.WriteHeader(http.StatusNotFound)
		}
	})
	n, err := bucket.(store.Sweeper).Sweep(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	want := 0
	for key, ends := range uploads {
		if slices.Contains(fake.seen(), "DELETE "+key) != ends {
			t.Errorf("%s: ended is %v, want %v", key, !ends, ends)
		}
		if ends {
			want++
		}
	}
	if n != want {
		t.Errorf("%d were ended, want %d", n, want)
	}
}
