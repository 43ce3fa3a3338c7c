package file

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"gocloud.dev/blob"
	"golang.org/x/sync/errgroup"
	"pgregory.net/rapid"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func openDir(t *testing.T, dir string) *adapter {
	t.Helper()
	return open(t, "file://"+dir, cloud.Options{}).(*adapter)
}

// leftTemporary counts the temporary files below an archive's directory.
func leftTemporary(t *testing.T, s store.Store, _ string) int {
	t.Helper()
	entries, err := os.ReadDir(filepath.Join(s.(*adapter).root, hidden))
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	n := 0
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "put-") {
			n++
		}
	}
	return n
}

// On a file system without link(2), RENAME_NOREPLACE gives the same guarantees.
func TestFileWithoutLinks(t *testing.T) {
	t.Parallel()
	storetest.Run(t, func(t *testing.T) store.Store {
		s := openDir(t, t.TempDir())
		s.noLinks.Store(true)
		return s
	}, storetest.Options{HashesAll: true, Uploads: leftTemporary})
}

// Reads create no directory; the first Put creates all of them.
func TestFileMissingDirectory(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "b")
	s := openDir(t, dir)
	if _, err := s.Get(t.Context(), "archive.json", 0, -1); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Get: %v", err)
	}
	if _, err := s.Stat(t.Context(), "archive.json"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("Stat: %v", err)
	}
	for o, err := range s.List(t.Context(), "", "/", "") {
		t.Errorf("List: %v, %v", o, err)
	}
	if n, err := s.Sweep(t.Context()); n != 0 || err != nil {
		t.Errorf("Sweep: %d, %v", n, err)
	}
	if _, err := os.Stat(filepath.Dir(dir)); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("a read created a directory: %v", err)
	}
	if _, err := storetest.PutBytes(t, s, "data/x/y", []byte("z")); err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "data", "x", "y")); string(b) != "z" {
		t.Errorf("the file has %q, %v", b, err)
	}
}

