package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// readings are the operations that read an archive and commit nothing to it.
var readings = map[string]func(t *testing.T, a *archive.Archive, db *database) error{
	"list": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.List(t.Context(), 0)
		return err
	},
	"list of the newest": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.List(t.Context(), 1)
		return err
	},
	"show": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.Snapshot(t.Context(), archive.Selector{})
		return err
	},
	"status": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.Newest(t.Context())
		return err
	},
	"verify": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.Verify(t.Context(), archive.VerifyOptions{})
		return err
	},
	"verify of one snapshot": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.Verify(t.Context(), archive.VerifyOptions{Snapshots: []archive.Selector{{Sequence: 1}}})
		return err
	},
	"check": func(t *testing.T, a *archive.Archive, _ *database) error {
		if f, _ := a.Preflight(t.Context()); f.Result == storecheck.Failed {
			return errors.New(f.Detail)
		}
		return nil
	},
	"unchanged backup": func(t *testing.T, a *archive.Archive, db *database) error {
		_, err := a.Backup(t.Context(), db.source(), options)
		return err
	},
	"dry run": func(t *testing.T, a *archive.Archive, db *database) error {
		o := options
		o.DryRun = true
		_, err := a.Backup(t.Context(), db.source(), o)
		return err
	},
	"prune": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.Prune(t.Context(), archive.PruneOptions{DryRun: true})
		return err
	},
	"hold": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := a.Release(t.Context(), archive.Selector{}) // which changes nothing
		return err
	},
	"copy from it": func(t *testing.T, a *archive.Archive, _ *database) error {
		_, err := archive.Copy(t.Context(), a, archive.New(storetest.Memory(t), archive.Options{}), archive.CopyOptions{})
		return err
	},
	"copy to it": func(t *testing.T, a *archive.Archive, db *database) error {
		from := storetest.Memory(t)
		mustCopy(t, storeAt(t, filepath.Join(filepath.Dir(db.dir), "archive")), from)
		_, err := archive.Copy(t.Context(), archive.New(from, archive.Options{}), a, archive.CopyOptions{})
		return err
	},
}

// Issue 14: a disk that was never mounted is an empty directory. Only a host that had made a
// snapshot noticed that. Now any host does that has read the archive.
func TestReadingArmsTheGuard(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	db := newDatabase(t, mkdir(t, top, "db"), 64)
	db.fill(3, 40)
	dir := filepath.Join(top, "archive")
	mustBackup(t, archive.New(storeAt(t, dir), archive.Options{}), db)
	for name, read := range readings {
		t.Run(name, func(t *testing.T) {
			state := filepath.Join(t.TempDir(), "state")
			o := archive.Options{State: &archive.LocalState{Dir: state, Place: "file://" + dir}}
			if err := read(t, archive.New(storeAt(t, dir), o), db); err != nil {
				t.Fatal(err)
			}
			empty := storetest.Memory(t)
			for next, op := range readings {
				if next == "copy to it" || next == "copy from it" || next == "check" {
					continue
				}
				if err := op(t, archive.New(empty, o), db); !errors.Is(err, store.ErrGone) {
					t.Errorf("%s where nothing is: %v", next, err)
				}
			}
			if f, ok := archive.New(empty, o).Preflight(t.Context()); !ok || f.Result != storecheck.Failed {
				t.Errorf("check where nothing is: %+v", f)
			}
			_, err := archive.Copy(t.Context(), archive.New(storeAt(t, dir), archive.Options{}), archive.New(empty, o), archive.CopyOptions{})
			if !errors.Is(err, store.ErrGone) {
				t.Errorf("a copy to where nothing is: %v", err)
			}
			if keys := empty.Keys(""); len(keys) > 0 {
				t.Errorf("%v was made", keys)
			}
		})
	}
}

// A host without a usable state directory reads all the same.
func TestReadingWithoutAState(t *testing.T) {
	t.Parallel()
	top := t.TempDir()
	db := newDatabase(t, mkdir(t, top, "db"), 64)
	db.fill(3, 40)
	dir := filepath.Join(top, "archive")
	mustBackup(t, archive.New(storeAt(t, dir), archive.Options{}), db)
	file := filepath.Join(top, "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, read := range readings {
		o := archive.Options{State: &archive.LocalState{Dir: filepath.Join(file, "state"), Place: "file://" + dir}}
		if err := read(t, archive.New(storeAt(t, dir), o), db); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := archive.New(storetest.Memory(t), o).List(t.Context(), 0); !errors.Is(err, archive.ErrNoArchive) {
			t.Errorf("%s of nothing: %v", name, err)
		}
	}
}

