package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// ticked calls before ahead of each operation, one at a time. It hides whether the place of
// the store can be held.
type ticked struct {
	store.Store
	mu     sync.Mutex
	before func(kind, key string)
}

func (w *ticked) tick(kind, key string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.before(kind, key)
}

func (w *ticked) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	w.tick("put", key)
	return w.Store.Put(ctx, key, body, sums)
}

func (w *ticked) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	w.tick("get", key)
	return w.Store.Get(ctx, key, offset, length)
}

func (w *ticked) Stat(ctx context.Context, key string) (store.Object, error) {
	w.tick("stat", key)
	return w.Store.Stat(ctx, key)
}

func (w *ticked) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		w.tick("list", prefix)
		w.Store.List(ctx, prefix, delimiter, after)(yield)
	}
}

func (w *ticked) Delete(ctx context.Context, objects []store.Object) error {
	w.tick("delete", objects[0].Key)
	return w.Store.Delete(ctx, objects)
}

// tickedHolder is ticked of a store whose place can be held.
type tickedHolder struct {
	*ticked
	store.Holder
}

// unmounts are the states of a destination in a directory after its disk has gone.
var unmounts = map[string]func(t *testing.T, dir string){
	"an empty mount point": func(t *testing.T, dir string) {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	},
	"nothing": func(*testing.T, string) {},
}

// placeOps are the operations that may be running at a destination when its disk disappears.
var placeOps = map[string]func(t *testing.T, a *archive.Archive, db *database) error{
	"backup": func(t *testing.T, a *archive.Archive, db *database) error {
		_, err := a.Backup(t.Context(), db.source(), options)
		return err
	},
	"verify": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.Verify(t.Context(), archive.VerifyOptions{Proof: true, Sample: 0.5})
		return err
	},
	"prune": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
		return err
	},
	"hold": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.Hold(t.Context(), archive.Selector{}, "")
		return err
	},
	"repair": func(t *testing.T, a *archive.Archive, db *database) error {
		from := &archive.RepairFrom{Source: db.source()}
		_, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true, Proof: true, Repair: from})
		return err
	},
	"copy to it": func(t *testing.T, a *archive.Archive, db *database) error {
		from := storetest.Memory(t)
		mustCopy(t, storeAt(t, filepath.Join(filepath.Dir(db.dir), "source")), from)
		_, err := archive.Copy(t.Context(), archive.New(from, archive.Options{}), a, archive.CopyOptions{})
		return err
	},
	"drill": func(t *testing.T, a *archive.Archive, _ *database) error {
		m, err := a.Snapshot(t.Context(), archive.Selector{})
		if err == nil {
			_, err = a.Drill(t.Context(), m, archive.DrillOptions{Scratch: t.TempDir()})
		}
		return err
	},
}

func storeAt(t *testing.T, dir string) store.Store { return openBucket(t, "file://"+dir, 0) }

// Issue 14: a destination was unmounted in the middle of a backup. The tree was made again below
// the mount point, with "snapshot 2" and most objects missing, and the next run found that nothing
// had changed. Here the disk disappears before operation n, for every n, of every writing run. The
// run creates nothing in its place, the next run is refused, and once the disk is back, all is as
// it should be.
func TestDiskGoesBeforeEveryOperation(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	step := 1
	if testing.Short() {
		step = 7 // of some twenty operations
	}
	for name, op := range placeOps {
		for what, unmount := range unmounts {
			for _, held := range []bool{true, false} {
				t.Run(fmt.Sprintf("%s, %s, held %v", name, what, held), func(t *testing.T) {
					t.Parallel()
					w := newDiskWorld(t)
					for n := 0; w.diskGoes(t, n, name == "drill", held, op, unmount); n += step {
					}
				})
			}
		}
	}
}

// A diskWorld is a database, its archive on a disk, a copy of the archive that has one more snapshot, and the local
// state of the archive: the directories db, mnt, source and state of top.
type diskWorld struct {
	top  string
	made string // a copy of mnt and state as they are before an operation
	db   *database
	o    archive.Options
}

