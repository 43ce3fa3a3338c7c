package archive_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Restored files equal the captured files, byte for byte, for random histories of create, append,
// close, delete and rewrite.
func TestRandomHistories(t *testing.T) {
	root := t.TempDir()
	var n int
	histories := func(t *rapid.T) {
		n++
		dir := filepath.Join(root, fmt.Sprint(n))
		db := newDatabase(t, mkdir(t, dir, "db"), rapid.Uint64().Draw(t, "seed"))
		store := storetest.Memory(t)
		store.Plain = rapid.Bool().Draw(t, "without checksums")
		a := archive.New(store, archive.Options{Transfers: rapid.IntRange(1, 4).Draw(t, "transfers")})
		want := map[int64]map[string][]byte{}
		for range rapid.IntRange(1, 12).Draw(t, "steps") {
			switch op := rapid.SampledFrom([]string{"grow", "grow", "flip", "flip", "remove", "rewrite", "many", "reopen", "backup", "backup"}).Draw(t, "op"); op {
			case "grow":
				db.grow(rapid.IntRange(0, 5000).Draw(t, "bytes"))
			case "flip":
				db.flip(rapid.IntRange(0, 300).Draw(t, "bytes"))
			case "remove":
				if c := db.closed(); len(c) > 1 { // a database is never without closed files once it had some
					db.remove(c[rapid.IntRange(0, len(c)-2).Draw(t, "which")])
				}
			case "rewrite":
				if c := db.closed(); len(c) > 1 {
					db.rewrite(c[rapid.IntRange(0, len(c)-2).Draw(t, "which")])
				}
			case "many":
				db.fill(rapid.IntRange(2, 40).Draw(t, "files"), 10)
			case "reopen":
				a = archive.New(store, archive.Options{})
			case "backup":
				if res, err := a.Backup(context.Background(), db.source(), options); err != nil {
					if errors.Is(err, archive.ErrForeign) && everyClosedFileDiffers(want, db) || errors.Is(err, archive.ErrMissingFiles) && mostFilesAreGone(want, db) {
						continue
					}
					t.Fatalf("%v", err)
				} else if res.Committed {
					want[res.Snapshot.Sequence] = maps.Clone(db.files)
				} else if last := mustList(t, a); !equal(want[last[len(last)-1].Sequence], db.files) {
					t.Fatalf("nothing was backed up and something had changed")
				}
			}
		}
		for s, files := range want {
			mustRestore(t, a, s, filepath.Join(dir, "restored", fmt.Sprint(s)), files)
		}
		if len(want) > 0 {
			mustVerify(t, a)
		}
	}
	soaktest.Rounds(t, 2, 10, func(t *testing.T, seed uint64) {
		before := n
		checkSeed(t, seed, 25, histories)
		soaktest.Count(t, "histories", int64(n-before))
	})
}

// everyClosedFileDiffers is when a backup rightly takes the source for another database's.
func everyClosedFileDiffers(want map[int64]map[string][]byte, db *database) bool {
	newest := want[slices.Max(slices.Collect(maps.Keys(want)))]
	names := slices.Sorted(maps.Keys(newest))
	for _, n := range names[:len(names)-1] {
		if c := db.closed(); slices.Contains(c, n) && string(newest[n]) == string(db.files[n]) {
			return false
		}
	}
	return true
}

// mostFilesAreGone is when a backup rightly misses files: over half of the closed ones have
// gone, and there is no new one.
func mostFilesAreGone(want map[int64]map[string][]byte, db *database) bool {
	newest := want[slices.Max(slices.Collect(maps.Keys(want)))]
	for n := range db.files {
		if _, ok := newest[n]; !ok {
			return false
		}
	}
	return 2*(len(newest)-len(db.files)) > len(newest)-1
}

func equal(a, b map[string][]byte) bool {
	return maps.EqualFunc(a, b, func(x, y []byte) bool { return string(x) == string(y) })
}

// The second backup sends only what is new; a third, with nothing new, writes nothing.
func TestOnlyWhatIsNewIsSent(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 1)
	db.fill(20, 1000)
	store := storetest.Memory(t)
	a := archive.New(store, archive.Options{})
	if res := mustBackup(t, a, db); res.Sent != 20 || !res.Committed || res.Snapshot.Sequence != 1 {
		t.Fatalf("first: %+v", res)
	}
	db.grow(500)
	db.flip(10)
	res := mustBackup(t, a, db)
	if res.Sent != 2 || res.SentBytes != 511 || res.Snapshot.Counts.Added != 2 || res.Snapshot.Counts.Files != 21 {
		t.Fatalf("second: sent %d objects of %d bytes, counts %+v", res.Sent, res.SentBytes, res.Snapshot.Counts)
	}
	before := store.Snapshot()
	counting := storetest.NewFaulty(store, -1, storetest.NotApplied)
	if res := mustBackup(t, archive.New(counting, archive.Options{}), db); res.Committed || res.Sent != 0 || res.Snapshot.Sequence != 2 {
		t.Fatalf("third: %+v", res)
	}
	if ops := counting.Ops(); ops.Put != 0 || ops.Total() > 6 || !before.Equal(store.Snapshot()) {
		t.Fatalf("a backup of nothing new cost %+v", ops)
	}
	o := options
	o.Force = true
	if res, err := a.Backup(context.Background(), db.source(), o); err != nil || !res.Committed || res.Snapshot.Sequence != 3 {
		t.Fatalf("forced: %+v, %v", res, err)
	}
}