// An operation that reads the newest manifest whole records it in the local state, so that its loss
// is noticed. A later operation that reads less never removes it.
func TestReadingRemembersTheNewest(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"show", "status", "verify", "unchanged backup", "copy from it"} {
		t.Run(name, func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				h := newPruned(t, 3)
				o := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
				if err := readings[name](t, archive.New(h.store, o), h.db); err != nil {
					t.Fatal(err)
				}
				h.store.Remove(manifest.ManifestKey(3))
				for range 2 {
					r, err := archive.New(h.store, o).Verify(t.Context(), archive.VerifyOptions{})
					if err != nil || !slices.ContainsFunc(r.Problems, func(p archive.Problem) bool {
						return p.Object == manifest.ManifestKey(3) && p.Kind == archive.ProblemLocalState
					}) {
						t.Errorf("%+v, %v", r, err)
					}
				}
			})
		})
	}
}

// Issue 14: that archive.json is missing beside manifests is damage. Nothing is added, pruned
// or held; what is there is read; and a repair writes it again, after which all goes on.
func TestLostID(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 4)
		h.keepLast(3)
		copied := storetest.Memory(t)
		mustCopy(t, h.store, copied)
		o := archive.Options{State: &archive.LocalState{Dir: t.TempDir(), Place: "mem://lost"}}
		a := archive.New(h.store, o)
		mustVerify(t, a)
		h.store.Remove(manifest.ArchiveKey)
		before := content(t, h.store)
		h.db.flip(20)
		refused := func(what string, err error) {
			t.Helper()
			if !errors.Is(err, archive.ErrLostID) || !errors.Is(err, archive.ErrDamaged) {
				t.Errorf("%s: %v", what, err)
			}
		}
		_, err := a.Backup(t.Context(), h.db.source(), options)
		refused("backup", err)
		_, err = a.Hold(t.Context(), archive.Selector{}, "")
		refused("hold", err)
		_, err = a.Prune(t.Context(), archive.PruneOptions{})
		refused("prune", err)
		_, err = archive.Copy(t.Context(), archive.New(copied, archive.Options{}), a, archive.CopyOptions{})
		refused("copy to it", err)
		refused("a check", a.CheckID(t.Context()))
		if f, ok := a.Preflight(t.Context()); !ok || f.Result != storecheck.Failed {
			t.Errorf("check: %+v", f)
		}
		if s := mustList(t, a); len(s) != 3 {
			t.Errorf("%+v", s)
		}
		mustRestore(t, a, 4, filepath.Join(t.TempDir(), "r"), h.want[4])
		if after := content(t, h.store); len(after) != len(before) {
			t.Fatalf("%d objects, before %d", len(after), len(before))
		}

		r, err := a.Verify(t.Context(), archive.VerifyOptions{Repair: &archive.RepairFrom{}})
		if err != nil || len(r.Problems) > 0 || len(r.Repaired) != 1 ||
			r.Repaired[0].Object != manifest.ArchiveKey {
			t.Fatalf("%+v, %v", r, err)
		}
		mustVerify(t, a)
		if err := a.CheckID(t.Context()); err != nil {
			t.Error(err)
		}
		if res := mustBackup(t, a, h.db); !res.Committed || res.Snapshot.Sequence != 5 || len(res.Warnings) > 0 {
			t.Fatalf("%+v", res)
		}
		mustCopy(t, h.store, copied)
		mustVerify(t, archive.New(copied, archive.Options{}))
	})
}

// A repair writes archive.json only if all objects that carry the archive's id agree.
func TestLostIDOfMixedManifests(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h, other := newPruned(t, 2), newPruned(t, 3)
		key := manifest.ManifestKey(3)
		h.store.Replace(key, other.store.Snapshot().Bytes(key))
		h.store.Remove(manifest.ArchiveKey)
		r := mustRepair(t, h.store, &archive.RepairFrom{})
		if len(r.Repaired) > 0 || !slices.ContainsFunc(r.Problems, func(p archive.Problem) bool { return p.Object == manifest.ArchiveKey }) {
			t.Fatalf("%+v", r)
		}
	})
}
