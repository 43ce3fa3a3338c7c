package archive_test

import (
	"errors"
	"maps"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
)

// A restore of the newest snapshot beside garbage at the next number fails, as the garbage may be a true manifest that
// is damaged. An operator who has to restore now must find the number of the snapshot to take instead in the error.
func TestUnreadableNewestNamesTheOneBefore(t *testing.T) {
	t.Parallel()
	for name, keys := range map[string][]string{
		"one": {manifest.ManifestKey(6)},
		"two": {manifest.ManifestKey(6), manifest.ManifestKey(7)},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				h := vandalized(t)
				for _, key := range keys {
					h.store.Replace(key, []byte("{}"))
				}
				newest := int64(5 + len(keys))
				for _, which := range []archive.Selector{{}, {At: time.Now().Add(time.Hour)}} {
					_, err := h.archive().Snapshot(t.Context(), which)
					unreadable, is := errors.AsType[*archive.UnreadableError](err)
					if !is || unreadable.Sequence != newest || unreadable.Older != 5 || !errors.Is(err, archive.ErrDamaged) ||
						!strings.Contains(err.Error(), "snapshot 5 is the newest before it that can be read") {
						t.Errorf("%s: %v", which, err)
					}
				}
				mustRestore(t, h.archive(), 5, filepath.Join(t.TempDir(), "r"), h.want[5])
			})
		})
	}
}

// A manifest of another archive under the next numbers is no snapshot of this one. All that select the newest pass over
// it, as a selection by time and a backup do.
func TestForeignManifestsArePassedOver(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := vandalized(t)
		for n := int64(6); n < 36; n++ { // more than a reader tries of its own archive's
			key := manifest.ManifestKey(n)
			h.store.Replace(key, forged(t, h, key, "00000000-0000-4000-8000-000000000000", 0))
		}
		for _, which := range []archive.Selector{{}, {At: time.Now().Add(time.Hour)}} {
			if m, err := h.archive().Snapshot(t.Context(), which); err != nil || m.Sequence != 5 {
				t.Errorf("%s: %v", which, err)
			}
		}
		if _, err := h.archive().Snapshot(t.Context(), archive.Selector{Sequence: 6}); !errors.Is(err, archive.ErrDamaged) {
			t.Errorf("6: %v", err)
		}
	})
}

// Two forged manifests stop a prune, as one would: what they name is unknown. The error names both, and after a backup
// and the order to forget both the prune goes on.
func TestTwoForgedManifestsAreForgotten(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := vandalized(t)
		for _, n := range []int64{6, 7} {
			h.store.Replace(manifest.ManifestKey(n), []byte("{}"))
		}
		before := h.store.Snapshot()
		prune := archive.PruneOptions{Retention: &retention.Policy{Last: 2}}
		_, err := h.archive().Prune(t.Context(), prune)
		if !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), "forget snapshot 6 and 7") ||
			!strings.Contains(err.Error(), "make a backup") {
			t.Errorf("%v", err)
		}
		if !h.store.Snapshot().Equal(before) {
			t.Error("the prune has changed the archive")
		}
		h.db.grow(10)
		n := mustBackup(t, h.archive(), h.db).Snapshot.Sequence
		h.want[n] = maps.Clone(h.db.files)
		prune.Forget = []int64{6, 7}
		if _, err := h.archive().Prune(t.Context(), prune); err != nil {
			t.Fatal(err)
		}
		h.sound(3, 5, n) // 3 is held
	})
}