// A tail costs what was appended; when it is closed it is stored once more, whole.
func TestTailGrows(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 2)
	db.fill(2, 100)
	db.grow(100_000)
	store := storetest.Memory(t)
	a := archive.New(store, archive.Options{})
	mustBackup(t, a, db)
	for i := range manifest.MaxTailParts + 2 {
		db.grow(10)
		res := mustBackup(t, a, db)
		f := newest(t, a).Files[1]
		switch {
		case i == manifest.MaxTailParts-1: // the 65th part would be too many
			if len(f.Parts) != 1 || res.SentBytes != f.Size {
				t.Fatalf("after %d growths: %d parts, %d bytes sent", i+1, len(f.Parts), res.SentBytes)
			}
		case res.SentBytes != 10 || res.Snapshot.Counts.Changed != 0 || res.Snapshot.Counts.Added != 1:
			t.Fatalf("growing by 10 bytes sent %d: %+v", res.SentBytes, res.Snapshot.Counts)
		}
	}
	size := int64(len(db.files[name(1)]))
	db.flip(1)
	if res := mustBackup(t, a, db); res.SentBytes != size+1 {
		t.Fatalf("closing a tail of %d bytes sent %d", size, res.SentBytes)
	}
	if f := newest(t, a).Files[1]; len(f.Parts) != 1 || f.State != manifest.Closed {
		t.Fatalf("closed: %+v", f)
	}
	// A tail whose earlier bytes changed is stored again, as one part.
	db.grow(50)
	mustBackup(t, a, db)
	db.rewrite(name(2))
	db.grow(5)
	if res := mustBackup(t, a, db); res.SentBytes != 56 {
		t.Fatalf("a rewritten tail sent %d bytes", res.SentBytes)
	}
	mustVerify(t, a)
}

// A closed file that changed is a new version; the old one stays where it was.
func TestChangedFileIsANewVersion(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 3)
	db.fill(4, 1000)
	a := archive.New(storetest.Memory(t), archive.Options{})
	mustBackup(t, a, db)
	before := maps.Clone(db.files)
	db.rewrite(name(1))
	res := mustBackup(t, a, db)
	if !slices.Equal(res.Changed, []archive.Changed{{Name: name(1), Kind: archive.ChangedOther}}) || res.Snapshot.Counts.Changed != 1 || res.Sent != 1 {
		t.Fatalf("changed %q, counts %+v", res.Changed, res.Snapshot.Counts)
	}
	mustRestore(t, a, 1, filepath.Join(t.TempDir(), "r"), before)
	mustRestore(t, a, 2, filepath.Join(t.TempDir(), "r"), db.files)
	// Touched, and the same: kept under the number that first held it, nothing sent.
	db.set(name(0), db.files[name(0)])
	if res := mustBackup(t, a, db); res.Sent != 0 || res.Snapshot.Counts.Changed != 0 || res.Snapshot.Counts.Added != 0 {
		t.Fatalf("touching sent %d: %+v", res.Sent, res.Snapshot.Counts)
	}
}

// Large sets use pages; a small change touches few of them.
func TestPages(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 4)
	db.fill(3000, 3)
	store := storetest.Memory(t)
	a := archive.New(store, archive.Options{})
	mustBackup(t, a, db)
	pages := len(store.Keys(manifest.PagesPrefix))
	if pages < 3 {
		t.Fatalf("%d pages for 3000 files", pages)
	}
	db.grow(10)
	db.flip(1)
	mustBackup(t, a, db)
	if n := len(store.Keys(manifest.PagesPrefix)) - pages; n > 2 {
		t.Fatalf("one new file made %d new pages", n)
	}
	fresh := archive.New(store, archive.Options{})
	mustRestore(t, fresh, 2, filepath.Join(t.TempDir(), "r"), db.files)
	mustVerify(t, fresh)
	for _, n := range db.closed()[:2900] {
		db.remove(n)
	}
	db.flip(1) // or the cleaner would have deleted most files and the database begun none
	mustBackup(t, fresh, db)
	if m := newest(t, a); m.Pages != nil || len(m.Files) != 102 {
		t.Fatalf("%d pages and %d files left", len(m.Pages), len(m.Files))
	}
}

// Eight archivers at once: every number is taken once, and every snapshot restores. (In
// real time: in virtual time all would write the very same manifest, and all be right.)
func TestRacingArchivers(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 5)
	db.fill(10, 500)
	store := storetest.Memory(t)
	o := options
	o.Force = true
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			if res, err := archive.New(store, archive.Options{}).Backup(context.Background(), db.source(), o); err != nil || !res.Committed {
				t.Errorf("%+v, %v", res, err)
			}
		})
	}
	wg.Wait()
	a := archive.New(store, archive.Options{})
	list := mustList(t, a)
	if len(list) != 8 {
		t.Fatalf("%d snapshots", len(list))
	}
	for i, s := range list {
		if s.Sequence != int64(i+1) {
			t.Fatalf("snapshot %d has number %d", i+1, s.Sequence)
		}
		mustRestore(t, a, s.Sequence, filepath.Join(t.TempDir(), "r"), db.files)
	}
	mustVerify(t, a)
}

