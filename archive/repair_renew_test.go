package archive_test

import (
	"maps"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// twins are two encrypted destinations of one database, whose files the database no longer has.
type twins struct {
	t    *testing.T
	id   *age.X25519Identity
	one  *storetest.InMemory
	two  *storetest.InMemory
	want []map[string][]byte // by snapshot, from 1 on
}

func (w *twins) open(s *storetest.InMemory, ids ...*age.X25519Identity) *archive.Archive {
	return archive.New(s, archive.Options{Encoder: encoder(w.t, encoding.Zstd, w.id), Decoder: decoder(ids...)})
}

func newTwins(t *testing.T, many int) *twins {
	t.Helper()
	w := &twins{t: t, id: newIdentity(t), one: storetest.Memory(t), two: storetest.Memory(t)}
	db := newDatabase(t, t.TempDir(), 17)
	for i := range 2 {
		growText(db, i, many)
		mustBackup(t, w.open(w.one), db)
		w.want = append(w.want, maps.Clone(db.files))
		if i == 1 { // the slower destination has the tail at a later moment
			db.set(nameOf(db), append(db.files[nameOf(db)], text(9, 700)...))
		}
		mustBackup(t, w.open(w.two), db)
	}
	return w
}

func (w *twins) repair(from *archive.RepairFrom, ids ...*age.X25519Identity) *archive.VerifyReport {
	w.t.Helper()
	r, err := w.open(w.one, ids...).Verify(w.t.Context(), archive.VerifyOptions{ReadData: true, Repair: from, Proof: true, Tool: "test"})
	if err != nil || r.Unproven != "" {
		w.t.Fatalf("%+v, %v", r, err)
	}
	return r
}

// partOf returns the object of a file's last part in the newest snapshot.
func (w *twins) partOf(file func(*manifest.Manifest) *manifest.File) string {
	f := file(newest(w.t, w.open(w.one)))
	return f.Parts[len(f.Parts)-1].Object
}

// Two encrypted destinations have other bytes for the same content. With the identity, what the newest snapshot has lost
// is stored again from the other destination, in a new snapshot. The older ones need a copy, and the report states both.
func TestEncryptedDestinationRestoresTheNewest(t *testing.T) {
	t.Parallel()
	first := func(m *manifest.Manifest) *manifest.File { return &m.Files[0] }
	last := func(m *manifest.Manifest) *manifest.File { return &m.Files[len(m.Files)-1] }
	for what, lose := range map[string]func(*twins){
		"a file is missing": func(w *twins) { w.one.Remove(w.partOf(first)) },
		"a file is damaged": func(w *twins) { w.one.Damage(w.partOf(first), flipped) },
		"the tail":          func(w *twins) { w.one.Damage(w.partOf(last), flipped) },
		"everything": func(w *twins) {
			for _, prefix := range []string{manifest.DataPrefix, manifest.BundlesPrefix} {
				for _, key := range w.one.Keys(prefix) {
					w.one.Remove(key)
				}
			}
		},
	} {
		for _, many := range []int{3, 30} { // 30 are bundled
			virtually(t, func(t *testing.T) {
				w := newTwins(t, many)
				copied := w.one.Clone()
				lose(w)
				damaged := w.one.Snapshot()
				others := &archive.RepairFrom{Others: []*archive.Archive{w.open(w.two)}}
				r := w.repair(others) // without the identity
				if len(r.Problems) == 0 || r.Renewed != nil || !strings.Contains(r.Problems[0].RepairError, encoding.ErrNoIdentity.Error()) {
					t.Fatalf("%s, without the identity: %+v", what, r)
				}
				if now := w.one.Snapshot(); len(now.Keys(manifest.ManifestsPrefix)) != len(damaged.Keys(manifest.ManifestsPrefix)) {
					t.Fatalf("%s: there is a snapshot without its content", what)
				}
				others.Others[0] = w.open(w.two, w.id)
				r = w.repair(others, w.id)
				if len(r.Problems) == 0 || r.Renewed == nil || r.Renewed.Snapshot != 3 || r.Renewed.Files == 0 {
					t.Fatalf("%s: %+v", what, r)
				}
				if why := r.Problems[0].RepairError; !strings.Contains(why, "snapshot 3 has the content again") || !strings.Contains(why, "a copy") {
					t.Errorf("%s: %s", what, why)
				}
				mustRestore(t, w.open(w.one, w.id), 3, filepath.Join(t.TempDir(), "r"), w.want[1])
				if m := newest(t, w.open(w.one)); len(m.Recipients) != 1 || m.Counts.Changed > 0 {
					t.Errorf("%s: %+v", what, m.Summary)
				}
				if r := w.repair(others, w.id); r.Renewed != nil {
					t.Errorf("%s: snapshot 3 is whole, and was made again: %+v", what, r)
				}
				r = w.repair(&archive.RepairFrom{Copies: []*archive.Archive{w.open(copied)}}, w.id)
				if len(r.Problems) > 0 {
					t.Fatalf("%s: a copy restores the older ones: %+v", what, r)
				}
				mustRestore(t, w.open(w.one, w.id), 1, filepath.Join(t.TempDir(), "r"), w.want[0])
			})
		}
	}
}

// Without a configuration an operator names the other destination as a copy. Its id shows that it is none.
func TestOtherDestinationGivenAsACopy(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		w := newTwins(t, 3)
		w.one.Remove(w.partOf(func(m *manifest.Manifest) *manifest.File { return &m.Files[0] }))
		r := w.repair(&archive.RepairFrom{Copies: []*archive.Archive{w.open(w.two, w.id)}}, w.id)
		if r.Renewed == nil || r.Renewed.Files != 1 {
			t.Fatalf("%+v", r)
		}
		mustRestore(t, w.open(w.one, w.id), 3, filepath.Join(t.TempDir(), "r"), w.want[1])
	})
}

