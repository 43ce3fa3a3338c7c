package archive_test

import (
	"bytes"
	"context"
	"errors"
	"iter"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// The ledger's newest record is damaged, so it is unknown which snapshots were held. A repair holds
// all of them, and nothing is lost until an operator releases them.
func TestRepairOfTheLedger(t *testing.T) {
	t.Parallel()
	for what, damage := range map[string]func([]byte) []byte{
		"garbage": func([]byte) []byte { return []byte("garbage") },
		"cut":     func(b []byte) []byte { return b[:len(b)/2] },
		"empty":   func([]byte) []byte { return nil },
		"zeros":   func(b []byte) []byte { return make([]byte, len(b)) },
		"altered": func(b []byte) []byte { return bytes.Replace(b, []byte(`"newest":5`), []byte(`"newest":1`), 1) },
	} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 5)
			h.keepLast(3)
			if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 3}, "the auditors"); err != nil {
				t.Fatal(err)
			}
			h.next()
			key := manifest.LedgerKey(2)
			h.store.Damage(key, damage)
			if r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{}); err != nil || len(r.Problems) != 1 || r.Problems[0].Object != key {
				t.Fatalf("%s: %+v, %v", what, r, err)
			}
			r := mustRepair(t, h.store, &archive.RepairFrom{})
			if len(r.Problems) > 0 || len(r.Repaired) != 1 || r.Repaired[0].Object != key || r.Snapshots != 4 {
				t.Fatalf("%s: %+v", what, r)
			}
			if r := mustRepair(t, h.store, &archive.RepairFrom{}); len(r.Problems)+len(r.Repaired) > 0 {
				t.Fatalf("%s, again: %+v", what, r)
			}
			h.keepLast(1)
			h.sound(3, 4, 5, 6)
			for _, s := range mustList(t, h.archive()) {
				if s.Held != archive.WhyRebuilt {
					t.Fatalf("%s: snapshot %d is held by %q", what, s.Sequence, s.Held)
				}
				if s.Sequence == 3 {
					continue
				}
				if _, err := h.archive().Release(t.Context(), archive.Selector{Sequence: s.Sequence}); err != nil {
					t.Fatal(err)
				}
			}
			h.keepLast(1)
			h.sound(3, 6)
		})
	}
}

// A record of a later version is not damaged, and stays.
func TestRepairLeavesALaterLedger(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 2)
	h.keepLast(1)
	h.store.Damage(manifest.LedgerKey(1), func(b []byte) []byte { return bytes.Replace(b, []byte("strongroom/1"), []byte("strongroom/3"), 1) })
	before := h.store.Snapshot()
	if _, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Repair: &archive.RepairFrom{}}); !errors.Is(err, manifest.ErrVersion) {
		t.Fatal(err)
	}
	if !h.store.Snapshot().Equal(before) {
		t.Fatal("it was changed")
	}
}

// A bit flips in the hash that the ledger has of a snapshot. The snapshot is right, as a copy
// shows, and the repair corrects the ledger.
func TestRepairOfAHashInTheLedger(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 4)
		h.keepLast(3)
		copied := h.store.Clone()
		sum := manifest.Sum(h.store.Snapshot().Bytes(manifest.ManifestKey(3))).String()
		other := sum[:len(sum)-1] + map[bool]string{true: "1", false: "0"}[strings.HasSuffix(sum, "0")]
		h.store.Damage(manifest.LedgerKey(1), func(b []byte) []byte { return bytes.Replace(b, []byte(sum), []byte(other), 1) })
		if r := mustRepair(t, h.store, from(h.store.Clone())); len(r.Problems) > 0 || len(r.Repaired) == 0 {
			t.Fatalf("%+v", r)
		}
		h.unchanged(copied.Snapshot(), manifest.LedgerKey(1))
		h.keepLast(3)
		h.sound(2, 3, 4)
	})
}

// One copy has a manifest as rot has made it, too, and another has the right one: the ledger
// goes on saying which that is.
func TestRepairBelievesNoRottenCopy(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 4)
		h.keepLast(3)
		good := h.store.Clone()
		h.store.Damage(manifest.ManifestKey(3), func(b []byte) []byte { return b[:len(b)/2] })
		rotten := h.store.Clone()
		copies := &archive.RepairFrom{Copies: []*archive.Archive{archive.New(rotten, archive.Options{}), archive.New(good, archive.Options{})}}
		if r := mustRepair(t, h.store, copies); len(r.Problems) > 0 || len(r.Repaired) == 0 {
			t.Fatalf("%+v", r)
		}
		if !h.store.Snapshot().Equal(good.Snapshot()) {
			t.Error("it is not what it was")
		}
	})
}

// listings is a store in which something happens before the manifests are listed.
type listings struct {
	*storetest.InMemory
	before func()
}

func (s *listings) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if prefix == manifest.ManifestsPrefix {
		s.before()
	}
	return s.InMemory.List(ctx, prefix, delimiter, after)
}

// While the ledger is damaged, a manifest is committed that a listing under way omits, and then the
// next one, which that listing shows. The new record makes neither invalid.
func TestRepairOfTheLedgerBesideCommits(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 3)
		h.keepLast(3)
		h.next()
		h.next()
		whole := h.store.Clone()
		h.store.Damage(manifest.LedgerKey(1), func([]byte) []byte { return []byte("garbage") })
		four := manifest.ManifestKey(4)
		h.store.Remove(four)
		lists := 0
		s := &listings{h.store, func() {
			if lists++; lists == 2 {
				h.store.Replace(four, whole.Snapshot().Bytes(four))
			}
		}}
		if _, err := archive.New(s, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{Repair: &archive.RepairFrom{}}); err != nil {
			t.Fatal(err)
		}
		h.sound(1, 2, 3, 4, 5)
	})
}

// A manifest was repaired, and its child has the hash of the damaged one: only the ledger has the
// right hash. When the newest record is damaged, the one before it still has it.
func TestRepairOfTheLedgerAsksTheRecordBefore(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 3)
		good := h.store.Clone()
		h.store.Damage(manifest.ManifestKey(3), func(b []byte) []byte { return b[:len(b)-20] })
		h.next()
		if r := mustRepair(t, h.store, from(good)); len(r.Problems) > 0 {
			t.Fatalf("%+v", r)
		}
		if _, err := h.archive().Hold(t.Context(), archive.Selector{Sequence: 4}, "the auditors"); err != nil {
			t.Fatal(err)
		}
		records := h.store.Keys(manifest.LedgerPrefix)
		h.store.Damage(records[len(records)-1], func([]byte) []byte { return nil })
		if r := mustRepair(t, h.store, &archive.RepairFrom{}); len(r.Problems) > 0 || len(r.Repaired) != 1 {
			t.Fatalf("%+v", r)
		}
		h.sound(1, 2, 3, 4)
	})
}

// An attacker creates a record far above, in an archive that never had a ledger. The repair writes the first record,
// which has no parent.
func TestRepairWritesTheFirstRecord(t *testing.T) {
	t.Parallel()
	for _, n := range []int64{1, 2, 300_000_000} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 2)
			h.store.Replace(manifest.LedgerKey(n), []byte("{}"))
			if r := mustRepair(t, h.store, &archive.RepairFrom{}); len(r.Problems) > 0 || len(r.Repaired) != 1 {
				t.Fatalf("record %d: %+v", n, r)
			}
			h.next()
			h.keepLast(1)
			h.sound(1, 2, 3) // the repair holds two
		})
	}
}
