package portable

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// patience is the deadline of a wait. It is far longer than any operation takes.
const patience = 5 * time.Minute

// fileblob checks whether a file exists, and renames another file over it later. The trials before the first snapshot
// refuse it: two writers would both commit the same snapshot. Between the two steps a writer stores attributes in a file
// beside the object. The test puts a full pipe in the place of that file, so that all writers meet between the steps.
func TestFirstSnapshotRefusesFileblob(t *testing.T) {
	t.Parallel()
	if soaktest.Racing {
		t.Skip("its thousands of files take long with -race, and other tests run the trials")
	}
	dir := t.TempDir()
	inner, err := fileblob.OpenBucket(dir, &fileblob.Options{NoTempDir: true})
	if err != nil {
		t.Fatal(err)
	}
	f := &faulty{bucketDriver: &bucketDriver{Driver: cloud.Driver{Dialect: dialect}, bucket: inner}}
	gates := &gates{t: t, dir: dir, open: map[string]bool{}}
	f.writer = gates.meet
	s := open(t, blob.NewBucket(f))
	src := sourceOf(t, filepath.Join(t.TempDir(), "source"), map[string][]byte{"log.0000000001": []byte("a"), "log.0000000002": nil})
	_, err = archive.New(s, archive.Options{}).Backup(t.Context(), src, archive.BackupOptions{Node: "n", Tool: "test"})
	if !errors.Is(err, store.ErrWeakStore) || !strings.Contains(err.Error(), "create-only: of 16 writers") {
		t.Errorf("%v, want ErrWeakStore", err)
	}
	for o, err := range s.List(t.Context(), "", "", "") {
		if err != nil || o.Key != manifest.ArchiveKey {
			t.Errorf("there is %s, %v", o.Key, err)
		}
	}
	gates.closed.Wait()
}

// gates are pipes at which the writers of an object meet.
type gates struct {
	t      *testing.T
	dir    string
	mu     sync.Mutex
	open   map[string]bool // by key
	closed sync.WaitGroup
}

// writersAtOnce is the number of writers that package storecheck lets complete at the same moment.
const writersAtOnce = 16

// meet makes a gate for an object that several writers complete at the same moment.
func (g *gates) meet(_ context.Context, key string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !strings.Contains(key, "/race-") || g.open[key] {
		return
	}
	g.open[key] = true
	path := filepath.Join(g.dir, filepath.FromSlash(key)) + ".attrs"
	err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), syscall.Mkfifo(path, 0o600))
	pipe, openErr := os.OpenFile(path, os.O_RDWR, 0)
	if err = errors.Join(err, openErr, fill(pipe)); err != nil {
		g.t.Errorf("making a pipe: %v", err)
		return
	}
	g.closed.Go(func() {
		defer pipe.Close()
		for end := time.Now().Add(patience); openings(path) < 1+writersAtOnce; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				g.t.Errorf("%d writers opened %s", openings(path)-1, path)
				break
			}
		}
		if err := os.Remove(path); err != nil { // so that no reader of the object waits
			g.t.Error(err)
		}
		drain(pipe)
	})
}

// fill writes to a pipe until it is full.
func fill(pipe *os.File) error {
	if err := pipe.SetWriteDeadline(time.Now().Add(100 * time.Millisecond)); err != nil {
		return err
	}
	for {
		if _, err := pipe.Write(make([]byte, 4096)); errors.Is(err, os.ErrDeadlineExceeded) {
			return pipe.SetWriteDeadline(time.Time{})
		} else if err != nil {
			return err
		}
	}
}

// drain reads a pipe until all its writers have written and closed it.
func drain(pipe *os.File) {
	b := make([]byte, 64<<10)
	for {
		if err := pipe.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
			return
		}
		if _, err := pipe.Read(b); err != nil {
			return
		}
	}
}

// openings returns how many descriptors of this process have a file open.
func openings(path string) (n int) {
	all, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return 0
	}
	for _, fd := range all {
		if link, err := os.Readlink("/proc/self/fd/" + fd.Name()); err == nil && link == path {
			n++
		}
	}
	return n
}
