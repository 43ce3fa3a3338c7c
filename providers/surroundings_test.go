package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func putText(t *testing.T, s store.Store, key, content string) {
	t.Helper()
	if _, err := s.Put(t.Context(), key, strings.NewReader(content), storetest.SumsOf([]byte(content))); err != nil {
		t.Fatal(err)
	}
}

// testSurroundings reads an archive's place from below: each of the stores around it shows what the place
// above has, under the keys that an archive there would have. Nothing can be changed through them.
func testSurroundings(t *testing.T, base string) {
	t.Helper()
	base, query, _ := strings.Cut(base, "?")
	at := func(path string) Bucket { return open(t, base+path+"?"+query, Options{Counter: &Counter{}}) }
	putText(t, at("/a"), "archive.json", "of a")
	putText(t, at("/a"), "manifests/000/000/001.json", "1")
	places := at("/a/b/c").(store.SurroundingsLister).Surroundings()
	if len(places) < 2 {
		t.Fatalf("%d places", len(places))
	}
	for i, want := range []string{base + "/a/b", base + "/a"} {
		if places[i].Address != want {
			t.Errorf("%s, want %s", places[i].Address, want)
		}
		r, err := places[i].Store.Get(t.Context(), "archive.json", 0, -1)
		if i == 0 {
			if !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s: %v", want, err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		b, err := io.ReadAll(r)
		r.Close()
		if err != nil || string(b) != "of a" {
			t.Errorf("%s: %q, %v", want, b, err)
		}
		var keys []string
		for o, err := range places[i].Store.List(t.Context(), "manifests/", "", "") {
			if err != nil {
				t.Fatal(err)
			}
			keys = append(keys, o.Key)
		}
		if !slices.Equal(keys, []string{"manifests/000/000/001.json"}) {
			t.Errorf("%s: %q", want, keys)
		}
		if _, err := places[i].Store.Put(t.Context(), "x", strings.NewReader(""), storetest.SumsOf(nil)); err == nil {
			t.Error("an object was put")
		}
		if err := places[i].Store.Delete(t.Context(), []string{"archive.json"}); err == nil {
			t.Error("an object was deleted")
		}
	}
	if _, err := places[1].Store.Stat(t.Context(), "archive.json"); err != nil {
		t.Error(err)
	}
}

func TestSurroundings(t *testing.T) {
	t.Parallel()
	testSurroundings(t, fmt.Sprintf("mem://surroundings-%d", time.Now().UnixNano()))
	testSurroundings(t, "file://"+t.TempDir())
}

// The same with the services.
func TestSurroundingsOfServices(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(*testing.T) string{
		"minio": storetest.S3, "minio, versions": func(t *testing.T) string { return storetest.NewS3Versions(t).URL },
		"azurite": storetest.Azure, "fake-gcs": storetest.GCS,
	} {
		t.Run(name, func(t *testing.T) { testSurroundings(t, server(t)) })
	}
}

// The top of a bucket has nothing around it; a directory has all that are above, where links lead.
func TestSurroundingsEnd(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"mem://top", "mem://top/"} {
		if places := open(t, url, Options{}).(store.SurroundingsLister).Surroundings(); len(places) != 0 {
			t.Errorf("%s: %v", url, places)
		}
	}
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "real", "x"), 0o755), os.Symlink("real/x", filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	for path, nearest := range map[string]string{"/link": "/real", "/link/not/there": "/real/x/not", "/real/../link": "/real"} {
		places := open(t, "file://"+dir+path, Options{}).(store.SurroundingsLister).Surroundings()
		if len(places) == 0 || places[0].Address != "file://"+dir+nearest || places[len(places)-1].Address != "file:///" {
			t.Errorf("%s: %v", path, places)
		}
	}
}

// A service that denies what lies around the archive has answered: that is no failure, it is not tried again,
// and it counts as a permission that is missing, also where the credentials count as wrong there.
func TestSurroundingsDenied(t *testing.T) {
	for _, code := range []string{"AccessDenied", "InvalidAccessKeyId"} {
		counter := &Counter{}
		fake, top := newFake(t, Options{Counter: counter}, func(w http.ResponseWriter, r *http.Request) { fail(w, http.StatusForbidden, code) })
		s := top.(*s3Store)
		s.prefix = "orders/node-1/"
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

// Sweep ends no upload of an archive that lies within this one, nor of another program.
func TestS3SweepSparesOthers(t *testing.T) {
	uploads := map[string]bool{ // and whether it ends them
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
	fake, bucket := newFake(t, Options{}, func(w http.ResponseWriter, r *http.Request) {
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
