package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func mustRepair(t testing.TB, s store.Store, from *archive.RepairFrom) *archive.VerifyReport {
	t.Helper()
	r, err := archive.New(s, archive.Options{}).Verify(context.Background(), archive.VerifyOptions{ReadData: true, Repair: from})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Every stored object is deleted, cut or altered in turn. A copy of the archive has it, and after a
// repair the store is what it was, byte for byte.
func TestRepairFromCopy(t *testing.T) {
	t.Parallel()
	for _, files := range []int{4, 30, 270} {
		virtually(t, func(t *testing.T) {
			o := newOriginal(t, t.TempDir(), storetest.Memory(t), files)
			store := o.store.(*storetest.InMemory)
			copied := storetest.Memory(t)
			mustCopy(t, store, copied)
			from := &archive.RepairFrom{Copies: []*archive.Archive{archive.New(storetest.Memory(t), archive.Options{}), archive.New(copied, archive.Options{})}}
			good := store.Snapshot()
			for _, key := range store.Keys("") {
				for what, bad := range map[string][]byte{"gone": nil, "cut": good.Bytes(key)[:len(good.Bytes(key))/2], "altered": flipped(good.Bytes(key))} {
					store := store.Clone()
					spoil(store, key, bad)
					r := mustRepair(t, store, from)
					// The right content of the newest manifest and of the id is unknown if it
					// parses, and so is that there was a newest manifest.
					newest := key == manifest.ManifestKey(3)
					if (newest || key == manifest.ArchiveKey && what == "altered") && what != "cut" {
						continue
					}
					if len(r.Problems) > 0 || len(r.Repaired) == 0 {
						t.Errorf("%s %s: %+v", key, what, r)
					}
					for _, record := range store.Keys(manifest.LedgerPrefix) { // that keeps the newest's number
						if store.Remove(record); !newest {
							t.Errorf("%s %s: a record was written", key, what)
						}
					}
					if !store.Snapshot().Equal(good) {
						t.Errorf("%s %s: it is not what it was", key, what)
					}
				}
			}
		})
	}
}

// A file that was stored unencoded, and is still in the source, is restored from there. Any other
// one is named with the snapshots that need it.
func TestRepairFromSource(t *testing.T) {
	t.Parallel()
	for _, many := range []int{5, 30} {
		virtually(t, func(t *testing.T) {
			store := storetest.Memory(t)
			db := newDatabase(t, t.TempDir(), 3)
			db.fill(many, 40)
			a := archive.New(store, archive.Options{})
			mustBackup(t, a, db)
			db.grow(30) // a stretch of the tail
			mustBackup(t, a, db)
			from := &archive.RepairFrom{Source: db.source()}
			good := store.Snapshot()
			objects := append(store.Keys(manifest.DataPrefix), store.Keys(manifest.BundlesPrefix)...)
			for _, key := range objects {
				for what, bad := range map[string][]byte{"gone": nil, "altered": flipped(good.Bytes(key))} {
					spoil(store, key, bad)
					if r := mustRepair(t, store, from); len(r.Problems) > 0 || len(r.Repaired) != 1 || !store.Snapshot().Equal(good) {
						t.Errorf("%s %s: %+v", key, what, r)
					}
				}
			}
			for _, n := range db.closed() { // now nothing is there any more
				db.remove(n)
			}
			key := objects[0]
			if bundles := store.Keys(manifest.BundlesPrefix); len(bundles) > 0 {
				key = bundles[0]
			}
			spoil(store, key, flipped(good.Bytes(key)))
			r := mustRepair(t, store, from)
			if len(r.Problems) != 1 || len(r.Repaired) > 0 || r.Problems[0].RepairError == "" || !slices.Equal(r.Problems[0].Snapshots, []int64{1, 2}) {
				t.Errorf("%+v", r)
			}
			if store.Snapshot().Bytes(key) == nil {
				t.Error("the object that could not be repaired was deleted")
			}
		})
	}
}

// After a verify has reported an object missing or damaged, the next backup counts it as absent and
// stores it again, for the snapshots from then on.
func TestBackupHealsWhatVerifyFound(t *testing.T) {
	t.Parallel()
	for _, many := range []int{5, 30, 270} {
		virtually(t, func(t *testing.T) {
			store := storetest.Memory(t)
			db := newDatabase(t, t.TempDir(), 3)
			db.fill(many, 40)
			a := archive.New(store, archive.Options{}) // as the service has it, with a memory
			mustBackup(t, a, db)
			verify := func(read bool) *archive.VerifyReport {
				t.Helper()
				time.Sleep(time.Second) // no two verifies are at the same moment
				r, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: read, Proof: true, Tool: "test"})
				if err != nil || r.Unproven != "" {
					t.Fatal(err, r)
				}
				return r
			}
			for _, page := range []bool{false, true} {
				m := newest(t, archive.New(store, archive.Options{}))
				key := m.Files[0].Parts[0].Object
				if page && len(m.Pages) == 0 {
					continue
				}
				if page {
					key = m.Pages[0].Object
				}
				good := store.Snapshot().Bytes(key)
				store.Replace(key, flipped(good))
				if res := mustBackup(t, a, db); res.Committed {
					t.Fatalf("no verify has found it yet: %+v", res)
				}
				if r := verify(true); len(r.Problems) != 1 {
					t.Fatalf("%+v", r)
				}
				if r := verify(false); len(r.Problems) != 1 && !strings.HasPrefix(key, manifest.PagesPrefix) {
					t.Fatalf("a verify without reading has dropped it: %+v", r)
				}
				res := mustBackup(t, a, db)
				if !res.Committed || len(res.Changed) > 0 {
					t.Fatalf("%s: %+v", key, res)
				}
				n := res.Snapshot.Sequence
				mustRestore(t, archive.New(store, archive.Options{}), n, filepath.Join(t.TempDir(), "r"), db.files)
				if res := mustBackup(t, a, db); res.Committed {
					t.Fatalf("it was stored again a second time: %+v", res)
				}
				store.Replace(key, good)
				if r := verify(true); len(r.Problems) > 0 {
					t.Fatalf("%+v", r)
				}
			}
		})
	}
}