// A first backup makes one request a file and at most six others.
func TestRequestsOfAFirstBackup(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 6)
	db.fill(200, 10)
	store := storetest.NewFaulty(storetest.Memory(t), -1, storetest.NotApplied)
	mustBackup(t, archive.New(store, archive.Options{}), db)
	if ops := store.Ops(); ops.Total() > 206 {
		t.Fatalf("%d requests for 200 files: %+v", ops.Total(), ops)
	}
}

// A file that cannot be named in an archive is refused by name, before anything is written.
func TestRefusedName(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 7)
	db.set("back\\slash.log", []byte("x"))
	store := storetest.Memory(t)
	_, err := archive.New(store, archive.Options{}).Backup(context.Background(), allFiles(t, db.dir), options)
	if !errors.Is(err, manifest.ErrName) || !strings.Contains(err.Error(), `back\\slash.log`) || len(store.Keys("")) != 0 {
		t.Fatalf("%v, %d objects", err, len(store.Keys("")))
	}
}

// A dry run plans and writes nothing.
func TestDryRun(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 8)
	db.fill(3, 10)
	store := storetest.Memory(t)
	o := options
	o.DryRun = true
	res, err := archive.New(store, archive.Options{}).Backup(context.Background(), db.source(), o)
	if err != nil || len(res.Plan.Upload) != 3 || res.Committed || len(store.Keys("")) != 0 {
		t.Fatalf("%+v, %v, %v", res, err, store.Keys(""))
	}
}

// The next backup adopts what an interrupted backup stored, with and without checksums at the
// provider. It does not adopt an orphan with wrong content.
func TestAdoption(t *testing.T) {
	t.Parallel()
	for _, plain := range []bool{false, true} {
		t.Run(fmt.Sprintf("plain=%v", plain), func(t *testing.T) {
			db := newDatabase(t, t.TempDir(), 9)
			db.fill(20, manifest.BundlePart+1)
			store := storetest.Memory(t)
			store.Plain = plain
			_, err := archive.New(storetest.NewFaulty(store, 12, storetest.NotApplied).Down(), archive.Options{Transfers: 2}).Backup(context.Background(), db.source(), options)
			if !errors.Is(err, storetest.ErrInjected) {
				t.Fatalf("%v", err)
			}
			left := len(store.Keys(manifest.DataPrefix))
			if left == 0 {
				t.Fatal("nothing was left")
			}
			res := mustBackup(t, archive.New(store, archive.Options{}), db)
			if res.Adopted != left || res.Sent != 20-left || res.Snapshot.Sequence != 1 {
				t.Fatalf("%d were left, %d adopted, %d sent", left, res.Adopted, res.Sent)
			}
		})
	}
}

// Something else under the key of a file does not stop the backup: the file is stored under
// another key, and the warning names what the next prune removes.
func TestIntruderUnderOurKey(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 10)
	db.fill(2, 100)
	store := storetest.Memory(t)
	key := manifest.DataKey(name(0), manifest.Sum(db.files[name(0)]), 1, manifest.Plain, nil)
	store.Replace(key, []byte("something else"))
	a := archive.New(store, archive.Options{})
	res := mustBackup(t, a, db)
	if len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], key) || res.Sent != 2 {
		t.Errorf("%+v", res)
	}
	mustRestore(t, a, 1, filepath.Join(t.TempDir(), "r"), db.files)
	if res := mustBackup(t, a, db); res.Committed || len(res.Warnings) > 0 {
		t.Errorf("%+v", res)
	}
}

// The newest snapshot is found by few listings, in a short history as in a long one.
func TestNewestOfManySnapshots(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	db := newDatabase(t, t.TempDir(), 21)
	db.fill(2, 10)
	f := storetest.NewFaulty(storetest.Memory(t), -1, storetest.NotApplied)
	a := archive.New(f, archive.Options{})
	force := options
	force.Force = true
	for n := int64(1); n <= 1003; n++ {
		before := f.Ops().List
		res, err := a.Backup(t.Context(), db.source(), force)
		if err != nil || res.Snapshot.Sequence != n {
			t.Fatalf("snapshot %d: %+v, %v", n, res, err)
		}
		// The top and the manifests before, the ledger after; the first backup also checks the order of the store.
		if lists := f.Ops().List - before; lists > 3 && n > 1 && n <= 1000 || lists > 6 {
			t.Fatalf("snapshot %d: %d listings", n, lists)
		}
	}
	newest, err := a.List(t.Context(), 5)
	if err != nil || len(newest) != 5 {
		t.Fatalf("%d, %v", len(newest), err)
	}
	for i, s := range newest {
		if s.Sequence != int64(999+i) {
			t.Errorf("snapshot %d of the list is %d", i, s.Sequence)
		}
	}
}
