package archive_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// witnessed is the history of an archive that this host has made and has in its local state.
func witnessed(t *testing.T, files int) (*history, archive.Options) {
	o := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}, Transfers: 2}
	h := &history{db: newDatabase(t, t.TempDir(), 20), store: storetest.Memory(t)}
	for n := range 3 {
		h.db.fill(files+2*n, 40)
		h.db.grow(25)
		mustBackup(t, archive.New(h.store, o), h.db)
	}
	return h, o
}

// Verify finds and names one flipped bit, one truncation, one deletion in any stored object, and a
// damaged file is not restored.
func TestDamageIsFound(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		for _, files := range []int{4, 300} {
			h, o := witnessed(t, files)
			if files > 250 && len(h.store.Keys(manifest.PagesPrefix)) == 0 {
				t.Fatal("no pages to damage")
			}
			keys := h.store.Keys("")
			for i, key := range keys {
				if files > 250 && strings.HasPrefix(key, manifest.DataPrefix) && i%20 != 0 {
					continue
				}
				good := h.store.Snapshot().Bytes(key)
				for what, bad := range damages(good) {
					h.store.Replace(key, bad)
					checkFound(t, h, o, key, what)
					h.store.Replace(key, good)
				}
			}
			mustVerify(t, archive.New(h.store, o))
		}
	})
}

func damages(good []byte) map[string][]byte {
	d := map[string][]byte{"deleted": nil}
	if len(good) > 0 {
		d["truncated"] = good[:len(good)-1]
		for _, at := range []int{0, len(good) / 3, len(good) - 1} {
			flipped := bytes.Clone(good)
			flipped[at] ^= 1 << (at % 8)
			d["flipped at "+string(rune('a'+at%26))] = flipped
		}
		flipped := bytes.Clone(good)
		flipped[len(good)/2] ^= 4
		d["flipped in the middle"] = flipped
	}
	return d
}

func checkFound(t *testing.T, h *history, o archive.Options, key, what string) {
	t.Helper()
	deep := archive.VerifyOptions{ReadData: true}
	if r, err := archive.New(h.store, o).Verify(context.Background(), deep); err != nil {
		t.Errorf("%s %s: verify failed: %v", key, what, err)
	} else if !slices.ContainsFunc(r.Problems, func(p archive.Problem) bool { return p.Object == key }) {
		t.Errorf("%s %s: verify --read-data reports %+v", key, what, r.Problems)
	}
	if what == "deleted" || what == "truncated" {
		if r, err := archive.New(h.store, o).Verify(context.Background(), archive.VerifyOptions{}); err != nil ||
			!slices.ContainsFunc(r.Problems, func(p archive.Problem) bool { return p.Object == key }) {
			t.Errorf("%s %s: verify reports %+v, %v", key, what, r, err)
		}
	}
	if k, ok := manifest.ParseObjectKey(key); ok && k.Prefix == manifest.DataPrefix {
		checkRefused(t, h, o, key, k.Name, what)
	}
}

// checkRefused: no snapshot gives out the file with the damaged object as good.
func checkRefused(t *testing.T, h *history, o archive.Options, key, file, what string) {
	t.Helper()
	a := archive.New(h.store, o)
	for _, s := range mustList(t, a) {
		m, err := a.Snapshot(context.Background(), archive.Selector{Sequence: s.Sequence})
		if err != nil {
			t.Fatal(err)
		}
		i := slices.IndexFunc(m.Files, func(f manifest.File) bool { return f.Name == file })
		if i < 0 || !slices.ContainsFunc(m.Files[i].Parts, func(p manifest.Part) bool { return p.Object == key }) {
			continue
		}
		var out bytes.Buffer
		if err := a.Cat(context.Background(), m, file, &out); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), key) || out.Len() > 0 {
			t.Errorf("%s %s: cat printed %d bytes, %v", key, what, out.Len(), err)
		}
		dir := filepath.Join(t.TempDir(), "r")
		_, err = a.Restore(context.Background(), m, dir, archive.RestoreOptions{})
		if !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), key) {
			t.Errorf("%s %s: restore: %v", key, what, err)
		}
		if _, err := os.Stat(dir); err == nil {
			t.Errorf("%s %s: the target exists", key, what)
		}
		return // one snapshot is enough, and it takes a while to give up
	}
	t.Errorf("no snapshot needs %s", key)
}