// What the other destination cannot supply stays as it is, and what it can is stored again.
func TestRenewedAsFarAsPossible(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		w := newTwins(t, 3)
		for _, s := range []*storetest.InMemory{w.one, w.two} {
			m := newest(t, w.open(s))
			s.Damage(m.Files[0].Parts[0].Object, flipped)
		}
		lost := w.partOf(func(m *manifest.Manifest) *manifest.File { return &m.Files[1] })
		w.one.Remove(lost)
		r := w.repair(&archive.RepairFrom{Others: []*archive.Archive{w.open(w.two, w.id)}}, w.id)
		if r.Renewed == nil || r.Renewed.Files != 1 || len(r.Problems) != 2 {
			t.Fatalf("%+v", r)
		}
		for i, want := range []string{"lack the content of 1 files", "snapshot 3 has the content again"} {
			if why := r.Problems[i].RepairError; !strings.Contains(why, want) {
				t.Errorf("%s", why)
			}
		}
		m := newest(t, w.open(w.one))
		if m.Sequence != 3 || m.Files[1].Parts[0].Object == lost {
			t.Fatalf("%+v", m.Files[1])
		}
	})
}

// Without recipients nothing is stored in plain in an encrypted archive.
func TestRenewedOnlyEncrypted(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		w := newTwins(t, 3)
		w.one.Remove(w.partOf(func(m *manifest.Manifest) *manifest.File { return &m.Files[0] }))
		from := &archive.RepairFrom{Others: []*archive.Archive{w.open(w.two, w.id)}}
		r, err := archive.New(w.one, archive.Options{Decoder: decoder(w.id)}).
			Verify(t.Context(), archive.VerifyOptions{ReadData: true, Repair: from})
		if err != nil || len(r.Problems) != 1 || r.Renewed != nil || !strings.Contains(r.Problems[0].RepairError, "no recipients") {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}

// The host that repairs has a state directory. The snapshot that it makes names no writer, since it has an old state of
// the database: otherwise the host that archives would warn of a second archiver.
func TestRenewedNamesNoWriter(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		w := newTwins(t, 3)
		w.one.Remove(w.partOf(func(m *manifest.Manifest) *manifest.File { return &m.Files[0] }))
		a := archive.New(w.one, archive.Options{
			Encoder: encoder(t, encoding.Zstd, w.id), Decoder: decoder(w.id), State: &archive.LocalState{Dir: t.TempDir()},
		})
		from := &archive.RepairFrom{Others: []*archive.Archive{w.open(w.two, w.id)}}
		r, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true, Repair: from})
		if err != nil || r.Renewed == nil {
			t.Fatalf("%+v, %v", r, err)
		}
		if m := newest(t, a); m.Sequence != r.Renewed.Snapshot || m.Writer != "" {
			t.Errorf("snapshot %d names the writer %q", m.Sequence, m.Writer)
		}
	})
}
