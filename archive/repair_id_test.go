package archive_test

import (
	"bytes"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// otherID puts another id into archive.json.
func otherID(b []byte) []byte {
	b = bytes.Clone(b)
	i := bytes.Index(b, []byte(`"id":"`)) + len(`"id":"`)
	b[i] = map[bool]byte{true: 'b', false: 'a'}[b[i] == 'a']
	return b
}

// Rot puts another id into archive.json. The ledger and a manifest that it keeps have the right
// one: every operation goes on, verify names it, and a repair takes it from a copy.
func TestRepairOfTheID(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 4)
		h.keepLast(3)
		copied := storetest.Memory(t)
		mustCopy(t, h.store, copied)
		good := h.store.Snapshot()
		h.store.Damage(manifest.ArchiveKey, otherID)
		if s := mustList(t, h.archive()); len(s) != 3 {
			t.Fatalf("%+v", s)
		}
		mustRestore(t, h.archive(), 3, filepath.Join(t.TempDir(), "r"), h.want[3])
		r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{ReadData: true})
		if err != nil || len(r.Problems) != 1 || r.Problems[0].Object != manifest.ArchiveKey {
			t.Fatalf("%+v, %v", r, err)
		}
		r = mustRepair(t, h.store, &archive.RepairFrom{Copies: []*archive.Archive{archive.New(copied, archive.Options{})}})
		if len(r.Problems) > 0 || len(r.Repaired) != 1 || !h.store.Snapshot().Equal(good) {
			t.Fatalf("%+v", r)
		}
		h.store.Damage(manifest.ArchiveKey, otherID)
		h.next()
		mustRestore(t, h.archive(), 5, filepath.Join(t.TempDir(), "r"), h.want[5])
	})
}

// Both the id in archive.json and the ledger are lost or damaged. A repair takes the id from the
// manifests and writes a new ledger record.
func TestRepairOfTheLedgerWithoutTheID(t *testing.T) {
	t.Parallel()
	for what, harm := range map[string]func(*storetest.InMemory){
		"gone":        func(s *storetest.InMemory) { s.Remove(manifest.ArchiveKey) },
		"unreadable":  func(s *storetest.InMemory) { s.Replace(manifest.ArchiveKey, []byte("garbage")) },
		"another one": func(s *storetest.InMemory) { s.Damage(manifest.ArchiveKey, otherID) },
	} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 4)
			h.keepLast(3)
			copied := storetest.Memory(t)
			mustCopy(t, h.store, copied)
			h.store.Replace(manifest.LedgerKey(1), []byte("garbage"))
			harm(h.store)
			r := mustRepair(t, h.store, &archive.RepairFrom{Copies: []*archive.Archive{archive.New(copied, archive.Options{})}})
			if len(r.Problems) > 0 || len(r.Repaired) != 2 {
				t.Fatalf("%s: %+v", what, r)
			}
			h.sound(2, 3, 4)
		})
	}
}

// If the manifests agree with archive.json, the ledger is another archive's. Readers pass over it, and nothing is
// pruned.
func TestAnotherLedger(t *testing.T) {
	t.Parallel()
	h, other := newPruned(t, 2), newPruned(t, 2)
	for _, p := range []*pruned{h, other} {
		p.keepLast(1)
	}
	key := manifest.LedgerKey(1)
	h.store.Replace(key, other.store.Snapshot().Bytes(key))
	if m, err := h.archive().Newest(t.Context()); err != nil || m.Sequence != 2 {
		t.Fatal(m, err)
	}
	if _, err := h.archive().Prune(t.Context(), archive.PruneOptions{}); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), key) {
		t.Fatal(err)
	}
}