// A manifest that cannot be read hides no other snapshot and stops no new one.
func TestOneBadManifest(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		for _, bad := range []int64{1, 2, 3} {
			h, _ := witnessed(t, 4)
			a := func() *archive.Archive { return archive.New(h.store, archive.Options{}) }
			h.store.Replace(manifest.ManifestKey(bad), []byte(`{"format":"strongroom/9","hello":1}`))
			list := mustList(t, a())
			if len(list) != 3 || list[bad-1].Err == nil || !errors.Is(list[bad-1].Err, manifest.ErrVersion) {
				t.Fatalf("manifest %d is bad, and the listing is %+v", bad, list)
			}
			if _, err := a().Snapshot(context.Background(), archive.Selector{Sequence: bad}); !errors.Is(err, archive.ErrDamaged) {
				t.Fatalf("reading it: %v", err)
			}
			other := bad%3 + 1
			if _, err := a().Snapshot(context.Background(), archive.Selector{Sequence: other}); err != nil {
				t.Fatalf("reading %d while %d is bad: %v", other, bad, err)
			}
			res := mustBackup(t, a(), h.db)
			if bad == 3 && (!res.Committed || res.Snapshot.Parent.Sequence != 3 || len(res.Warnings) == 0) {
				t.Fatalf("after a bad newest manifest: %+v", res)
			}
			h.db.flip(5)
			if res := mustBackup(t, a(), h.db); !res.Committed {
				t.Fatalf("no new snapshot: %+v", res)
			}
			mustRestore(t, a(), 0, filepath.Join(t.TempDir(), "r"), h.db.files)
		}
	})
}

// A host with local state notices that the newest manifest is gone, and its number is not used
// again.
func TestNewestManifestGone(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h, o := witnessed(t, 3)
		h.store.Remove(manifest.ManifestKey(3))
		r, err := archive.New(h.store, o).Verify(context.Background(), archive.VerifyOptions{})
		if err != nil || !slices.ContainsFunc(r.Problems, func(p archive.Problem) bool {
			return p.Kind == archive.ProblemLocalState && strings.Contains(p.Detail, "to have this forgotten, delete "+o.State.Dir)
		}) {
			t.Fatalf("verify at once: %+v, %v", r, err)
		}
		h.db.flip(3)
		res := mustBackup(t, archive.New(h.store, o), h.db)
		if res.Snapshot.Sequence != 4 || res.Snapshot.Parent.Sequence != 2 || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "is gone") {
			t.Fatalf("snapshot %d after %+v, warnings %q", res.Snapshot.Sequence, res.Snapshot.Parent, res.Warnings)
		}
		// Going on does not make it forgotten.
		h.db.flip(3)
		for range 2 {
			if res := mustBackup(t, archive.New(h.store, o), h.db); len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], "is gone") {
				t.Fatalf("later warnings: %q", res.Warnings)
			}
			r, err := archive.New(h.store, o).Verify(context.Background(), archive.VerifyOptions{})
			if err != nil || len(r.Problems) != 1 || r.Problems[0].Kind != archive.ProblemLocalState || !strings.Contains(r.Problems[0].Detail, "to have this forgotten, delete "+o.State.Dir) {
				t.Fatalf("verify later: %+v, %v", r, err)
			}
		}
	})
}

