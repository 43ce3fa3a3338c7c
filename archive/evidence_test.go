package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// After another database took the archive over, the first one is no longer recognized by its
// own directory: its host comes back with a state that is older than the newest snapshot.
func TestDirectoryOfAnOlderSnapshotIsNoEvidence(t *testing.T) {
	t.Parallel()
	store := storetest.Memory(t)
	before := time.Now().Add(-time.Hour)
	noEntries := source.LayoutOptions{NoEntries: true}
	first, second := t.TempDir(), t.TempDir()
	state := t.TempDir()
	backup := func(dir, state string, o archive.BackupOptions) error {
		a := archive.New(store, archive.Options{State: &archive.LocalState{Dir: state}})
		_, err := a.Backup(t.Context(), jeSource(t, dir, noEntries), o)
		return err
	}
	replaceFiles(t, first, generation(20, 25, before, 1)...)
	if err := backup(first, state, options); err != nil {
		t.Fatal(err)
	}
	replaceFiles(t, second, generation(0, 5, before, 77)...)
	o := options
	o.Node = "node-2"
	o.Accept = []manifest.Guard{manifest.GuardTakeOver}
	if err := backup(second, t.TempDir(), o); err != nil {
		t.Fatal(err)
	}
	if err := backup(first, state, options); !errors.Is(err, archive.ErrForeign) {
		t.Fatalf("the first database is back without a question: %v", err)
	}
}

// A forged manifest without files, by a node that does not exist, stops no backup.
func TestEmptyManifestOfAnotherNodeStopsNothing(t *testing.T) {
	t.Parallel()
	h := wide(t, 2)
	h.forge(func(m *manifest.Manifest) { empty(m); m.Node = "elsewhere" })
	h.db.grow(50)
	src := h.db.sourceOf(source.LayoutOptions{Name: "je", NoEntries: true})
	if r, err := h.archive().Backup(t.Context(), src, options); err != nil || !r.Committed {
		t.Fatalf("%+v, %v", r, err)
	}
}

// Another archive.json stays reported, however often the archive is read, until an operator
// ends that: reading must not replace the evidence.
func TestReadingKeepsTheEvidenceOfAnotherArchiveJSON(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 1)
	state := t.TempDir()
	ours := func() *archive.Archive {
		return archive.New(h.store, archive.Options{State: &archive.LocalState{Dir: state, Place: "mem://a"}})
	}
	mustList(t, ours())
	if _, err := ours().Verify(t.Context(), archive.VerifyOptions{}); err != nil {
		t.Fatal(err)
	}
	h.next() // by another host
	was := h.store.Snapshot().Bytes(manifest.ArchiveKey)
	h.store.Replace(manifest.ArchiveKey, slices.Concat(was, []byte("\n")))
	for i := range 3 {
		r, err := ours().Verify(t.Context(), archive.VerifyOptions{})
		isReported := slices.ContainsFunc(r.Problems, func(p archive.Problem) bool { return p.Object == manifest.ArchiveKey })
		if err != nil || !isReported {
			t.Fatalf("verify %d: %+v, %v", i+1, r.Problems, err)
		}
		mustList(t, ours())
	}
}

// Objects around an archive do not affect it: a link above it that cannot be followed stops neither
// its first backup nor a prune.
func TestLinkAboveAnArchive(t *testing.T) {
	t.Parallel()
	top, elsewhere := t.TempDir(), t.TempDir()
	for _, name := range []string{"ledger", "manifests"} {
		if err := os.Symlink(elsewhere, filepath.Join(top, name)); err != nil {
			t.Fatal(err)
		}
	}
	b, err := providers.Open(t.Context(), "file://"+filepath.Join(top, "backups", "db"), providers.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	db := newDatabase(t, t.TempDir(), 3)
	db.fill(3, 50)
	a := archive.New(b, archive.Options{})
	mustBackup(t, a, db)
	if _, err := a.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}}); err != nil {
		t.Error(err)
	}
}

// A disk with another archive at a known address is reported: it may be the wrong disk.
func TestAnotherArchiveAtTheAddressIsReported(t *testing.T) {
	t.Parallel()
	state := t.TempDir()
	db := newDatabase(t, t.TempDir(), 4)
	db.fill(3, 50)
	backup := func(store store.Store) []string {
		a := archive.New(store, archive.Options{State: &archive.LocalState{Dir: state, Place: "file:///mnt/disk"}})
		res, err := a.Backup(t.Context(), db.source(), options)
		if err != nil {
			t.Fatal(err)
		}
		return res.Warnings
	}
	first, second := storetest.Memory(t), storetest.Memory(t)
	mustBackup(t, archive.New(second, archive.Options{}), db)
	if w := backup(first); len(w) > 0 {
		t.Fatalf("the first disk: %q", w)
	}
	if w := backup(second); len(w) != 1 || !strings.Contains(w[0], "the address has another archive") {
		t.Errorf("the second disk: %q", w)
	}
	if w := backup(second); len(w) > 0 {
		t.Errorf("the second disk again: %q", w)
	}
}
