package archive_test

import (
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// forge creates the next manifest as an attacker with permission to read and create objects can:
// the newest one, changed.
func (h *pruned) forge(change func(*manifest.Manifest)) int64 {
	h.t.Helper()
	was := newest(h.t, h.archive())
	m := *was
	b := h.store.Snapshot().Bytes(manifest.ManifestKey(was.Sequence))
	m.Parent = &manifest.Ref{Sequence: was.Sequence, SHA256: manifest.Sum(b)}
	m.Sequence++
	m.Files = slices.Clone(was.Files)
	m.Counts.Added, m.Counts.AddedBytes = 0, 0
	change(&m)
	added := m.Counts
	m.Counts = manifest.Counts{Added: added.Added, AddedBytes: added.AddedBytes}
	for i := range m.Files {
		m.Counts.Add(&m.Files[i])
	}
	forged, err := m.Encode()
	if err != nil {
		h.t.Fatal(err)
	}
	if _, err := h.store.Put(h.t.Context(), manifest.ManifestKey(m.Sequence), strings.NewReader(string(forged)), storetest.SumsOf(forged)); err != nil {
		h.t.Fatal(err)
	}
	return m.Sequence
}

func empty(m *manifest.Manifest) { m.Files, m.ConsistentThrough = nil, nil }

// The newest files are left, with the tail: without it a snapshot counts as incomplete.
func quarter(m *manifest.Manifest) { left(m, max(1, len(m.Files)/4)) }

func left(m *manifest.Manifest, n int) { m.Files = m.Files[len(m.Files)-n:] }

// wide is an archive with snapshots of a dozen closed files or more.
func wide(t testing.TB, snapshots int) *pruned {
	h := newPruned(t, 0)
	h.db.fill(12, 40)
	for range snapshots {
		h.nextOf(source.LayoutOptions{Name: "je", NoEntries: true})
	}
	return h
}

// wideWithoutTails is wide without the file that is being written.
func wideWithoutTails(t testing.TB, snapshots int) *pruned {
	h := newPruned(t, 0)
	h.db.fill(12, 40)
	for range snapshots {
		h.nextOf(source.LayoutOptions{Name: "je", NoEntries: true, NoTail: true})
	}
	return h
}

func (h *pruned) nextOf(l source.LayoutOptions) {
	h.t.Helper()
	h.db.grow(50)
	h.db.flip(20)
	r, err := h.archive().Backup(h.t.Context(), h.db.sourceOf(l), options)
	if err != nil {
		h.t.Fatal(err)
	}
	files := maps.Clone(h.db.files)
	if l.NoTail {
		delete(files, name(h.db.last))
	}
	h.want[r.Snapshot.Sequence] = files
}

// acceptingBackup is a backup whose operator accepts whatever guards find.
func (h *pruned) acceptingBackup() *archive.BackupResult {
	h.t.Helper()
	o := options
	o.Acceptance = acceptAll
	r, err := h.archive().Backup(h.t.Context(), h.db.source(), o)
	if err != nil {
		h.t.Fatal(err)
	}
	return r
}

// An attacker who may create objects, and not delete any, must not make the next prune remove
// the true history: snapshots that are empty, or that lost more than half with nothing new,
// take no place in it, whatever they claim.
func TestForgedSnapshotsPushNothingOut(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	for name, forgery := range map[string]func(*manifest.Manifest){
		"empty": empty,
		"empty and accepted": func(m *manifest.Manifest) {
			empty(m)
			m.Accepted = []manifest.Guard{manifest.GuardRollback, manifest.GuardMissing}
		},
		"empty and later":       func(m *manifest.Manifest) { empty(m); m.Created = m.Created.AddDate(1, 0, 0) },
		"a quarter":             quarter,
		"one file":              func(m *manifest.Manifest) { left(m, 1) },
		"a quarter, as if new":  func(m *manifest.Manifest) { quarter(m); m.Counts.Added = 7 },
		"a third less, at once": func(m *manifest.Manifest) { left(m, max(1, len(m.Files)*2/3)) },
	} {
		for kind, made := range map[string]func(testing.TB, int) *pruned{"with tails": wide, "without": wideWithoutTails} {
			t.Run(name+", "+kind, func(t *testing.T) {
				t.Parallel()
				h := made(t, 12)
				for range 12 {
					h.forge(forgery)
				}
				r := h.keepLast(10)
				left := map[int64]bool{}
				for _, s := range mustList(t, h.archive()) {
					left[s.Sequence] = true
				}
				for n := int64(4); n <= 12; n++ {
					if !left[n] {
						t.Fatalf("snapshot %d is gone; the prune removed %d", n, r.Removed)
					}
					mustRestore(t, h.archive(), n, filepath.Join(t.TempDir(), "r"), h.want[n])
				}
				if !left[24] {
					t.Fatal("the newest is gone, which the ledger must keep")
				}
			})
		}
	}
}

// With a true newer snapshot the forged ones stay only until they are older than all that is
// kept, and the true history goes on as if they had never been there.
func TestHollowSnapshotsGoInTheEnd(t *testing.T) {
	t.Parallel()
	h := wideWithoutTails(t, 2)
	for range 3 {
		h.forge(empty)
	}
	h.keepLast(1)
	kept := func() (all []int64) {
		for _, s := range mustList(t, h.archive()) {
			all = append(all, s.Sequence)
		}
		return all
	}
	if got := kept(); !slices.Equal(got, []int64{2, 3, 4, 5}) {
		t.Fatalf("kept %d", got)
	}
	if n := h.acceptingBackup().Snapshot.Sequence; n != 6 {
		t.Fatalf("the backup made snapshot %d", n)
	}
	h.want[6] = maps.Clone(h.db.files)
	h.keepLast(2)
	if got := kept(); !slices.Equal(got, []int64{2, 3, 4, 5, 6}) {
		t.Fatalf("kept %d", got)
	}
	h.keepLast(1)
	h.sound(6)
}

// A backup that an operator let pass with most files gone is a snapshot like any other; and so
// is one that lost most and holds something new, as where a cleaner was busy.
func TestAcceptedLossCounts(t *testing.T) {
	t.Parallel()
	for name, change := range map[string]func(*manifest.Manifest){
		"accepted rollback":     func(m *manifest.Manifest) { m.Accepted = []manifest.Guard{manifest.GuardRollback} },
		"accepted take-over":    func(m *manifest.Manifest) { m.Accepted = []manifest.Guard{manifest.GuardTakeOver} },
		"accepted missing":      func(m *manifest.Manifest) { m.Accepted = []manifest.Guard{manifest.GuardMissing} },
		"accepted fork":         func(m *manifest.Manifest) { m.Accepted = []manifest.Guard{manifest.GuardFork} },
		"less than half":        func(m *manifest.Manifest) { m.Files = m.Files[len(m.Files)/4:] },
		"nothing lost, forced":  func(*manifest.Manifest) {},
		"accepted, and another": func(m *manifest.Manifest) { m.Accepted = []manifest.Guard{"later", manifest.GuardFork} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := wide(t, 3)
			n := h.forge(func(m *manifest.Manifest) {
				if change(m); len(m.Accepted) > 0 {
					quarter(m)
				}
			})
			r := h.keepLast(1)
			if !slices.Equal(r.Removed, []int64{1, 2, 3}) || n != 4 {
				t.Fatalf("%+v", r)
			}
		})
	}
	t.Run("not by a prune's acceptance", func(t *testing.T) {
		h := wide(t, 3)
		h.forge(func(m *manifest.Manifest) { quarter(m); m.Accepted = []manifest.Guard{manifest.GuardPrune} })
		if r := h.keepLast(1); !slices.Equal(r.Removed, []int64{1, 2}) {
			t.Fatalf("%+v", r)
		}
	})
	t.Run("something new", func(t *testing.T) {
		h := wide(t, 3)
		for _, name := range h.db.closed()[:10] {
			h.db.remove(name)
		}
		h.db.grow(10)
		r := h.acceptingBackup()
		if p := h.keepLast(1); r.Snapshot.Counts.Files > 5 || !slices.Equal(p.Removed, []int64{1, 2, 3}) {
			t.Fatalf("%+v", p)
		}
	})
}

