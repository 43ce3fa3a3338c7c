package restoredir

import (
	"errors"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// failingSync fails one sync of a file system, as a disk does that could not store something.
type failingSync struct {
	calls atomic.Int64
	at    int64 // the call that fails, from 1
}

func (f *failingSync) Change(op *disk.Op, do func() error) error {
	if op.Kind == disk.SyncAll && f.calls.Add(1) == f.at {
		return unix.EIO
	}
	return do()
}

func (f *failingSync) CanSyncAll() bool { return true }

// A file system reports a failed write to one syncfs only, which may be of another batch than the file. If a later
// batch got its names after that, a file would be lost that was reported restored.
func TestOneFailedSyncFailsAllBatches(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	dir := filepath.Join(t.TempDir(), "db")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer disk.Observe(dir, &failingSync{at: 1})()
	h := mustOpen(t, dir, one)
	if err := h.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name := range one.bytes {
		if err := h.write(name, nil); !errors.Is(err, unix.EIO) {
			t.Errorf("%s: %v, want EIO", name, err)
		}
		if _, err := os.Lstat(filepath.Join(dir, name)); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s has its name: %v", name, err)
		}
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 || entries[0].Name() != IncompleteMarker {
		t.Errorf("the directory has %v, %v", entries, err)
	}
}

// Another process cuts a file that waits for its batch. The file does not get its name: it would stand in a set that is
// reported complete.
func TestFileThatIsCutBeforeItsBatch(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	dir := filepath.Join(t.TempDir(), "db")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer disk.Observe(dir, &failingSync{})()
	h := mustOpen(t, dir, one)
	if err := h.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	f := &one.m.Files[0]
	err := h.WriteFile(t.Context(), f, func(to *disk.File) error {
		_, err := to.Write(one.bytes[f.Name])
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	temps, err := filepath.Glob(filepath.Join(dir, tempPrefix+"*"+tempSuffix))
	if err != nil || len(temps) != 1 {
		t.Fatalf("%q, %v", temps, err)
	}
	if err := os.Truncate(temps[0], f.Size-1); err != nil {
		t.Fatal(err)
	}
	if err := h.Commit(t.Context()); !errors.Is(err, ErrOccupied) {
		t.Errorf("Commit: %v, want ErrOccupied", err)
	}
	if _, err := os.Lstat(filepath.Join(dir, f.Name)); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("it has its name: %v", err)
	}
}

// Where little space is free, a batch of files that replace others is not kept until it is full: the old ones would
// take the space of the new ones.
func TestNoBatchWithoutRoom(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		sized, spare int64
		want         bool
	}{{0, 0, true}, {10, 9, false}, {10, 10, true}, {1 << 40, batchBytes, true}, {1 << 40, batchBytes - 1, false}} {
		if got := (&Dir{sized: c.sized, spare: c.spare}).hasRoomForBatch(); got != c.want {
			t.Errorf("%d bytes to replace, %d free: %v", c.sized, c.spare, got)
		}
	}
}

// A kill costs no more than one batch. Each of its three limits ends it, also when it is reached exactly.
func TestBatchEndsAtEachLimit(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		for what, b := range map[string]*batch{
			"files": {files: make([]written, batchFiles), since: time.Now()},
			"bytes": {bytes: batchBytes, since: time.Now()},
			"time":  {since: time.Now().Add(-batchTime)},
		} {
			if !b.isFull() {
				t.Errorf("a batch at its limit of %s is not full", what)
			}
		}
		b := &batch{files: make([]written, batchFiles-1), bytes: batchBytes - 1, since: time.Now().Add(-batchTime + 1)}
		if b.isFull() {
			t.Error("a batch below all limits is full")
		}
	})
}
