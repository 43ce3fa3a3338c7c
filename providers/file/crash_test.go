package file

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/crashtest"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// afterPowerLoss calls do with a directory in the state after a power loss before event n.
func afterPowerLoss(t *testing.T, l *crashtest.Log, n int, loss crashtest.Loss, do func(dir string)) {
	t.Helper()
	state, err := l.At(n)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "crash-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(dir)
	if err := state.Lose(loss).Write(dir); err != nil {
		t.Fatal(err)
	}
	do(dir)
}

func crashPut(t *testing.T, s *adapter, key string, content []byte) store.PutResult {
	t.Helper()
	sums := manifest.StoredSumsOf(content)
	stored, err := s.Put(t.Context(), key, bytes.NewReader(content),
		store.Sums{Size: sums.Size, SHA256: sums.SHA256, CRC32C: sums.CRC32C})
	if err != nil {
		t.Fatal(err)
	}
	return stored
}

// After a power loss an object is either complete or missing, and it exists if Put had returned. That also
// holds on a file system without hard links, and next to deleted objects.
func TestFilePowerLoss(t *testing.T) {
	for _, noLinks := range []bool{false, true} {
		t.Run(fmt.Sprintf("noLinks=%v", noLinks), func(t *testing.T) {
			dir := t.TempDir()
			r := crashtest.Record(t, dir)
			defer r.Stop()
			s := newAdapter(filepath.Join(dir, "a", "b"), "")
			defer s.Close()
			s.noLinks.Store(noLinks)
			content := map[string][]byte{}
			for i, key := range []string{"archive.json", "data/x/1", "data/x/2", "data/y/3"} {
				content[key] = bytes.Repeat([]byte{byte('a' + i)}, 100)
				crashPut(t, s, key, content[key])
				r.Note(key)
			}
			if err := s.Delete(t.Context(), store.AnyVersion("data/y/3")); err != nil {
				t.Fatal(err)
			}
			delete(content, "data/y/3")                                           // Delete need not be durable
			content["data/y/4"] = bytes.Repeat([]byte{'z'}, cloud.CopyBuffer+100) // in two writes
			crashPut(t, s, "data/y/4", content["data/y/4"])
			r.Note("data/y/4")
			l := r.Log()
			for n := range l.Len() + 1 {
				reported := map[string]bool{}
				for _, key := range l.Notes(n) {
					reported[key] = true
				}
				for i, loss := range append(crashtest.Losses(), crashtest.Random(uint64(n))) {
					if n < l.Len() && testing.Short() && n%6 != i {
						continue
					}
					afterPowerLoss(t, l, n, loss, func(dir string) {
						for key, want := range content {
							got, err := os.ReadFile(filepath.Join(dir, "a", "b", key))
							if err == nil && !bytes.Equal(got, want) {
								t.Fatalf("%s, at event %d: %s is incomplete\n%s", loss.Name, n, key, l.Around(n))
							}
							if err != nil && reported[key] {
								t.Fatalf("%s, at event %d: %s is missing: %v\n%s", loss.Name, n, key, err, l.Around(n))
							}
						}
					})
				}
			}
		})
	}
}

// A file of another program may not be durable, neither its content nor its name. An operation that reports
// it as stored makes it durable first.
func TestFilePowerLossOfWhatOthersWrote(t *testing.T) {
	content := []byte("the content to store")
	const key = "data/x/1"
	for name, find := range map[string]func(t *testing.T, s *adapter) error{
		"Put": func(t *testing.T, s *adapter) error {
			if !crashPut(t, s, key, content).Existed {
				t.Error("Put did not report that the object existed")
			}
			return nil
		},
		"Sync":    func(t *testing.T, s *adapter) error { return s.Sync(t.Context(), key) },
		"SyncAll": func(t *testing.T, s *adapter) error { return s.SyncAll(t.Context()) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			r := crashtest.Record(t, dir)
			defer r.Stop()
			if err := disk.MkdirAll(filepath.Join(dir, "a", "data", "x"), 0o750); err != nil {
				t.Fatal(err)
			}
			root, err := disk.OpenRoot(filepath.Join(dir, "a"))
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			f, err := root.OpenFile(key, os.O_WRONLY|os.O_CREATE, 0o640)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := f.Write(content); err != nil {
				t.Fatal(err)
			}
			if err := f.Close(); err != nil {
				t.Fatal(err)
			}
			s := newAdapter(filepath.Join(dir, "a"), "")
			defer s.Close()
			if err := find(t, s); err != nil {
				t.Fatal(err)
			}
			l := r.Log()
			for _, loss := range crashtest.Losses() {
				afterPowerLoss(t, l, l.Len(), loss, func(dir string) {
					got, err := os.ReadFile(filepath.Join(dir, "a", key))
					if err != nil || !bytes.Equal(got, content) {
						t.Errorf("%s: %q, %v", loss.Name, got, err)
					}
				})
			}
		})
	}
}

// A service keeps its store open for months. If an archive's directory is removed and created again, its new
// name must be made durable, too.
func TestFilePowerLossAfterTheDirectoryIsMadeAgain(t *testing.T) {
	dir := t.TempDir()
	r := crashtest.Record(t, dir)
	defer r.Stop()
	s := newAdapter(filepath.Join(dir, "a"), "")
	defer s.Close()
	for range 2 {
		release := s.Hold()
		crashPut(t, s, manifest.ArchiveKey, []byte("{}"))
		release()
		l := r.Log()
		afterPowerLoss(t, l, l.Len(), crashtest.Losses()[0], func(dir string) {
			if _, err := os.Stat(filepath.Join(dir, "a", manifest.ArchiveKey)); err != nil {
				t.Fatal(err)
			}
		})
		for _, name := range []string{filepath.Join("a", manifest.ArchiveKey), filepath.Join("a", hidden), "a"} {
			if err := disk.RemoveName(filepath.Join(dir, name)); err != nil {
				t.Fatal(err)
			}
		}
		d, err := disk.OpenDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Sync(); err != nil { // the old directory stays gone
			t.Fatal(err)
		}
		d.Close()
	}
}
