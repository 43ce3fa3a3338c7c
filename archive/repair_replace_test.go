package archive_test

import (
	"errors"
	"io"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A repair began on one archive. When its good copy is ready, the address holds another archive, or
// none. The repair must put no manifest and no record there, and delete nothing.
func TestRepairReadsTheIDAgain(t *testing.T) {
	t.Parallel()
	other := storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 64)
	db.fill(3, 40)
	mustBackup(t, archive.New(other, archive.Options{}), db)
	cut := func(b []byte) []byte { return b[:len(b)-20] }
	for what, damage := range map[string]func(h *pruned){
		"a gone manifest":  func(h *pruned) { h.store.Remove(manifest.ManifestKey(2)) },
		"a cut manifest":   func(h *pruned) { h.store.Damage(manifest.ManifestKey(2), cut) },
		"a cut newest":     func(h *pruned) { h.store.Damage(manifest.ManifestKey(4), cut) },
		"a flipped object": func(h *pruned) { h.store.Damage(h.store.Keys(manifest.DataPrefix)[0], flipped) },
		"a cut ledger":     func(h *pruned) { h.store.Damage(manifest.LedgerKey(1), cut) },
		"a gone parent":    func(h *pruned) { h.store.Remove(manifest.ManifestKey(3)); h.store.Damage(manifest.ManifestKey(4), cut) },
	} {
		for name, c := range lossesOfID(other) {
			t.Run(what+", "+name, func(t *testing.T) {
				virtually(t, func(t *testing.T) {
					h := newPruned(t, 3)
					h.keepLast(9)
					h.next()
					whole := h.store.Clone()
					damage(h)
					before := h.store.Clone()
					c.harm(before)
					read := false
					w := &ticked{Store: h.store, before: func(kind, key string) {
						if read {
							c.harm(h.store)
						}
						read = kind == "get" && key == manifest.ArchiveKey
					}}
					options := archive.VerifyOptions{ReadData: true, Repair: from(whole)}
					if _, err := archive.New(w, archive.Options{}).Verify(t.Context(), options); !errors.Is(err, c.want) {
						t.Fatalf("%v; want %v", err, c.want)
					}
					if !h.store.Snapshot().Equal(before.Snapshot()) {
						t.Error("it was changed")
					}
				})
			})
		}
	}
}

// The disk is replaced between the choice of a snapshot and its restore: that the archive has gone
// is the error, and not that its data is damaged.
func TestRestoreFromAnotherDisk(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 2)
		m := newest(t, h.archive())
		for what, there := range map[string]*storetest.InMemory{"another archive": newPruned(t, 1).store, "nothing": storetest.Memory(t)} {
			for _, key := range there.Keys(manifest.DataPrefix) {
				there.Remove(key)
			}
			a := archive.New(there, archive.Options{})
			_, err := a.Restore(t.Context(), m, filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{})
			if errors.Is(err, archive.ErrDamaged) || !errors.Is(err, store.ErrGone) && !errors.Is(err, archive.ErrNoArchive) {
				t.Errorf("%s: %v", what, err)
			}
			f := m.Files[0].Name
			if err := a.Cat(t.Context(), m, f, io.Discard); errors.Is(err, archive.ErrDamaged) {
				t.Errorf("%s: cat: %v", what, err)
			}
		}
	})
}

// A first backup was interrupted after archive.json, and the disk disappears while the next one
// begins. That one must not write archive.json again in its place, nor blame the store.
func TestSecondAttemptBeginsNoOtherArchive(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 1)
		for _, key := range h.store.Keys("") {
			if key != manifest.ArchiveKey {
				h.store.Remove(key)
			}
		}
		read := false
		w := &ticked{Store: h.store, before: func(kind, key string) {
			if read {
				h.store.Remove(manifest.ArchiveKey)
			}
			read = read || kind == "get" && key == manifest.ArchiveKey
		}}
		if _, err := archive.New(w, archive.Options{}).Backup(t.Context(), h.db.source(), options); !errors.Is(err, store.ErrGone) {
			t.Errorf("%v", err)
		}
		if keys := h.store.Keys(""); len(keys) > 0 {
			t.Errorf("%v was made", keys)
		}
	})
}