// Only snapshots that are valid by the ledger are listed, read and planned from.
func TestLedger(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h, _ := witnessed(t, 3)
		a := func() *archive.Archive { return archive.New(h.store, archive.Options{}) }
		hash := func(n int64) manifest.Hash { return manifest.Sum(h.store.Snapshot().Bytes(manifest.ManifestKey(n))) }
		id := newest(t, a()).Archive
		record := manifest.Record{
			Format: manifest.Format, Archive: id, Number: 1, Created: newest(t, a()).Created, Why: "prune", Newest: 3,
			Kept: []manifest.Kept{{Ref: manifest.Ref{Sequence: 1, SHA256: hash(1)}}, {Ref: manifest.Ref{Sequence: 3, SHA256: hash(3)}}}, Removed: []int64{2},
		}
		b, err := record.Encode()
		if err != nil {
			t.Fatal(err)
		}
		h.store.Replace(manifest.LedgerKey(1), b)
		if l := mustList(t, a()); len(l) != 2 || l[0].Sequence != 1 || l[1].Sequence != 3 {
			t.Fatalf("%+v", l)
		}
		if _, err := a().Snapshot(context.Background(), archive.Selector{Sequence: 2}); !errors.Is(err, archive.ErrNoSnapshot) {
			t.Fatalf("reading a dropped snapshot: %v", err)
		}
		mustVerify(t, a())
		h.db.flip(3)
		if res := mustBackup(t, a(), h.db); res.Snapshot.Sequence != 4 || res.Snapshot.Parent.Sequence != 3 {
			t.Fatalf("%+v", res.Snapshot)
		}
		// A kept manifest that was replaced is not a snapshot, and verify names it.
		h.store.Replace(manifest.ManifestKey(1), h.store.Snapshot().Bytes(manifest.ManifestKey(2)))
		if _, err := a().Snapshot(context.Background(), archive.Selector{Sequence: 1}); !errors.Is(err, archive.ErrDamaged) {
			t.Fatalf("reading a replaced snapshot: %v", err)
		}
		if r, err := a().Verify(context.Background(), archive.VerifyOptions{}); err != nil || len(r.Problems) != 1 || r.Problems[0].Object != manifest.ManifestKey(1) {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

// Manifests of another archive, replayed here, are named and not trusted.
func TestReplayedManifest(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h, _ := witnessed(t, 3)
		other, _ := witnessed(t, 3)
		key := manifest.ManifestKey(3)
		h.store.Replace(key, other.store.Snapshot().Bytes(key))
		a := archive.New(h.store, archive.Options{})
		if _, err := a.Snapshot(context.Background(), archive.Selector{Sequence: 3}); !errors.Is(err, archive.ErrDamaged) {
			t.Fatalf("reading it: %v", err)
		}
		if m, err := a.Snapshot(context.Background(), archive.Selector{}); err != nil || m.Sequence != 2 {
			t.Fatalf("reading the newest: %v", err)
		}
		r, err := a.Verify(context.Background(), archive.VerifyOptions{})
		if err != nil || len(r.Problems) == 0 || r.Problems[0].Object != key {
			t.Fatalf("%+v, %v", r, err)
		}
		if res := mustBackup(t, a, h.db); !res.Committed || res.Snapshot.Sequence != 4 {
			t.Fatalf("%+v", res)
		}
	})
}

// An archive.json that cannot be read stops no backup: the manifests carry the archive's id, and the first one gets
// one. (TestLostID covers a lost archive.json.)
func TestBadArchiveJSON(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 21)
		db.fill(3, 10)
		store := storetest.Memory(t)
		store.Replace(manifest.ArchiveKey, []byte("{"))
		a := archive.New(store, archive.Options{})
		if res := mustBackup(t, a, db); !res.Committed || !strings.Contains(strings.Join(res.Warnings, "\n"), manifest.ArchiveKey) {
			t.Fatalf("%+v", res)
		}
		id := newest(t, a).Archive
		for _, bad := range [][]byte{[]byte("{"), make([]byte, manifest.SummaryBytes+1)} {
			store.Replace(manifest.ArchiveKey, bad)
			db.flip(5)
			again := archive.New(store, archive.Options{})
			if res := mustBackup(t, again, db); !res.Committed || res.Snapshot.Archive != id {
				t.Fatalf("%+v", res)
			}
		}
	})
}