// Samples choose the objects that were not read for longest: 5 % each time have read everything
// after twenty times. The archive itself records that.
func TestSamplesCoverEverything(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		store := storetest.Memory(t)
		db := newDatabase(t, t.TempDir(), 3)
		db.fill(16, 400) // too few for a bundle
		mustBackup(t, archive.New(store, archive.Options{}), db)
		var r *archive.VerifyReport
		for i := range 22 {
			var err error
			time.Sleep(time.Hour)
			if r, err = archive.New(store, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{Sample: 0.05, Proof: true}); err != nil {
				t.Fatal(err)
			}
			if c := r.Coverage; c.Objects != 16 || c.Read < min(i+1, 16) || c.Read > i+2 {
				t.Fatalf("verify %d: %+v", i, c)
			}
		}
		if r.Coverage.Since.IsZero() || r.Coverage.ReadBytes != r.Coverage.Bytes {
			t.Fatalf("%+v", r.Coverage)
		}
		// One that is not found good counts as not read.
		time.Sleep(time.Hour)
		key := store.Keys(manifest.DataPrefix)[3]
		store.Damage(key, flipped)
		if r, err := archive.New(store, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{ReadData: true, Proof: true}); err != nil || r.Coverage.Read != 15 {
			t.Fatalf("%+v, %v", r, err)
		}
		proof, err := archive.New(store, archive.Options{}).LatestProof(t.Context(), manifest.ProofVerify)
		if err != nil || proof.Outcome != manifest.OutcomeFailed || len(proof.Problems) != 1 || proof.Problems[0].Object != key {
			t.Fatalf("%+v, %v", proof, err)
		}
	})
}

