package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A torn store runs a function in the middle of a listing, as other actors might act then. It omits
// a key that was created in the meantime, although it lists a later one: directories are read in
// several pieces, and so are long listings.
type torn struct {
	*storetest.InMemory
	prefix string
	nth    int    // which listing it is, from 0
	do     func() // in that one
	hide   string
}

func (s *torn) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if s.do == nil || !strings.HasPrefix(prefix, s.prefix) {
		return s.InMemory.List(ctx, prefix, delimiter, after)
	}
	if s.nth--; s.nth >= 0 {
		return s.InMemory.List(ctx, prefix, delimiter, after)
	}
	do := s.do
	s.do = nil
	return func(yield func(store.Object, error) bool) {
		do()
		for o, err := range s.InMemory.List(ctx, prefix, delimiter, after) {
			if o.Key != s.hide && !yield(o, err) {
				return
			}
		}
	}
}

// A snapshot that a listing omitted, although it showed the next one, is neither invalid nor
// missing.
func TestTornListing(t *testing.T) {
	t.Parallel()
	for what, do := range map[string]func(t *testing.T, h *pruned, s store.Store){
		"prune": func(t *testing.T, h *pruned, s store.Store) {
			r, err := archive.New(s, archive.Options{}).Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 100}})
			if err != nil || r.Deleted.All() > 0 {
				t.Errorf("%+v, %v", r, err)
			}
		},
		"hold": func(t *testing.T, h *pruned, s store.Store) {
			if _, err := archive.New(s, archive.Options{}).Hold(t.Context(), archive.Selector{Sequence: 1}, ""); err != nil {
				t.Error(err)
			}
		},
		"verify": func(t *testing.T, h *pruned, s store.Store) {
			r, err := archive.New(s, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{})
			if err != nil || len(r.Problems) > 0 {
				t.Errorf("%+v, %v", r, err)
			}
		},
		"copy": func(t *testing.T, h *pruned, s store.Store) {
			to := storetest.Memory(t)
			mustCopy(t, s, to)
			mustCopy(t, h.store, to)
			if all := to.Keys(manifest.ManifestsPrefix); len(all) > 3 && !slices.Contains(all, manifest.ManifestKey(4)) {
				t.Errorf("the copy has %q", all)
			}
		},
	} {
		t.Run(what, func(t *testing.T) {
			for nth := range 20 {
				virtually(t, func(t *testing.T) {
					h := newPruned(t, 3)
					s := &torn{InMemory: h.store, prefix: manifest.ManifestsPrefix, hide: manifest.ManifestKey(4), nth: nth}
					s.do = func() { h.next(); h.next() }
					if do(t, h, s); s.do == nil {
						h.sound(1, 2, 3, 4, 5)
					}
				})
			}
		})
	}
}

// A host's local state has snapshot 3, which is gone. Its backup builds on 2 and makes 4, while
// another makes 3. So 4 does not name 3 as its parent, and only a second listing shows that 3
// exists. A record planned from one listing that showed 4 alone would drop it, right after its
// backup was reported.
func TestTornListingOfUnrelatedSnapshots(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	for what, do := range map[string]func(a *archive.Archive) error{
		"prune": func(a *archive.Archive) error {
			_, err := a.Prune(context.Background(), archive.PruneOptions{Retention: &retention.Policy{Last: 100}, FirstRecord: true})
			return err
		},
		"hold": func(a *archive.Archive) error {
			_, err := a.Hold(context.Background(), archive.Selector{Sequence: 1}, "")
			return err
		},
	} {
		for nth := range 8 {
			virtually(t, func(t *testing.T) {
				mem, db := storetest.Memory(t), newDatabase(t, t.TempDir(), 78)
				remembers := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
				var want []map[string][]byte
				for range 3 {
					db.grow(50)
					mustBackup(t, archive.New(mem, remembers), db)
					want = append(want, maps.Clone(db.files))
				}
				loseSnapshot(mem, 3)
				between := &weak{InMemory: mem}
				between.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
					if key == manifest.ManifestKey(4) {
						between.put = nil
						mustBackup(t, archive.New(mem, archive.Options{}), db) // 3
					}
					return mem.Put(ctx, key, body, sums)
				}
				s := &torn{InMemory: mem, prefix: manifest.ManifestsPrefix, hide: manifest.ManifestKey(3), nth: nth}
				s.do = func() { mustBackup(t, archive.New(between, remembers), db) }
				if err := do(archive.New(s, archive.Options{})); err != nil {
					t.Fatalf("%s, listing %d: %v", what, nth, err)
				}
				if s.do != nil {
					return // there are not as many listings
				}
				a := archive.New(mem, archive.Options{})
				for i, files := range append(want, db.files) {
					mustRestore(t, a, int64(i+1), t.TempDir(), files)
				}
			})
		}
	}
}

// A stale store shows, once after something happened, a listing of the ledger as it was
// before, as one that is under way may.
type stale struct {
	*storetest.InMemory
	at     string // when this is read
	do     func() // that happens
	before []store.Object
	empty  bool // it lists none: the old record was deleted and the new one created during the listing
}

func (s *stale) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if key == s.at && s.do != nil {
		for o, err := range s.InMemory.List(ctx, manifest.LedgerPrefix, "", "") {
			if err == nil {
				s.before = append(s.before, o)
			}
		}
		if s.empty {
			s.before = []store.Object{}
		}
		s.do()
		s.do = nil
	}
	return s.InMemory.Get(ctx, key, offset, length)
}

func (s *stale) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if !strings.HasPrefix(prefix, manifest.LedgerPrefix) || s.before == nil {
		return s.InMemory.List(ctx, prefix, delimiter, after)
	}
	before := s.before
	s.before = nil
	return func(yield func(store.Object, error) bool) {
		for _, o := range before {
			if !yield(o, nil) {
				return
			}
		}
	}
}

// What was pruned during a verify is not reported as damaged because one listing of the ledger
// omitted the newest record.
func TestStaleLedger(t *testing.T) {
	t.Parallel()
	for what, do := range map[string]func(t *testing.T, a *archive.Archive) error{
		"verify": func(t *testing.T, a *archive.Archive) error {
			r, err := a.Verify(t.Context(), archive.VerifyOptions{})
			if err == nil && len(r.Problems) > 0 {
				err = fmt.Errorf("%+v: %w", r.Problems, archive.ErrDamaged)
			}
			return err
		},
		"snapshot": func(t *testing.T, a *archive.Archive) error {
			_, err := a.Snapshot(t.Context(), archive.Selector{Sequence: 3})
			return err
		},
		"prune": func(t *testing.T, a *archive.Archive) error {
			_, err := a.Prune(t.Context(), archive.PruneOptions{})
			return err
		},
	} {
		for _, empty := range []bool{false, true} {
			virtually(t, func(t *testing.T) {
				h := newPruned(t, 6)
				h.keepLast(5)
				s := &stale{InMemory: h.store, at: manifest.ManifestKey(3), do: func() { h.keepLast(2) }, empty: empty}
				if err := do(t, archive.New(s, archive.Options{})); errors.Is(err, archive.ErrDamaged) || s.do != nil {
					t.Errorf("%s, %v: %v", what, empty, err)
				}
				h.sound(5, 6)
			})
		}
	}
}
