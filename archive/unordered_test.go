package archive_test

import (
	"context"
	"errors"
	"iter"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/advice"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// listUnordered is the listing of a store whose service lists in another order, once that is known.
func (w *weak) listUnordered(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if store.WantsOrder(ctx) {
		return func(yield func(store.Object, error) bool) { yield(store.Object{}, store.ErrUnordered) }
	}
	return w.InMemory.List(ctx, prefix, delimiter, after)
}

// A service that does not list in the order of the keys would hide snapshots from the operations that write: a copy
// would leave some out, and a prune could take their objects for orphans. So these refuse it, and change nothing. What
// only reads works.
func TestUnorderedStore(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 78)
	db.fill(3, 100)
	w := newWeak(t)
	a := archive.New(w, archive.Options{})
	mustBackup(t, a, db)
	db.fill(5, 100)
	mustBackup(t, a, db)
	before := w.Snapshot()
	w.list = w.listUnordered
	a = archive.New(w, archive.Options{})
	other := archive.New(storetest.Memory(t), archive.Options{})
	db.fill(7, 100)
	for name, do := range map[string]func() error{
		"Backup": func() error {
			_, err := a.Backup(t.Context(), db.source(), options)
			return err
		},
		"first Backup": func() error {
			empty := newWeak(t)
			empty.list = empty.listUnordered
			_, err := archive.New(empty, archive.Options{}).Backup(t.Context(), db.source(), options)
			return err
		},
		"Prune": func() error {
			_, err := a.Prune(t.Context(), archive.PruneOptions{})
			return err
		},
		"Hold": func() error {
			_, err := a.Hold(t.Context(), archive.Selector{}, "")
			return err
		},
		"Copy from it": func() error {
			_, err := archive.Copy(t.Context(), a, other, archive.CopyOptions{})
			return err
		},
		"Copy to it": func() error {
			_, err := archive.Copy(t.Context(), other, a, archive.CopyOptions{})
			return err
		},
	} {
		if err := do(); !errors.Is(err, store.ErrUnordered) || advice.For(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !w.Snapshot().Equal(before) {
		t.Error("the archive has changed")
	}
	mustReadTwo(t, a)
}

// mustReadTwo lists, verifies and restores an archive of two snapshots.
func mustReadTwo(t *testing.T, a *archive.Archive) {
	t.Helper()
	if all, err := a.List(t.Context(), 0); err != nil || len(all) != 2 {
		t.Errorf("List: %d snapshots, %v", len(all), err)
	}
	if r, err := a.Verify(t.Context(), archive.VerifyOptions{}); err != nil || len(r.Problems) > 0 {
		t.Errorf("Verify: %+v, %v", r, err)
	}
	m, err := a.Snapshot(t.Context(), archive.Selector{})
	if err != nil {
		t.Fatalf("Snapshot: %v", err)
	}
	if _, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "restored"), archive.RestoreOptions{}); err != nil {
		t.Errorf("Restore: %v", err)
	}
}

// The order may show in the middle of a listing. The store sorts from then on, so what only reads begins again, once.
func TestOrderThatShowsLate(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 79)
	db.fill(3, 100)
	w := newWeak(t)
	mustBackup(t, archive.New(w, archive.Options{}), db)
	db.fill(5, 100)
	mustBackup(t, archive.New(w, archive.Options{}), db)
	for _, late := range []string{"", "manifests/", "data/"} {
		for name, read := range map[string]func(*archive.Archive) error{
			"List": func(a *archive.Archive) error {
				all, err := a.List(t.Context(), 0)
				if err == nil && len(all) != 2 {
					t.Errorf("%d snapshots", len(all))
				}
				return err
			},
			"Verify": func(a *archive.Archive) error {
				r, err := a.Verify(t.Context(), archive.VerifyOptions{})
				if err == nil && (len(r.Problems) > 0 || r.Objects == 0) {
					t.Errorf("%+v", r)
				}
				return err
			},
			"Snapshot": func(a *archive.Archive) error {
				_, err := a.Snapshot(t.Context(), archive.Selector{})
				return err
			},
		} {
			shown := false
			w.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
				if prefix != late || shown {
					return w.InMemory.List(ctx, prefix, delimiter, after)
				}
				return func(yield func(store.Object, error) bool) {
					for o, err := range w.InMemory.List(ctx, prefix, delimiter, after) {
						shown = true
						if yield(o, err) {
							yield(store.Object{}, store.ErrUnordered)
						}
						return
					}
				}
			}
			if err := read(archive.New(w, archive.Options{})); err != nil {
				t.Errorf("%s, when %q shows it: %v", name, late, err)
			}
		}
	}
}