// A directory in an object's place is no object. Put must not retry for ever, and leaves no file.
func TestFileDirectoryInThePlace(t *testing.T) {
	t.Parallel()
	s := openDir(t, t.TempDir())
	if err := os.MkdirAll(filepath.Join(s.root, "data", "a", "b"), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.PutBytes(t, s, "data/a/b", []byte("x")); !errors.Is(err, store.ErrBlocked) {
		t.Errorf("%v", err)
	}
	if n := leftTemporary(t, s, ""); n > 0 {
		t.Errorf("%d temporary files are left", n)
	}
}

// Sync succeeds for an existing object, and reports a missing one.
func TestFileSync(t *testing.T) {
	t.Parallel()
	s := openDir(t, t.TempDir())
	if _, err := storetest.PutBytes(t, s, "data/a", []byte("x")); err != nil {
		t.Fatal(err)
	}
	if err := s.Sync(t.Context(), "data/a"); err != nil {
		t.Error(err)
	}
	for _, key := range []string{"data/b", "data"} {
		if err := s.Sync(t.Context(), key); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// If the archive's path is a file, the error states that it is not a directory.
func TestFileErrors(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "file"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s := openDir(t, filepath.Join(dir, "file"))
	if _, err := storetest.PutBytes(t, s, "a", nil); err == nil || !strings.Contains(err.Error(), "not a directory") {
		t.Errorf("Put below a file: %v", err)
	}
	for _, err := range s.List(t.Context(), "", "", "") {
		if err == nil || !strings.Contains(err.Error(), "not a directory") {
			t.Errorf("List of a file: %v", err)
		}
	}
}

// Sweep removes the temporary files of killed processes, but none of a process that may still run.
func TestFileSweep(t *testing.T) {
	t.Parallel()
	s := openDir(t, t.TempDir())
	if _, err := storetest.PutBytes(t, s, "a", nil); err != nil {
		t.Fatal(err)
	}
	dead := exec.Command("true")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	week := time.Now().Add(-cloud.StaleAge - time.Hour)
	for name, c := range map[string]struct {
		modified time.Time
		stays    bool
	}{
		tempPrefix() + "1": {time.Now(), true},
		tempPrefix() + "2": {week, false},
		fmt.Sprintf("put-%s-%d-3", machine(), dead.Process.Pid):          {time.Now(), false},
		fmt.Sprintf("put-%s-%d-4", "0123456789abcdef", dead.Process.Pid): {time.Now(), true},
		fmt.Sprintf("put-%s-%d-5", "0123456789abcdef", dead.Process.Pid): {week, false},
		fmt.Sprintf("put-%s-%s-6", machine(), "x"):                       {time.Now(), true},
		"another program's": {week, true},
	} {
		path := filepath.Join(s.root, hidden, name)
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, c.modified, c.modified); err != nil {
			t.Fatal(err)
		}
		want := 0
		if !c.stays {
			want = 1
		}
		if n, err := s.Sweep(t.Context()); n != want || err != nil {
			t.Errorf("Sweep of %s: %d, %v; want %d", name, n, err, want)
		}
		if _, err := os.Stat(path); (err == nil) != c.stays {
			t.Errorf("%s: %v", name, err)
		}
	}
	for o := range s.List(t.Context(), "", "", "") {
		if o.Key != "a" {
			t.Errorf("the listing shows %v", o)
		}
	}
}

// The temporary file of a killed process may be as large as a log file. So the first Put of the next process
// removes it, without waiting for a Sweep.
func TestFilePutSweeps(t *testing.T) {
	dir := t.TempDir()
	dead := exec.Command("true")
	if err := errors.Join(dead.Run(), os.Mkdir(filepath.Join(dir, hidden), 0o750)); err != nil {
		t.Fatal(err)
	}
	left := filepath.Join(dir, hidden, fmt.Sprintf("put-%s-%d-1", machine(), dead.Process.Pid))
	live := filepath.Join(dir, hidden, fmt.Sprintf("put-%s-%d-1", machine(), os.Getppid()))
	if err := errors.Join(os.WriteFile(left, nil, 0o600), os.WriteFile(live, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	if _, err := storetest.PutBytes(t, openDir(t, dir), "a", nil); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the file of a killed process was not removed: %v", err)
	}
	if _, err := os.Stat(live); err != nil {
		t.Errorf("the file of another process was removed: %v", err)
	}
}

// Delete of the last object in a directory removes the directory, while concurrent Puts need it.
func TestFileDeleteAndPutRace(t *testing.T) {
	t.Parallel()
	s := openDir(t, t.TempDir())
	var wg sync.WaitGroup
	for i := range 8 {
		wg.Go(func() {
			key := fmt.Sprintf("data/a/b/%d", i)
			for range 50 {
				if _, err := s.Put(t.Context(), key, strings.NewReader("x"), storetest.SumsOf([]byte("x"))); err != nil {
					t.Errorf("Put: %v", err)
				}
				if err := s.Delete(t.Context(), store.AnyVersion(key)); err != nil {
					t.Errorf("Delete: %v", err)
				}
			}
		})
	}
	wg.Wait()
	if _, err := os.Stat(filepath.Join(s.root, "data")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("an emptied directory was not removed: %v", err)
	}
}

// List ignores files with names that no key has. A symbolic link may lead to the directory.
func TestFileStrangers(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{"lost+found", "a b", "notes~", "ä", ".~strongroom"} {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name, "x"), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	s := openDir(t, link)
	if _, err := storetest.PutBytes(t, s, "a", nil); err != nil {
		t.Fatal(err)
	}
	var got []string
	for o, err := range s.List(t.Context(), "", "", "") {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, o.Key)
	}
	if !slices.Equal(got, []string{"a"}) {
		t.Errorf("listing: %q", got)
	}
}

// For each page size and starting point the driver returns the keys in sorted order.
func TestFileListing(t *testing.T) {
	t.Parallel()
	segment := rapid.SampledFrom([]string{"a", "a-b", "a.d", "aa", "b", "%", "a_"})
	rapid.Check(t, func(t *rapid.T) {
		dir, err := os.MkdirTemp("", "listing")
		if err != nil {
			t.Fatal(err)
		}
		defer os.RemoveAll(dir)
		keys := map[string]bool{}
		for range rapid.IntRange(0, 12).Draw(t, "n") {
			key := strings.Join(rapid.SliceOfN(segment, 1, 4).Draw(t, "key"), "/")
			if os.MkdirAll(filepath.Join(dir, filepath.Dir(key)), 0o700) == nil && os.WriteFile(filepath.Join(dir, key), nil, 0o600) == nil {
				keys[key] = true
			}
		}
		prefix, delimiter := rapid.SampledFrom([]string{"", "a", "a/", "a-", "b/a", "b/a/"}).Draw(t, "prefix"), rapid.SampledFrom([]string{"", "/", "-"}).Draw(t, "delimiter")
		want := map[string]bool{}
		for k := range keys {
			if !strings.HasPrefix(k, prefix) {
				continue
			}
			if d, ok := cloud.RolledUp(prefix, delimiter, k); ok {
				k = d
			}
			want[k] = true
		}
		b := blob.NewBucket(newDriver(&tree{root: dir}))
		defer b.Close()
		var got []string
		size := rapid.IntRange(1, 5).Draw(t, "page")
		for token := blob.FirstPageToken; len(token) > 0; {
			page, next, err := b.ListPage(t.Context(), token, size, &blob.ListOptions{Prefix: prefix, Delimiter: delimiter})
			if err != nil {
				t.Fatal(err)
			}
			if len(page) > size {
				t.Fatalf("a page of %d", len(page))
			}
			for _, o := range page {
				got = append(got, o.Key)
			}
			token = next
		}
		if !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
			t.Fatalf("pages of %d with %q %q over %v: %q", size, prefix, delimiter, keys, got)
		}
	})
}

// An object of Put can be restored with cp, and read through gocloud.dev.
func TestFileThroughBlob(t *testing.T) {
	t.Parallel()
	s := openDir(t, t.TempDir())
	content := bytes.Repeat([]byte("content"), 1000)
	if _, err := storetest.PutBytes(t, s, "data/a%20b/x", content); err != nil {
		t.Fatal(err)
	}
	b := blob.NewBucket(newDriver(&tree{root: s.root}))
	defer b.Close()
	if got, err := b.ReadAll(t.Context(), "data/a%20b/x"); !bytes.Equal(got, content) {
		t.Errorf("%d bytes, %v", len(got), err)
	}
	fi, err := os.Stat(filepath.Join(s.root, "data", "a%20b", "x"))
	if err != nil || fi.Mode().Perm()&0o007 != 0 {
		t.Errorf("%v, %v", fi.Mode(), err)
	}
}

// If objects, and the directories that become empty, are deleted during a listing, the listing still lists all.
func TestFileDeleteWhileListing(t *testing.T) {
	t.Parallel()
	b, err := Open(t.Context(), "file://"+t.TempDir()+"/archive", cloud.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	const many = 700
	var puts errgroup.Group
	puts.SetLimit(32)
	for i := range many {
		for _, version := range []string{"a", "b"} {
			puts.Go(func() error {
				content := []byte(version)
				_, err := b.Put(t.Context(), fmt.Sprintf("data/%04d.jdb/%s", i, version), bytes.NewReader(content), storetest.SumsOf(content))
				return err
			})
		}
	}
	if err := puts.Wait(); err != nil {
		t.Fatal(err)
	}
	var batch []store.Object
	listed := 0
	for o, err := range b.List(t.Context(), "data/", "", "") {
		if err != nil {
			t.Fatal(err)
		}
		listed++
		if batch = append(batch, o); len(batch) == 101 {
			if err := b.Delete(t.Context(), batch); err != nil {
				t.Fatal(err)
			}
			batch = batch[:0]
		}
	}
	if listed != 2*many {
		t.Fatalf("%d of %d were listed", listed, 2*many)
	}
}
