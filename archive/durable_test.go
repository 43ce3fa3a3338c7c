package archive_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// unsynced is a store whose syncs fail, if fault is set, and are counted.
type unsynced struct {
	*storetest.InMemory
	fault  error
	synced []string
	all    int
}

func (u *unsynced) Sync(_ context.Context, key string) error {
	u.synced = append(u.synced, key)
	return u.fault
}

func (u *unsynced) SyncAll(context.Context) error {
	u.all++
	return u.fault
}

// An archive on a dying disk, or on a share whose fsync fails, can still be read, and above all be
// copied away. An operation that needs it to be durable fails.
func TestReadingNeedsNoSync(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 5)
		db.fill(3, 40)
		mem := storetest.Memory(t)
		mustBackup(t, archive.New(mem, archive.Options{}), db)
		bad, state := &unsynced{InMemory: mem, fault: unix.EIO}, t.TempDir()
		open := func() *archive.Archive {
			return archive.New(bad, archive.Options{State: &archive.LocalState{Dir: state, Place: "bad"}})
		}
		if _, err := open().Newest(t.Context()); err != nil {
			t.Errorf("status: %v", err)
		}
		if f, ok := open().Preflight(t.Context()); !ok || f.Result != storecheck.Good {
			t.Errorf("check: %+v", f)
		}
		copied := storetest.Memory(t)
		r, err := archive.Copy(t.Context(), open(), archive.New(copied, archive.Options{}), archive.CopyOptions{})
		if err != nil || len(r.Snapshots) != 1 {
			t.Errorf("copy from it: %+v, %v", r, err)
		}
		if left, err := os.ReadDir(state); err != nil || len(left) > 0 { // a power loss may take what was read
			t.Errorf("recorded: %v, %v", left, err)
		}

		if _, err := open().Backup(t.Context(), db.source(), options); !errors.Is(err, unix.EIO) {
			t.Errorf("unchanged backup: %v", err)
		}
		if _, err := open().Hold(t.Context(), archive.Selector{}, ""); !errors.Is(err, unix.EIO) {
			t.Errorf("hold: %v", err)
		}
		_, err = archive.Copy(t.Context(), archive.New(copied, archive.Options{}), open(), archive.CopyOptions{})
		if !errors.Is(err, unix.EIO) {
			t.Errorf("copy to it: %v", err)
		}
	})
}

// A service keeps an archive open for months. Between two backups another process may restore the
// manifest, or a copy may replace the disk: neither is durable because it was so before.
func TestEachOperationSyncsAgain(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 5)
		db.fill(3, 40)
		s := &unsynced{InMemory: storetest.Memory(t)}
		a := archive.New(s, archive.Options{})
		mustBackup(t, a, db)
		for range 2 {
			s.synced = nil
			mustBackup(t, a, db)
			if !slices.Contains(s.synced, manifest.ManifestKey(1)) {
				t.Errorf("an unchanged backup synced %q", s.synced)
			}
		}
	})
}

// A repair that finds nothing wrong must not wait for all that other programs wrote to the file
// system: it syncs what an interrupted repair may have created last.
func TestRepairSyncsWhatItFoundRight(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		o := newOriginal(t, t.TempDir(), storetest.Memory(t), 4)
		copied := storetest.Memory(t)
		mustCopy(t, o.store, copied)
		s := &unsynced{InMemory: o.store.(*storetest.InMemory)}
		key := s.Keys(manifest.DataPrefix)[0]
		mustRepair(t, s, from(copied))
		if s.all != 0 || !slices.Contains(s.synced, key) {
			t.Errorf("all was synced %d times, and %q", s.all, s.synced)
		}
		s.Remove(key)
		if r := mustRepair(t, s, from(copied)); len(r.Repaired) != 1 || s.all != 1 {
			t.Errorf("%+v; all was synced %d times", r, s.all)
		}
	})
}

// aborted lets each sync below a directory fail as on a file system that a disk error has aborted.
type aborted struct{}

func (aborted) Change(op *disk.Op, do func() error) error {
	if op.Kind == disk.Sync {
		return &fs.PathError{Op: "sync", Path: "a file", Err: unix.EROFS}
	}
	return do()
}

// A restored set whose pages the disk has lost is read from memory until the next start. A second
// restore must not report that it is there.
func TestRestoreOnAnAbortedFileSystem(t *testing.T) {
	db, _, a := archived(t, 3)
	top := t.TempDir()
	dir := filepath.Join(top, "r")
	mustRestore(t, a, 1, dir, db.files)
	if err := os.Remove(filepath.Join(top, ".r.strongroom-complete")); err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatal(err)
	}
	m, err := a.Snapshot(t.Context(), archive.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	defer disk.Observe(dir, aborted{})()
	if r, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{}); !errors.Is(err, unix.EROFS) {
		t.Errorf("%+v, %v", r, err)
	}
}

// When the archive disappears in the middle of a repair, its operator must see which objects it had
// restored by then, and which it had deleted.
func TestRepairThatStopsReports(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		o := newOriginal(t, t.TempDir(), storetest.Memory(t), 6)
		bucket := o.store.(*storetest.InMemory)
		copied := storetest.Memory(t)
		mustCopy(t, bucket, copied)
		keys := bucket.Keys(manifest.DataPrefix)[:3]
		for _, key := range keys {
			bucket.Damage(key, flipped)
		}
		deletes, puts := 0, 0
		s := &weak{InMemory: bucket}
		s.delete = func(ctx context.Context, objects []store.Object) error {
			deletes++
			return bucket.Delete(ctx, objects)
		}
		s.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
			if puts++; puts == 2 {
				return store.PutResult{}, store.ErrGone
			}
			return bucket.Put(ctx, key, body, sums)
		}
		r, err := archive.New(s, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{ReadData: true, Repair: from(copied)})
		if !errors.Is(err, store.ErrGone) {
			t.Fatal(err)
		}
		if r == nil || len(r.Repaired) != 1 || len(r.Problems) != 2 || deletes != 2 {
			t.Fatalf("%+v, after %d deletes", r, deletes)
		}
		if n := 0; !slices.ContainsFunc(r.Problems, func(p archive.Problem) bool {
			if strings.Contains(p.Detail, "deleted") {
				n++
			}
			return n == 1
		}) {
			t.Errorf("%+v does not report what was deleted", r.Problems)
		}
	})
}

// If archive.json and one manifest have gone, the ledger is still there: that is damage, and not an
// archive that never was. A host without local state must report it so, too.
func TestLossBesideALedgerIsDamage(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 5)
		db.fill(3, 40)
		mem := storetest.Memory(t)
		a := archive.New(mem, archive.Options{})
		mustBackup(t, a, db)
		if _, err := a.Hold(t.Context(), archive.Selector{}, ""); err != nil {
			t.Fatal(err)
		}
		m := newest(t, a)
		for _, key := range mem.Keys("") {
			if !strings.HasPrefix(key, manifest.LedgerPrefix) {
				mem.Remove(key)
			}
		}
		err := archive.New(mem, archive.Options{}).Cat(t.Context(), m, m.Files[0].Name, io.Discard)
		if !errors.Is(err, archive.ErrDamaged) || errors.Is(err, archive.ErrNoArchive) || errors.Is(err, store.ErrGone) {
			t.Errorf("beside a ledger: %v", err)
		}
		for _, key := range mem.Keys("") {
			mem.Remove(key)
		}
		err = archive.New(mem, archive.Options{}).Cat(t.Context(), m, m.Files[0].Name, io.Discard)
		if !errors.Is(err, archive.ErrNoArchive) {
			t.Errorf("where nothing is left: %v", err)
		}
	})
}