// A manifest that is larger than any may be is passed over like any bad one: named as the
// parent, and in the way of no new snapshot.
func TestHugeManifest(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	virtually(t, func(t *testing.T) {
		h, _ := witnessed(t, 3)
		huge := make([]byte, manifest.MaxManifestBytes+1)
		h.store.Replace(manifest.ManifestKey(3), huge)
		a := archive.New(h.store, archive.Options{})
		if _, err := a.Snapshot(context.Background(), archive.Selector{}); !errors.Is(err, archive.ErrDamaged) {
			t.Fatalf("reading it: %v", err)
		}
		r, err := a.Verify(context.Background(), archive.VerifyOptions{})
		if err != nil || len(r.Problems) != 1 || r.Problems[0].Object != manifest.ManifestKey(3) || r.Problems[0].Kind != archive.ProblemManifest {
			t.Fatalf("%+v, %v", r, err)
		}
		want := manifest.Ref{Sequence: 3, SHA256: manifest.Sum(huge)}
		if res := mustBackup(t, a, h.db); !res.Committed || *res.Snapshot.Parent != want || len(res.Warnings) == 0 {
			t.Fatalf("%+v", res)
		}
	})
}

// A foreign manifest in a gap of the numbers is reported: no other manifest names it as its parent.
func TestManifestInAGap(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h, o := witnessed(t, 3)
		stray := h.store.Snapshot().Bytes(manifest.ManifestKey(3))
		h.store.Remove(manifest.ManifestKey(3))
		h.db.flip(3)
		if res := mustBackup(t, archive.New(h.store, o), h.db); res.Snapshot.Sequence != 4 || res.Snapshot.Parent.Sequence != 2 {
			t.Fatalf("%+v", res.Snapshot)
		}
		elsewhere := archive.New(h.store, archive.Options{}) // has no local state
		mustVerify(t, elsewhere)
		h.store.Replace(manifest.ManifestKey(3), stray)
		r, err := elsewhere.Verify(context.Background(), archive.VerifyOptions{})
		if err != nil || len(r.Problems) != 1 || r.Problems[0].Kind != archive.ProblemChain || r.Problems[0].Object != manifest.ManifestKey(3) {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

// Verify reports the number of objects whose provider checksum it compared, and the number of those
// without one.
func TestChecksumsAreCounted(t *testing.T) {
	t.Parallel()
	h, o := witnessed(t, 3)
	for want, store := range map[bool]store.Store{true: h.store, false: unsummed{h.store}} {
		r, err := archive.New(store, o).Verify(context.Background(), archive.VerifyOptions{Checksums: true})
		if err != nil || len(r.Problems) > 0 || r.Compared+r.Uncompared != r.Objects || (r.Uncompared == 0) != want {
			t.Errorf("with checksums: %t: %+v, %v", want, r, err)
		}
	}
}

// unsummed is a store that keeps no checksums.
type unsummed struct{ store.Store }

func (u unsummed) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := u.Store.Stat(ctx, key)
	o.CRC32C = nil
	return o, err
}

// A time of whole seconds, as listings show it, includes the snapshots of its second.
func TestTimeAsListed(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h, _ := witnessed(t, 3)
		a := archive.New(h.store, archive.Options{})
		at := newest(t, a).Created.Truncate(time.Second)
		if m, err := a.Snapshot(context.Background(), archive.Selector{At: at}); err != nil || m.Sequence != 3 {
			t.Fatalf("%+v, %v", m, err)
		}
		if m, err := a.Snapshot(context.Background(), archive.Selector{At: at.Add(-1)}); err == nil && m.Sequence == 3 {
			t.Fatalf("just before: %+v", m.Summary)
		}
	})
}