// Most of the bytes may lie in few files: a snapshot that keeps only the many small ones lost most.
func TestLostBytesAreHollow(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 0)
	h.db.fill(12, 40)
	h.db.grow(10_000)
	h.db.flip(20)
	mustBackup(t, h.archive(), h.db)
	h.forge(func(m *manifest.Manifest) {
		m.Files = slices.DeleteFunc(m.Files, func(f manifest.File) bool { return f.Size > 1000 })
	})
	r := h.keepLast(1)
	if len(r.Removed) > 0 || len(r.Verdicts) != 2 || !strings.Contains(r.Verdicts[1].Why[0].String(), "hollow: 12 of the 13 files and ") {
		t.Fatalf("%+v", r)
	}
}

// A hollow snapshot with a tail must not make the true ones incomplete that never had one.
func TestHollowTailsDoNotCount(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 0)
	h.db.fill(12, 40)
	if _, err := h.archive().Backup(t.Context(), h.db.sourceOf(source.LayoutOptions{Name: "je", NoEntries: true, NoTail: true}), options); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		h.forge(func(m *manifest.Manifest) {
			m.Files = m.Files[len(m.Files)-1:]
			m.Files[0].State = manifest.Tail
		})
	}
	v := h.prune(archive.PruneOptions{Retention: &retention.Policy{Last: 1}, DryRun: true}).Verdicts
	if v[0].Incomplete || v[0].Hollow != "" || v[1].Hollow == "" || v[2].Hollow == "" {
		t.Errorf("%+v", v)
	}
}
