package providers

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func putText(t *testing.T, s store.Store, key, content string) {
	t.Helper()
	if _, err := s.Put(t.Context(), key, strings.NewReader(content), storetest.SumsOf([]byte(content))); err != nil {
		t.Fatal(err)
	}
}

// testSurroundings checks the surroundings of a nested archive. Each store shows the objects of one prefix
// above, under the keys of an archive at that prefix. It refuses Put and Delete.
func testSurroundings(t *testing.T, base string) {
	t.Helper()
	base, query, _ := strings.Cut(base, "?")
	at := func(path string) cloud.Bucket {
		return open(t, base+path+"?"+query, cloud.Options{Counter: &cloud.Counter{}})
	}
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
		if err := places[i].Store.Delete(t.Context(), store.AnyVersion("archive.json")); err == nil {
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

// Services have the same surroundings as memory and directories.
func TestSurroundingsOfServices(t *testing.T) {
	t.Parallel()
	for name, server := range map[string]func(*testing.T) string{
		"minio": storetest.S3, "minio, versions": func(t *testing.T) string { return storetest.NewS3Versions(t).URL },
		"azurite": storetest.Azure, "fake-gcs": storetest.GCS,
	} {
		t.Run(name, func(t *testing.T) { testSurroundings(t, server(t)) })
	}
}

// The top of a bucket has no surroundings. A directory has all directories above it, with links resolved.
func TestSurroundingsEnd(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"mem://top", "mem://top/"} {
		if places := open(t, url, cloud.Options{}).(store.SurroundingsLister).Surroundings(); len(places) != 0 {
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
		places := open(t, "file://"+dir+path, cloud.Options{}).(store.SurroundingsLister).Surroundings()
		if len(places) == 0 || places[0].Address != "file://"+dir+nearest || places[len(places)-1].Address != "file:///" {
			t.Errorf("%s: %v", path, places)
		}
	}
}
