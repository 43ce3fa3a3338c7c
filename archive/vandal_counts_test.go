package archive_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

// A manifest that counts for nothing by one number begins to count with the next snapshot, unless that snapshot's run
// excludes it first. Otherwise it would be the newest, and a prune could remove the true one.
func TestForgedManifestDoesNotBeginToCount(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ n, parent int64 }{
		{5 + manifest.MaxGap + 1, 5}, {5 + manifest.MaxGap + 1, 6}, {5 + manifest.MaxGap + 3, 8},
	} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 5)
			n := c.n
			h.store.Replace(manifest.ManifestKey(n), copiedAs(t, h, n, c.parent))
			for _, want := range []int64{6, 7, 8} {
				if got := h.next(); got != want {
					t.Fatalf("%d is snapshot %d, not %d", n, got, want)
				}
				if m := newest(t, h.archive()); m.Sequence != want {
					t.Fatalf("%d counts: the newest is %d, not %d", n, m.Sequence, want)
				}
			}
			h.keepLast(2)
			h.sound(7, 8)
		})
	}
}

// A record that excludes the next thousand numbers and more cannot have a snapshot reported as made that no reader
// counts.
func TestForgedExclusionsFakeNoSnapshot(t *testing.T) {
	t.Parallel()
	for _, excluded := range []int64{manifest.MaxAhead - 1, manifest.MaxAhead, manifest.MaxAhead + 1, 3 * manifest.MaxAhead} {
		virtually(t, func(t *testing.T) {
			h := vandalized(t)
			r := nextRecord(t, h)
			for n := range excluded {
				r.Void = append(r.Void, 6+n)
			}
			plantRecord(t, h, r)
			for range 2 {
				h.db.grow(70)
				res := mustBackup(t, h.archive(), h.db)
				if m := newest(t, h.archive()); m.Sequence != res.Snapshot.Sequence {
					t.Fatalf("%d excluded: snapshot %d was reported, and %d is the newest", excluded, res.Snapshot.Sequence, m.Sequence)
				}
				mustRestore(t, h.archive(), 0, filepath.Join(t.TempDir(), "r"), h.db.files)
			}
		})
	}
}

// A record that uses up all numbers ends no backups: no archive comes that far.
func TestForgedRecordUsesUpNoNumbers(t *testing.T) {
	t.Parallel()
	for _, used := range []int64{manifest.MaxCounted, manifest.MaxCounted - 1, manifest.MaxCounted/2 + 1, manifest.MaxCounted/4 + 1} {
		virtually(t, func(t *testing.T) {
			h := vandalized(t)
			r := nextRecord(t, h)
			r.Removed = append(r.Removed, used)
			plantRecord(t, h, r)
			for _, want := range []int64{6, 7} {
				h.db.grow(70)
				if res := mustBackup(t, h.archive(), h.db); res.Snapshot.Sequence != want {
					t.Fatalf("%d used up: the next snapshot is %d, not %d", used, res.Snapshot.Sequence, want)
				}
			}
			mustRestore(t, h.archive(), 7, filepath.Join(t.TempDir(), "r"), h.db.files)
			if report, err := h.archive().Verify(t.Context(), archive.VerifyOptions{}); err != nil || len(report.Problems) == 0 {
				t.Errorf("%d used up: verify reports nothing: %v", used, err)
			}
		})
	}
}

// nextRecord returns a record that could follow the one in force.
func nextRecord(t *testing.T, h *pruned) *manifest.Record {
	t.Helper()
	r := *h.record()
	b := h.store.Snapshot().Bytes(manifest.LedgerKey(r.Number))
	r.Parent = &manifest.RecordRef{Number: r.Number, SHA256: manifest.Sum(b)}
	r.Number++
	r.Removed, r.Void = nil, nil
	m := newest0(t, h)
	if r.Newest < m.Sequence { // the newest snapshot came after the record
		b := h.store.Snapshot().Bytes(manifest.ManifestKey(m.Sequence))
		r.Newest = m.Sequence
		r.Kept = append(slices.Clone(r.Kept), manifest.Kept{Ref: manifest.Ref{Sequence: m.Sequence, SHA256: manifest.Sum(b)}})
	}
	return &r
}

// plantRecord creates a record as an attacker would.
func plantRecord(t *testing.T, h *pruned, r *manifest.Record) {
	t.Helper()
	b, err := r.Encode()
	if err != nil {
		t.Fatal(err)
	}
	h.store.Replace(manifest.LedgerKey(r.Number), b)
}

// An outsider's manifest may be the newest, and so the parent of the next snapshot. Once it has been deleted, as verify
// advises, that snapshot still counts: a prune would delete it otherwise.
func TestSnapshotOutlivesAForgedParent(t *testing.T) {
	t.Parallel()
	for _, isBroken := range []bool{false, true} { // with a record that cannot be read, none can be written
		for _, n := range []int64{6, 1004, 1005, 1006, 5005, 5 + manifest.MaxGap - 1} {
			virtually(t, func(t *testing.T) {
				h := vandalized(t)
				keys := []string{manifest.ManifestKey(n)}
				h.store.Replace(keys[0], copiedAs(t, h, n, 5))
				if isBroken {
					keys = append(keys, manifest.LedgerKey(3))
					h.store.Replace(keys[1], []byte("{}"))
				}
				made := h.next()
				for _, key := range keys {
					h.store.Remove(key)
				}
				if m := newest(t, h.archive()); m.Sequence != made {
					t.Errorf("broken: %v: the newest is %d, not %d", isBroken, m.Sequence, made)
				}
				_, err := h.archive().Prune(t.Context(), archive.PruneOptions{})
				if h.store.Snapshot().Bytes(manifest.ManifestKey(made)) == nil {
					t.Errorf("broken: %v: the prune (%v) deleted snapshot %d", isBroken, err, made)
				}
			})
		}
	}
}
