package archive_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// losses are ways in which an archive of one snapshot loses all of them. In each, only the verification records show
// that there was one.
func losses() map[string]func(*storetest.InMemory) {
	remove := func(prefixes ...string) func(*storetest.InMemory) {
		return func(s *storetest.InMemory) {
			for _, prefix := range prefixes {
				for _, key := range s.Keys(prefix) {
					s.Remove(key)
				}
			}
		}
	}
	return map[string]func(*storetest.InMemory){
		"manifests":  remove(manifest.ManifestsPrefix),
		"everything": remove(manifest.ManifestsPrefix, manifest.DataPrefix, manifest.BundlesPrefix, manifest.PagesPrefix),
	}
}

// All snapshots are gone. No verify may take the record of the one before, which found none either, for the normal
// state: an alert that ends by itself is an alert that is missed.
func TestVerifyOfNothingStaysDamaged(t *testing.T) {
	t.Parallel()
	for what, lose := range losses() {
		for before, prove := range map[string]func(*testing.T, *archive.Archive) error{
			"verify": func(t *testing.T, a *archive.Archive) error {
				_, err := a.Verify(t.Context(), archive.VerifyOptions{Proof: true})
				return err
			},
			"drill": func(t *testing.T, a *archive.Archive) error {
				_, err := a.Drill(t.Context(), newest(t, a), archive.DrillOptions{Scratch: t.TempDir()})
				return err
			},
		} {
			virtually(t, func(t *testing.T) {
				h := newPruned(t, 1)
				if err := prove(t, h.archive()); err != nil {
					t.Fatal(err)
				}
				lose(h.store)
				for i, o := range []archive.VerifyOptions{
					{Proof: true}, {Proof: true, ReadData: true}, {Proof: true, Sample: 0.1}, {}, {ReadData: true}, {Proof: true},
				} {
					time.Sleep(time.Hour)
					r, err := h.archive().Verify(t.Context(), o)
					if err != nil || r.Unproven != "" || len(r.Problems) != 1 || r.Problems[0].Object != manifest.ManifestsPrefix {
						t.Fatalf("%s, a %s before, verify %d: %+v, %v", what, before, i, r, err)
					}
				}
			})
		}
	}
}

// Every other operation reports the loss as well: "no snapshot yet" would be the answer of a new archive, with the exit
// code of success. A backup goes on, with a warning, and a copy brings the snapshots back.
func TestEmptiedArchiveIsDamaged(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 1)
		copied := h.store.Clone()
		if _, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Proof: true}); err != nil {
			t.Fatal(err)
		}
		losses()["manifests"](h.store)
		a := h.archive()
		for what, do := range map[string]func() error{
			"list":     func() error { _, err := a.List(t.Context(), 0); return err },
			"the last": func() error { _, err := a.List(t.Context(), 1); return err },
			"snapshot": func() error { _, err := a.Snapshot(t.Context(), archive.Selector{}); return err },
			"newest":   func() error { _, err := a.Newest(t.Context()); return err },
			"prune":    func() error { _, err := a.Prune(t.Context(), archive.PruneOptions{FirstRecord: true}); return err },
			"hold":     func() error { _, err := a.Hold(t.Context(), archive.Selector{}, ""); return err },
			"copy": func() error {
				_, err := archive.Copy(t.Context(), a, archive.New(storetest.Memory(t), archive.Options{}), archive.CopyOptions{})
				return err
			},
		} {
			if err := do(); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "found 1 snapshots") {
				t.Errorf("%s: %v", what, err)
			}
		}
		other := &pruned{t: t, store: h.store.Clone(), db: h.db}
		res := mustBackup(t, other.archive(), h.db)
		if !strings.Contains(strings.Join(res.Warnings, "\n"), "now there is no snapshot") {
			t.Errorf("warnings of a backup: %q", res.Warnings)
		}
		mustCopy(t, copied, h.store)
		h.sound(1)
	})
}

// A new archive has no snapshot, however often it was verified: that is no damage.
func TestNewArchiveIsNotEmptied(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 1)
		for _, prefix := range []string{manifest.ManifestsPrefix} { // as an interrupted first backup leaves it
			for _, key := range h.store.Keys(prefix) {
				h.store.Remove(key)
			}
		}
		for range 3 {
			time.Sleep(time.Hour)
			if r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Proof: true}); err != nil || len(r.Problems) > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		if l := mustList(t, h.archive()); len(l) > 0 {
			t.Fatalf("%+v", l)
		}
		if _, err := h.archive().Snapshot(t.Context(), archive.Selector{}); !errors.Is(err, archive.ErrNoSnapshot) {
			t.Fatal(err)
		}
		if res := mustBackup(t, h.archive(), h.db); len(res.Warnings) > 0 || res.Adopted == 0 {
			t.Fatalf("%+v", res)
		}
	})
}