// A proof that cannot be read, or of a later version, is passed over.
func TestProofsThatCannotBeRead(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		store := storetest.Memory(t)
		db := newDatabase(t, t.TempDir(), 3)
		db.fill(4, 40)
		mustBackup(t, archive.New(store, archive.Options{}), db)
		verify := func() {
			t.Helper()
			time.Sleep(time.Second)
			if _, err := archive.New(store, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{ReadData: true, Proof: true}); err != nil {
				t.Fatal(err)
			}
		}
		verify()
		for i, key := range store.Keys(manifest.ProofsPrefix) {
			store.Replace(key, [][]byte{[]byte("{"), []byte(`{"format":"strongroom/9"}`)}[i%2])
		}
		verify()
		if res := mustBackup(t, archive.New(store, archive.Options{}), db); res.Committed {
			t.Fatalf("%+v", res)
		}
		if p, err := archive.New(store, archive.Options{}).LatestProof(t.Context(), manifest.ProofVerify); err != nil || p == nil || p.Outcome != manifest.OutcomeOK {
			t.Fatal(p, err)
		}
	})
}

// A verify that may not write verification records reports that, and verifies all the same.
func TestVerifyWithoutWriting(t *testing.T) {
	t.Parallel()
	store := storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 3)
	db.fill(4, 40)
	mustBackup(t, archive.New(store, archive.Options{}), db)
	r, err := archive.New(readOnly{store}, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{ReadData: true, Proof: true})
	if err != nil || !strings.Contains(r.Unproven, "denied") || len(r.Problems) > 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// Each operation of a repair fails in turn: no existing object is lost, and the next repair ends
// well.
func TestEveryOperationOfARepairFails(t *testing.T) {
	t.Parallel()
	for _, mode := range []storetest.Mode{storetest.NotApplied, storetest.AnswerLost} {
		virtually(t, func(t *testing.T) {
			o := newOriginal(t, t.TempDir(), storetest.Memory(t), 4)
			whole := o.store.(*storetest.InMemory)
			copied := storetest.Memory(t)
			mustCopy(t, whole, copied)
			from := &archive.RepairFrom{Copies: []*archive.Archive{archive.New(copied, archive.Options{})}}
			objects := whole.Keys(manifest.DataPrefix)
			for n := 0; ; n++ {
				store := whole.Clone()
				store.Damage(objects[0], flipped)
				store.Remove(objects[1])
				store.Remove(manifest.ManifestKey(2))
				faulty := storetest.NewFaulty(store, n, mode)
				_, err := archive.New(faulty, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{ReadData: true, Repair: from})
				if err != nil && !errors.Is(err, storetest.ErrInjected) {
					t.Fatal(err)
				}
				if r := mustRepair(t, store, from); len(r.Problems) > 0 || !store.Snapshot().Equal(whole.Snapshot()) {
					t.Fatalf("%s, operation %d: %+v", mode, n, r)
				}
				if !faulty.Hit() {
					return
				}
			}
		})
	}
}

// The proofs of 200,000 objects stay below two megabytes.
func TestProofOfMany(t *testing.T) {
	t.Parallel()
	many := 200_000
	var marks manifest.KeyPrefixes
	for i := range many {
		m := manifest.KeyPrefixOf(fmt.Sprint("data/", i))
		marks = append(marks, m[:]...)
	}
	p := manifest.Proof{Format: manifest.Format, Archive: "6b0f3b0e-2f4e-4c58-9f5a-0d5b4a4f2a10", Kind: manifest.ProofRead, Outcome: manifest.OutcomeOK, Read: []manifest.ReadBack{{Prefixes: marks}}}
	b, err := p.Encode()
	if err != nil || len(b) > 2<<20 {
		t.Fatal(len(b), err)
	}
	if q, err := manifest.DecodeProof(b); err != nil || !slices.Equal(q.Read[0].Prefixes, marks) {
		t.Fatal(err)
	}
}

// readOnly is a store in which nothing can be made.
type readOnly struct{ store.Store }

func (readOnly) Put(context.Context, string, io.ReaderAt, store.Sums) (store.PutResult, error) {
	return store.PutResult{}, errors.New("access denied")
}