func newDiskWorld(t *testing.T) *diskWorld {
	t.Helper()
	top := t.TempDir()
	dir, state, copied := filepath.Join(top, "mnt"), filepath.Join(top, "state"), filepath.Join(top, "source")
	w := &diskWorld{
		top: top, made: t.TempDir(), db: newDatabase(t, mkdir(t, top, "db"), 61),
		o: archive.Options{Transfers: 1, State: &archive.LocalState{Dir: state, Place: "file://" + dir}},
	}
	for range 2 {
		w.db.fill(3, 40)
		w.db.grow(20)
		mustBackup(t, archive.New(storeAt(t, dir), w.o), w.db)
	}
	w.db.flip(30)
	mustCopy(t, storeAt(t, dir), storeAt(t, copied))
	mustBackup(t, archive.New(storeAt(t, copied), archive.Options{}), w.db)
	for _, name := range []string{"mnt", "state"} {
		if err := os.CopyFS(filepath.Join(w.made, name), os.DirFS(filepath.Join(top, name))); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

// reset undoes what an operation and what followed it have done.
func (w *diskWorld) reset(t *testing.T) {
	t.Helper()
	for _, name := range []string{"mnt", "disk", "state", "restored"} {
		if err := os.RemoveAll(filepath.Join(w.top, name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.CopyFS(w.top, os.DirFS(w.made)); err != nil {
		t.Fatal(err)
	}
}

// diskGoes has the disk go before operation n, and reports whether there was one.
func (w *diskWorld) diskGoes(
	t *testing.T, n int, reads, held bool,
	op func(*testing.T, *archive.Archive, *database) error, unmount func(*testing.T, string),
) bool {
	t.Helper()
	w.reset(t)
	dir, away, db, o := filepath.Join(w.top, "mnt"), filepath.Join(w.top, "disk"), w.db, w.o

	bucket, gone := storeAt(t, dir), false
	at := n
	tick := &ticked{Store: bucket, before: func(string, string) {
		if at--; at == -1 {
			gone = true
			if err := os.Rename(dir, away); err != nil {
				t.Fatal(err)
			}
			unmount(t, dir)
		}
	}}
	var s store.Store = tick
	if held {
		s = tickedHolder{tick, bucket.(store.Holder)}
	}
	err := op(t, archive.New(s, o), db)
	if err != nil && !errors.Is(err, store.ErrGone) {
		if !reads || !errors.Is(err, archive.ErrNoArchive) && !errors.Is(err, archive.ErrDrillFailed) {
			t.Fatalf("operation %d: %v", n, err)
		}
	}
	if !gone {
		if err != nil || n < 5 {
			t.Fatalf("after %d operations: %v", n, err)
		}
		return false
	}
	if made, err := os.ReadDir(dir); err == nil && len(made) > 0 {
		t.Fatalf("operation %d: %v was made in its place", n, made)
	}
	if _, err := archive.New(storeAt(t, dir), o).Backup(t.Context(), db.source(), options); !errors.Is(err, store.ErrGone) {
		t.Fatalf("operation %d: the next run: %v", n, err)
	}
	os.Remove(dir) // it may not be there
	if err := os.Rename(away, dir); err != nil {
		t.Fatal(err)
	}
	back := archive.New(storeAt(t, dir), o)
	mustBackup(t, back, db)
	mustVerify(t, back)
	mustRestore(t, back, 0, filepath.Join(w.top, "restored"), db.files)
	return true
}

// A first backup is the only run that makes a directory. If the directory disappears in the middle,
// the run's objects are not reported as a snapshot.
func TestDirectoryOfAFirstBackupGoes(t *testing.T) {
	t.Parallel()
	for n := 1; ; n++ { // before operation 0 it has found none yet
		top := t.TempDir()
		dir := filepath.Join(top, "mnt", "archive")
		db := newDatabase(t, mkdir(t, top, "db"), 62)
		db.fill(3, 40)
		at, gone := n, false
		w := &ticked{Store: storeAt(t, dir), before: func(string, string) {
			if at--; at == -1 && os.Rename(dir, filepath.Join(top, "away")) == nil {
				gone = true
			}
		}}
		_, err := archive.New(w, archive.Options{Transfers: 1}).Backup(t.Context(), db.source(), options)
		if gone && err != nil && !errors.Is(err, store.ErrGone) {
			t.Fatalf("operation %d: %v", n, err)
		}
		if _, there := os.Stat(dir); gone && there == nil {
			t.Fatalf("operation %d: the directory was created again", n)
		}
		if at >= 0 {
			if err != nil {
				t.Fatal(err)
			}
			return
		}
	}
}

// Archive.json is read again right before a manifest or a ledger record is created. If it has gone
// or is another archive's, nothing is committed.
func TestCommitsReadTheIDAgain(t *testing.T) {
	t.Parallel()
	other := storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 63)
	db.fill(3, 40)
	mustBackup(t, archive.New(other, archive.Options{}), db)
	for name, op := range map[string]func(t *testing.T, to *archive.Archive, h *pruned) error{
		"backup": func(t *testing.T, a *archive.Archive, h *pruned) error {
			_, err := a.Backup(t.Context(), h.db.source(), options)
			return err
		},
		"hold": func(t *testing.T, a *archive.Archive, _ *pruned) error {
			_, err := a.Hold(t.Context(), archive.Selector{Sequence: 2}, "")
			return err
		},
		"prune": func(t *testing.T, a *archive.Archive, _ *pruned) error {
			_, err := a.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
			return err
		},
		"copy": func(t *testing.T, a *archive.Archive, h *pruned) error {
			_, err := archive.Copy(t.Context(), h.archive(), a, archive.CopyOptions{})
			return err
		},
	} {
		for what, c := range lossesOfID(other) {
			t.Run(name+", "+what, func(t *testing.T) {
				virtually(t, func(t *testing.T) {
					h := newPruned(t, 3)
					to := h.store
					if name == "copy" {
						to = storetest.Memory(t)
						mustCopy(t, h.store, to)
						h.next()
					}
					h.db.flip(20)
					read := false
					w := &ticked{Store: to, before: func(kind, key string) {
						if read && to != nil {
							c.harm(to)
							read = false
						}
						read = read || kind == "get" && key == manifest.ArchiveKey && to.Snapshot().Bytes(key) != nil
					}}
					before := len(to.Keys(manifest.ManifestsPrefix)) + len(to.Keys(manifest.LedgerPrefix))
					if err := op(t, archive.New(w, archive.Options{}), h); !errors.Is(err, c.want) {
						t.Fatalf("%v; want %v", err, c.want)
					}
					if after := len(to.Keys(manifest.ManifestsPrefix)) + len(to.Keys(manifest.LedgerPrefix)); after != before {
						t.Errorf("%d manifests and records, before %d", after, before)
					}
				})
			})
		}
	}
}

// lossOfID is the fate of archive.json while an operation runs, and the error that it causes.
type lossOfID struct {
	harm func(s *storetest.InMemory)
	want error
}

// lossesOfID are all of them, with another archive to take its place.
func lossesOfID(other *storetest.InMemory) map[string]lossOfID {
	return map[string]lossOfID{
		"gone": {func(s *storetest.InMemory) { s.Remove(manifest.ArchiveKey) }, store.ErrGone},
		"another's": {func(s *storetest.InMemory) {
			s.Replace(manifest.ArchiveKey, other.Snapshot().Bytes(manifest.ArchiveKey))
		}, archive.ErrDamaged},
	}
}
