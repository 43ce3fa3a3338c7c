package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func newIdentity(t testing.TB) *age.X25519Identity {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id
}

// encoder makes one; with no recipients nothing is encrypted.
func encoder(t testing.TB, compression string, to ...*age.X25519Identity) *encoding.Encoder {
	t.Helper()
	var keys []string
	for _, id := range to {
		keys = append(keys, id.Recipient().String())
	}
	budget, err := encoding.NewBudget(encoding.Limits{Scratch: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	e, err := encoding.New(encoding.Settings{Compression: compression, Recipients: keys, Budget: budget})
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func decoder(ids ...*age.X25519Identity) *encoding.Decoder {
	var all []age.Identity
	for _, id := range ids {
		all = append(all, id)
	}
	return encoding.NewDecoder(all...)
}

// text is content that can be compressed, another one for each seed.
func text(seed, size int) []byte {
	var b bytes.Buffer
	for i := 0; b.Len() < size; i++ {
		fmt.Fprintf(&b, "record %d of %d: all work and no play makes a log file\n", i, seed)
	}
	return b.Bytes()[:size]
}

// growText does to a database what a day does: files that compress and files that do not,
// small ones and larger ones, and a tail.
func growText(db *database, seed, many int) { growTextOf(db, seed, many, 100_000, 400_000) }

// growTextOf is growText with other sizes of the larger files: one that compresses and one that does not.
func growTextOf(db *database, seed, many, compressible, random int) {
	for i := range many {
		content := text(seed*1000+i, 300+i)
		if i%3 == 0 {
			content = db.noise(300 + i)
		}
		db.set(name(db.last), content)
		db.flip(0)
	}
	db.set(name(db.last), text(seed, compressible))
	db.flip(0)
	db.set(name(db.last), db.noise(random))
	db.flip(0)
	db.set(name(db.last), text(seed, 5000))
}

// settingsOf are all ways to store, with the identities that can read them.
func settingsOf(t testing.TB, id *age.X25519Identity) map[string]archive.Options {
	return map[string]archive.Options{
		manifest.Zstd:    {Encoder: encoder(t, encoding.Zstd)},
		manifest.Age:     {Encoder: encoder(t, encoding.None, id), Decoder: decoder(id)},
		manifest.ZstdAge: {Encoder: encoder(t, encoding.Zstd, id), Decoder: decoder(id)},
	}
}

// Encoded content restores unchanged, from single objects, bundles and the stretches of a tail.
// Each part is encoded as set, or left as it is where that is better. A run with nothing new makes
// no snapshot.
func TestEncodedRoundTrip(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	for how, o := range settingsOf(t, id) {
		for _, many := range []int{3, 30, 270} {
			if many > 100 && brief() {
				continue
			}
			t.Run(fmt.Sprintf("%s, %d files", how, many), func(t *testing.T) {
				store := storetest.Memory(t)
				a := archive.New(store, o)
				db := newDatabase(t, t.TempDir(), uint64(many))
				want := map[int64]map[string][]byte{}
				for i := range 3 {
					if growText(db, i, many); i == 1 { // the tail grows
						db.set(name(db.last), append(bytes.Clone(db.files[name(db.last)]), text(77, 3000)...))
					}
					m := mustBackup(t, a, db).Snapshot
					want[m.Sequence] = maps.Clone(db.files)
				}
				if res := mustBackup(t, archive.New(store, o), db); res.Committed {
					t.Fatalf("nothing was new: %+v", res)
				}
				seen := map[string]bool{}
				m := newest(t, a)
				for i := range m.Files {
					for _, p := range m.Files[i].Parts {
						seen[p.Encoding] = true
						if compressible := bytes.HasPrefix(db.files[m.Files[i].Name], []byte("record")); compressible && p.Encoding != how {
							t.Errorf("%s is stored as %q", m.Files[i].Name, p.Encoding)
						}
					}
				}
				if other := map[string]string{manifest.Zstd: manifest.Plain, manifest.ZstdAge: manifest.Age}[how]; other != how && !seen[other] && how != manifest.Age {
					t.Errorf("what cannot be compressed was: %v", seen)
				}
				if got := m.Recipients; how == manifest.Zstd && got != nil || how != manifest.Zstd && !slices.Equal(got, []string{id.Recipient().String()}) {
					t.Errorf("recipients %q", got)
				}
				if how != manifest.Age && m.Counts.StoredBytes > m.Counts.Bytes*9/10 {
					t.Errorf("%d bytes became %d", m.Counts.Bytes, m.Counts.StoredBytes)
				}
				for n, files := range want {
					mustRestore(t, archive.New(store, o), n, filepath.Join(t.TempDir(), "r"), files)
				}
				mustVerify(t, archive.New(store, o))
				if how == manifest.Zstd {
					return
				}
				blind := mustVerify(t, archive.New(store, archive.Options{})) // the stored bytes are right
				if blind.Unopened == 0 {
					t.Errorf("%+v", blind)
				}
				for _, key := range store.Keys(manifest.DataPrefix) {
					if bytes.Contains(store.Snapshot().Bytes(key), []byte("all work and no play")) {
						t.Errorf("%s can be read without the key", key)
					}
				}
			})
		}
	}
}

// A changed setting applies to new objects. Existing ones stay, and are read as before.
func TestChangedEncoding(t *testing.T) {
	t.Parallel()
	one, two := newIdentity(t), newIdentity(t)
	store := storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 3)
	want := map[int64]map[string][]byte{}
	for i, o := range []archive.Options{
		{}, {Encoder: encoder(t, encoding.Zstd)}, {Encoder: encoder(t, encoding.Zstd, one)}, {Encoder: encoder(t, encoding.None, two)}, {},
	} {
		growText(db, i, 2)
		before := len(store.Keys(manifest.DataPrefix))
		m := mustBackup(t, archive.New(store, o), db).Snapshot
		want[m.Sequence] = maps.Clone(db.files)
		if more := len(store.Keys(manifest.DataPrefix)) - before; i > 0 && more > 5 {
			t.Errorf("setting %d: %d objects, and 5 files are new", i, more)
		}
	}
	a := archive.New(store, archive.Options{Decoder: decoder(one, two)})
	for n, files := range want {
		mustRestore(t, a, n, filepath.Join(t.TempDir(), "r"), files)
	}
	keys := []string{one.Recipient().String(), two.Recipient().String()}
	slices.Sort(keys)
	if m := newest(t, a); !slices.Equal(m.Recipients, keys) {
		t.Errorf("recipients %q", m.Recipients)
	}
	mustVerify(t, a)
}

// Any of several identities will do. With none, or only others, the error names whose it
// takes, nothing is written, and it is not called damage.
func TestIdentities(t *testing.T) {
	t.Parallel()
	one, two, other := newIdentity(t), newIdentity(t), newIdentity(t)
	for _, many := range []int{2, 30} {
		store := storetest.Memory(t)
		db := newDatabase(t, t.TempDir(), 4)
		growText(db, 1, many)
		mustBackup(t, archive.New(store, archive.Options{Encoder: encoder(t, encoding.Zstd, one, two)}), db)
		for _, ids := range [][]*age.X25519Identity{{one}, {two}, {other, two}} {
			mustRestore(t, archive.New(store, archive.Options{Decoder: decoder(ids...)}), 1, filepath.Join(t.TempDir(), "r"), db.files)
		}
		for _, ids := range [][]*age.X25519Identity{nil, {other}} {
			a := archive.New(store, archive.Options{Decoder: decoder(ids...)})
			dir := filepath.Join(t.TempDir(), "r")
			m := newest(t, a)
			_, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{})
			var out bytes.Buffer
			catErr := a.Cat(t.Context(), m, name(1), &out)
			for _, err := range []error{err, catErr} {
				if !errors.Is(err, archive.ErrNoIdentity) || errors.Is(err, archive.ErrDamaged) ||
					!strings.Contains(err.Error(), one.Recipient().String()) || !strings.Contains(err.Error(), two.Recipient().String()) {
					t.Errorf("%d identities: %v", len(ids), err)
				}
			}
			if _, err := os.Stat(dir); err == nil || out.Len() > 0 {
				t.Error("something was written")
			}
		}
	}
}

// Whatever byte of a stored object is altered, and wherever it is cut, a restore returns the
// original content or nothing.
func TestEncodedDamage(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	virtually(t, func(t *testing.T) { encodedDamage(t) })
}

func encodedDamage(t *testing.T) {
	id := newIdentity(t)
	for how, o := range settingsOf(t, id) {
		for _, many := range []int{1, 20} {
			store := storetest.Memory(t)
			db := newDatabase(t, t.TempDir(), 5)
			growTextOf(db, 1, many, 20_000, 140_000) // of more than one chunk of age and one block of zstd
			db.set(name(db.last), text(9, 700))
			mustBackup(t, archive.New(store, o), db)
			for _, key := range append(store.Keys(manifest.DataPrefix), store.Keys(manifest.BundlesPrefix)...) {
				good := store.Snapshot().Bytes(key)
				places := 60
				if brief() {
					places = 3
				}
				for i := range places {
					at := i * len(good) / places
					for what, bad := range map[string][]byte{"cut": good[:at], "altered": altered(good, at), "longer": append(bytes.Clone(good), good[at])} {
						if what == "longer" && strings.HasPrefix(key, manifest.BundlesPrefix) {
							continue // bytes behind the last part are never read
						}
						store.Replace(key, bad)
						r, err := archive.New(store, o).Verify(t.Context(), archive.VerifyOptions{ReadData: true})
						if err != nil || len(r.Problems) == 0 {
							t.Fatalf("%s, %s %s at %d: verify found %+v, %v", how, key, what, at, r, err)
						}
						if i%(places/3) > 0 {
							continue
						}
						m := newest(t, archive.New(store, o))
						for _, f := range m.Files {
							var out bytes.Buffer
							err := archive.New(store, o).Cat(context.Background(), m, f.Name, &out)
							if err == nil && !bytes.Equal(out.Bytes(), db.files[f.Name]) || err != nil && (out.Len() > 0 || !errors.Is(err, archive.ErrDamaged)) {
								t.Fatalf("%s, %s %s at %d: %s: %d bytes, %v", how, key, what, at, f.Name, out.Len(), err)
							}
						}
					}
				}
				store.Replace(key, good)
			}
		}
	}
}

func altered(b []byte, at int) []byte {
	b = bytes.Clone(b)
	b[at] ^= 0x10
	return b
}

// Each operation of an encoded backup fails in turn. The next backup ends well, and adopts the
// stored objects, although encryption would never give the same bytes again. Everything can be
// read.
func TestEveryOperationOfAnEncodedBackupFails(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	for _, how := range []string{manifest.Zstd, manifest.Age, manifest.ZstdAge} {
		for _, mode := range []storetest.Mode{storetest.NotApplied, storetest.AnswerLost} {
			t.Run(fmt.Sprint(how, ", ", mode), func(t *testing.T) {
				virtually(t, func(t *testing.T) {
					o := settingsOf(t, id)[how] // whose channels belong to this bubble
					db := newDatabase(t, t.TempDir(), 6)
					growText(db, 1, 4)
					for n := 0; ; n++ {
						store := storetest.Memory(t)
						faulty := storetest.NewFaulty(store, n, mode)
						_, err := archive.New(faulty, o).Backup(context.Background(), db.source(), options)
						if err != nil && !errors.Is(err, storetest.ErrInjected) {
							t.Fatalf("operation %d: %v", n, err)
						}
						hit := faulty.Hit()
						faulty.Arm(-1, mode)
						mustBackup(t, archive.New(faulty, o), db)
						for _, again := range faulty.SentAgain() {
							if again != manifest.ArchiveKey {
								t.Fatalf("operation %d: acknowledged, and sent again: %q", n, again)
							}
						}
						mustRestore(t, archive.New(store, o), 1, filepath.Join(t.TempDir(), "r"), db.files)
						if !hit {
							return
						}
					}
				})
			})
		}
	}
}
