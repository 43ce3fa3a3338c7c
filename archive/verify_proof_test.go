package archive_test

import (
	"bytes"
	"slices"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Two verifies overlap. Whichever ends last, a problem that one of them found in an object stays
// recorded until the object is read again: for verify, archived, and the next backup.
func TestOverlappingVerifies(t *testing.T) {
	t.Parallel()
	for what, o := range map[string]archive.VerifyOptions{
		"a listing":          {Proof: true},
		"all, but before it": {Proof: true, ReadData: true},
	} {
		for nth := 1; nth <= 2; nth++ { // before this one stores what it found, and just after
			virtually(t, func(t *testing.T) {
				o1 := newOriginal(t, t.TempDir(), storetest.Memory(t), 4)
				store := o1.store.(*storetest.InMemory)
				a := func() *archive.Archive { return archive.New(store, archive.Options{}) }
				look := func(o archive.VerifyOptions) *archive.VerifyReport {
					time.Sleep(time.Minute)
					r, err := a().Verify(t.Context(), o)
					if err != nil || r.Unproven != "" {
						t.Fatalf("%s: %+v, %v", what, r, err)
					}
					return r
				}
				look(archive.VerifyOptions{Proof: true, ReadData: true})
				m := newest(t, a())
				f := &m.Files[0]
				bad := f.Parts[0].Object
				good := store.Snapshot().Bytes(bad)
				s := &torn{InMemory: store, prefix: manifest.ProofsPrefix, nth: nth}
				s.do = func() {
					store.Replace(bad, flipped(good))
					if r := look(archive.VerifyOptions{Proof: true, ReadData: true}); len(r.Problems) != 1 {
						t.Fatalf("%+v", r)
					}
					time.Sleep(time.Minute)
				}
				r, err := archive.New(s, archive.Options{}).Verify(t.Context(), o)
				if err != nil || s.do != nil || len(r.Problems) != 1 || r.Coverage.Read != r.Coverage.Objects-1 {
					t.Fatalf("%s: %+v, %v", what, r, err)
				}
				if r := look(archive.VerifyOptions{Proof: true}); len(r.Problems) != 1 || r.Coverage.Read != r.Coverage.Objects-1 {
					t.Fatalf("%s: a third one: %+v", what, r)
				}
				if not, err := a().Archived(t.Context(), m, o1.db.dir, []string{f.Name}); err != nil || len(not) != 1 {
					t.Fatalf("%s: archived: %v, %v", what, not, err)
				}
				mustBackupForced(t, a(), o1)
				if now := newest(t, a()); now.Files[0].Parts[0].Object == bad {
					t.Fatalf("%s: the next backup relies on %s", what, bad)
				}
				store.Replace(bad, good)
				if r := look(archive.VerifyOptions{Proof: true, ReadData: true}); len(r.Problems) > 0 {
					t.Fatalf("%s: it was read again, and is right: %+v", what, r)
				}
			})
		}
	}
}

// Problems of more objects than a verification record can name are recorded all the same: by
// prefixes of the other keys.
func TestProofOfMuchDamage(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		o := newOriginal(t, t.TempDir(), storetest.Memory(t), 4)
		store := o.store.(*storetest.InMemory)
		a := func() *archive.Archive { return archive.New(store, archive.Options{}) }
		m := newest(t, a())
		f := &m.Files[0]
		mark := manifest.KeyPrefixOf(f.Parts[0].Object)
		p := &manifest.Proof{
			Format: manifest.Format, Archive: m.Archive, Kind: manifest.ProofVerify, Created: time.Now().UTC().Truncate(time.Millisecond),
			Outcome: manifest.OutcomeFailed, More: mark[:],
		}
		b, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := store.Put(t.Context(), manifest.ProofKey(p.Created, p.Kind), bytes.NewReader(b), storetest.SumsOf(b)); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if not, err := a().Archived(t.Context(), m, o.db.dir, []string{f.Name, m.Files[1].Name}); err != nil || len(not) != 1 {
			t.Errorf("archived: %v, %v", not, err)
		}
		for range 2 {
			r, err := a().Verify(t.Context(), archive.VerifyOptions{Proof: true})
			if err != nil || len(r.Problems) != 1 || r.Problems[0].Object != f.Parts[0].Object {
				t.Errorf("%+v, %v", r, err)
			}
		}
		mustBackupForced(t, a(), o)
		if now := newest(t, a()); now.Files[0].Parts[0].Object == f.Parts[0].Object {
			t.Error("the next backup relies on it")
		}
	})
}

// All manifests are gone, and with them every snapshot: that is no sound archive.
func TestVerifyOfNothing(t *testing.T) {
	t.Parallel()
	for _, proven := range []bool{true, false} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 3)
			copied := h.store.Clone()
			if proven {
				mustVerify(t, h.archive())
				if _, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Proof: true}); err != nil {
					t.Fatal(err)
				}
			}
			for _, k := range h.store.Keys(manifest.ManifestsPrefix) {
				h.store.Remove(k)
			}
			for range 2 {
				r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Proof: true})
				if err != nil || len(r.Problems) != 1 || r.Problems[0].Kind != archive.ProblemMissing {
					t.Fatalf("%+v, %v", r, err)
				}
			}
			mustCopy(t, copied, h.store)
			h.sound(1, 2, 3)
		})
	}
}

// The findings of a host with a slow clock count, and a record from the future does not stay the
// newest for ever.
func TestProofsOfOtherClocks(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newPruned(t, 3)
		m := newest(t, h.archive())
		f := &m.Files[0]
		verify := func() *archive.VerifyReport {
			time.Sleep(time.Hour)
			r, err := h.archive().Verify(t.Context(), archive.VerifyOptions{Proof: true, ReadData: true})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		// renamed verifies as if on a host with another clock.
		renamed := func(by time.Duration) *archive.VerifyReport {
			before := h.store.Keys(manifest.ProofsPrefix)
			r := verify()
			for _, key := range h.store.Keys(manifest.ProofsPrefix) {
				if slices.Contains(before, key) {
					continue
				}
				at, kind, _ := manifest.ParseProofKey(key)
				b := h.store.Snapshot().Bytes(key)
				h.store.Remove(key)
				if _, err := h.store.Put(t.Context(), manifest.ProofKey(at.Add(by), kind), bytes.NewReader(b), storetest.SumsOf(b)); err != nil {
					t.Fatal(err)
				}
			}
			return r
		}
		for range 3 {
			renamed(400 * 24 * time.Hour)
		}
		h.store.Damage(f.Parts[0].Object, flipped)
		if r := renamed(-400 * 24 * time.Hour); len(r.Problems) != 1 {
			t.Fatalf("%+v", r)
		}
		not, err := h.archive().Archived(t.Context(), m, h.db.dir, []string{f.Name})
		if err != nil || len(not) != 1 {
			t.Fatalf("%v, %v", not, err)
		}
		h.keepLast(3) // which removes old proofs, and never the last
		if not, err = h.archive().Archived(t.Context(), m, h.db.dir, []string{f.Name}); err != nil || len(not) != 1 {
			t.Fatalf("after a prune: %v, %v", not, err)
		}
	})
}
