package archive_test

import (
	"context"
	"crypto/md5"
	"errors"
	"fmt"
	"io"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// foreseen returns the objects that the next backup is expected to store under foreseeable keys:
// those that a backup of the same database stores in a copy of the store.
func foreseen(t testing.TB, store *storetest.InMemory, db *database, o archive.Options) map[string][]byte {
	t.Helper()
	rehearsal := store.Clone()
	n := mustBackup(t, archive.New(rehearsal, archive.Options{Encoder: o.Encoder}), db).Snapshot.Sequence
	all := map[string][]byte{}
	content := rehearsal.Snapshot()
	for _, key := range rehearsal.Keys("") {
		if k, ok := manifest.ParseObjectKey(key); ok && k.Sequence == n {
			without, _ := manifest.CutNonce(key)
			all[without] = content.Bytes(key)
		}
	}
	return all
}

// plant puts rubbish under keys, of the size and CRC-32C that are expected there.
func plant(store *storetest.InMemory, keys map[string][]byte) {
	for key, content := range keys {
		store.Replace(key, storetest.Forge(content))
	}
}

// An attacker may only create objects. Whatever objects exist under foreseeable keys, a backup
// without the identity goes on, names none of them, and reports them. Every command agrees that all
// is well, the restore is right, and a prune deletes the rubbish.
func TestCreateOnlyAttacker(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	id := newIdentity(t)
	settings := settingsOf(t, id)
	settings[manifest.Plain] = archive.Options{}
	for how, o := range settings {
		for _, many := range []int{3, 30, 270} {
			if many > 30 && (brief() || how != manifest.ZstdAge && how != manifest.Plain) { // pages are never encrypted
				continue
			}
			t.Run(fmt.Sprintf("%q, %d files", how, many), func(t *testing.T) {
				attack(t, o, many, false)
				if many == 30 {
					attack(t, o, many, true) // without checksums, as on a file system
				}
			})
		}
	}
}

func attack(t *testing.T, o archive.Options, many int, plain bool) {
	store := storetest.Memory(t)
	store.Plain = plain
	db := newDatabase(t, t.TempDir(), 90)
	archiver := archive.New(store, archive.Options{Encoder: o.Encoder, State: &archive.LocalState{Dir: t.TempDir()}})
	want := map[int64]map[string][]byte{}
	planted := map[string]bool{}
	for i := range 2 {
		growText(db, i, many)
		if i == 1 && many == 3 {
			db.grow(900) // of the tail only what is new
		}
		rubbish := foreseen(t, store, db, o)
		plant(store, rubbish)
		res := mustBackup(t, archiver, db)
		n := res.Snapshot.Sequence
		want[n] = maps.Clone(db.files)
		if !res.Committed || n != int64(i+1) || res.Adopted > 0 {
			t.Fatalf("%+v", res)
		}
		for key := range rubbish {
			planted[key] = true
		}
		checkNothingPlanted(t, archive.New(store, o), n, planted)
		if o.Encoder == nil && !slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, firstOf(rubbish)) }) {
			t.Errorf("%s is not named: %q", firstOf(rubbish), res.Warnings)
		}
	}
	blind, open := archive.New(store, archive.Options{}), archive.New(store, o)
	if l := mustList(t, blind); len(l) != 2 {
		t.Errorf("%+v", l)
	}
	if v := mustVerify(t, blind); v.Unreferenced < len(planted) {
		t.Errorf("%d objects are named by no snapshot, and %d were planted", v.Unreferenced, len(planted))
	}
	mustVerify(t, open)
	if missing, err := blind.Archived(t.Context(), newest(t, blind), db.dir, db.closed()); err != nil || len(missing) > 0 {
		t.Errorf("%+v, %v", missing, err)
	}
	for n, files := range want {
		mustRestore(t, open, n, filepath.Join(t.TempDir(), "r"), files)
	}
	if _, err := blind.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 9}}); err != nil {
		t.Fatal(err)
	}
	for key := range planted {
		if store.Snapshot().Bytes(key) != nil {
			t.Errorf("%s is there after a prune", key)
		}
	}
	for n, files := range want {
		mustRestore(t, open, n, filepath.Join(t.TempDir(), "r"), files)
	}
}

func firstOf(keys map[string][]byte) string { return slices.Min(slices.Collect(maps.Keys(keys))) }

// checkNothingPlanted fails the test if a snapshot names what was planted, or a key that could
// be foreseen of something encrypted.
func checkNothingPlanted(t *testing.T, a *archive.Archive, n int64, planted map[string]bool) {
	t.Helper()
	m, err := a.Snapshot(t.Context(), archive.Selector{Sequence: n})
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range m.Pages {
		if planted[p.Object] {
			t.Errorf("snapshot %d names the planted page %s", n, p.Object)
		}
	}
	for _, f := range m.Files {
		for _, p := range f.Parts {
			k, _ := manifest.ParseObjectKey(p.Object)
			if planted[p.Object] || strings.HasSuffix(p.Encoding, manifest.Age) && k.Prefix == manifest.DataPrefix && k.Nonce == "" {
				t.Errorf("snapshot %d names %s for %s", n, p.Object, f.Name)
			}
			if k.Nonce != "" && m.Format != manifest.Format2 {
				t.Errorf("snapshot %d has the format %s and names %s", n, m.Format, p.Object)
			}
		}
	}
}

// rival creates what the attacker has in mind just before each Put of this run, and answers as
// a provider does that compares by size and CRC-32C.
type rival struct {
	store.Store
	memory *storetest.InMemory
	plan   func(key string, content []byte) []byte
	once   bool // only before the first Put

	mu      sync.Mutex
	planted int
}

func (r *rival) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	k, ok := manifest.ParseObjectKey(key)
	if !ok || k.Nonce != "" || r.once && r.planted > 0 {
		return r.Store.Put(ctx, key, body, sums)
	}
	content := make([]byte, sums.Size)
	if _, err := body.ReadAt(content, 0); err != nil && err != io.EOF {
		return store.PutResult{}, err
	}
	r.planted++
	there := r.plan(key, content)
	r.memory.Replace(key, there)
	if is := storetest.SumsOf(there); is.Size != sums.Size || is.CRC32C != sums.CRC32C {
		return store.PutResult{}, fmt.Errorf("putting %s: %w", key, store.ErrExists)
	}
	return store.PutResult{Existed: true}, nil
}

// Rubbish that appears between a read and the Put, and that the provider takes for the same, is not
// named either. An existing object with the right content needs no second key.
func TestCreateOnlyAttackerIsFaster(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	id := newIdentity(t)
	settings := settingsOf(t, id)
	settings[manifest.Plain] = archive.Options{}
	plans := map[string]func(string, []byte) []byte{
		"forged": func(_ string, b []byte) []byte { return storetest.Forge(b) },
		"other":  func(_ string, b []byte) []byte { return append(b, 1) },
		"empty":  func(string, []byte) []byte { return nil },
		"right":  func(_ string, b []byte) []byte { return b },
	}
	for how, o := range settings {
		for what, plan := range plans {
			t.Run(fmt.Sprintf("%q %s", how, what), func(t *testing.T) {
				store := storetest.Memory(t)
				db := newDatabase(t, t.TempDir(), 91)
				many := 20
				if what == "forged" {
					many = 260 // with a page
				}
				growText(db, 1, many)
				r := &rival{Store: store, memory: store, plan: plan}
				res := mustBackup(t, archive.New(r, archive.Options{Encoder: o.Encoder, Transfers: 1}), db)
				if !res.Committed || r.planted == 0 {
					t.Fatalf("%d planted: %+v", r.planted, res)
				}
				if noise := len(res.Warnings) > 0; noise != (what != "right") {
					t.Errorf("warnings: %q", res.Warnings)
				}
				mustVerify(t, archive.New(store, o))
				mustRestore(t, archive.New(store, o), 1, filepath.Join(t.TempDir(), "r"), db.files)
			})
		}
	}
}

// A store under whose every key something else appears ends a backup with an error, and not
// never.
func TestEveryKeyIsTaken(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 92)
		db.fill(3, 500)
		taken := &takenStore{Store: storetest.Memory(t)}
		for _, e := range []*encoding.Encoder{nil, encoder(t, encoding.None, newIdentity(t))} {
			_, err := archive.New(taken, archive.Options{Encoder: e}).Backup(t.Context(), db.source(), options)
			if err == nil || !strings.Contains(err.Error(), manifest.DataPrefix) {
				t.Errorf("%v", err)
			}
		}
	})
}

type takenStore struct{ store.Store }

func (s *takenStore) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if _, ok := manifest.ParseObjectKey(key); ok {
		return store.PutResult{}, fmt.Errorf("putting %s: %w", key, store.ErrExists)
	}
	return s.Store.Put(ctx, key, body, sums)
}

// A copy names no other keys than its source does. So rubbish in their place, there before or
// created just now, fails the copy and is named; once it is gone, the copy goes on.
func TestCopyTakesNoRubbish(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	for _, files := range []int{4, 270} {
		for _, faster := range []bool{false, true} {
			for _, plain := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d files, faster: %v, plain: %v", files, faster, plain), func(t *testing.T) {
					o := newOriginal(t, t.TempDir(), storetest.Memory(t), files)
					memory := storetest.Memory(t)
					memory.Plain = plain
					f := storetest.NewFaulty(memory, -1, storetest.NotApplied)
					var to store.Store = f
					good := o.store.(*storetest.InMemory).Snapshot()
					planted := map[string]bool{}
					for _, key := range good.Keys("") {
						k, ok := manifest.ParseObjectKey(key)
						if ok && k.Sequence == 1 && (k.Prefix != manifest.DataPrefix || strings.Contains(key, name(1))) {
							planted[key] = true
						}
					}
					if faster {
						to = &rival{Store: f, memory: memory, plan: func(key string, b []byte) []byte {
							if planted[key] {
								b = storetest.Forge(b)
							}
							return b
						}}
					} else {
						for key := range planted {
							memory.Replace(key, storetest.Forge(good.Bytes(key)))
						}
					}
					_, err := archive.Copy(t.Context(), archive.New(o.store, archive.Options{}), archive.New(to, archive.Options{}), archive.CopyOptions{})
					if !errors.Is(err, store.ErrExists) || len(memory.Keys(manifest.ManifestsPrefix)) > 0 {
						t.Fatalf("%v; manifests: %q", err, memory.Keys(manifest.ManifestsPrefix))
					}
					for key := range planted {
						if !strings.Contains(err.Error(), key) {
							t.Errorf("%s is not named: %v", key, err)
						}
						memory.Remove(key)
					}
					mustCopy(t, o.store, f)
					sameContent(t, o.store, memory)
					if again := f.SentAgain(); len(again) > 1 { // archive.json is put twice
						t.Errorf("sent again: %q", again)
					}
				})
			}
		}
	}
}

// A repair that restores a missing object does not accept a foreign object in its place.
func TestRepairTakesNoRubbish(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	virtually(t, func(t *testing.T) {
		o := newOriginal(t, t.TempDir(), storetest.Memory(t), 270)
		store, copied := o.store.(*storetest.InMemory), storetest.Memory(t)
		mustCopy(t, store, copied)
		good := store.Snapshot()
		for _, key := range good.Keys("") {
			if _, ok := manifest.ParseObjectKey(key); !ok {
				continue
			}
			for what, plan := range map[string]func(string, []byte) []byte{
				"forged": func(_ string, b []byte) []byte { return storetest.Forge(b) },
				"other":  func(_ string, b []byte) []byte { return append(b, 1) },
			} {
				store.Remove(key)
				r := &rival{Store: store, memory: store, plan: plan, once: true}
				v := mustRepair(t, r, &archive.RepairFrom{Copies: []*archive.Archive{archive.New(copied, archive.Options{})}})
				if len(v.Problems) > 0 || len(v.Repaired) != 1 || r.planted != 1 || !store.Snapshot().Equal(good) {
					t.Errorf("%s, %s: %+v", key, what, v.Problems)
				}
			}
		}
	})
}

// md5Store is a store that holds an MD5 and no CRC-32C, as Azure does: the one that the client
// sent, right or wrong.
type md5Store struct {
	store.Store
	reported map[string]string
}

func (s *md5Store) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := s.Store.Stat(ctx, key)
	o.CRC32C, o.MD5 = nil, s.reported[key]
	return o, err
}

// The right content with a wrong MD5 beside it is not adopted: the manifest would repeat the MD5,
// and in a copy at another provider verify would report damage.
func TestWrongMD5IsNotAdopted(t *testing.T) {
	t.Parallel()
	for how, e := range map[string]*encoding.Encoder{manifest.Plain: nil, manifest.Zstd: encoder(t, encoding.Zstd)} {
		memory := storetest.Memory(t)
		db := newDatabase(t, t.TempDir(), 98)
		for range 3 {
			db.set(name(db.last), text(db.last, 500))
			db.flip(20)
		}
		store := &md5Store{memory, map[string]string{}}
		all := foreseen(t, memory, db, archive.Options{Encoder: e})
		for key, content := range all {
			memory.Replace(key, content)
			store.reported[key] = fmt.Sprintf("%x", md5.Sum(content))
		}
		wrong := firstOf(all)
		store.reported[wrong] = strings.Repeat("0", 32)
		res := mustBackup(t, archive.New(store, archive.Options{Encoder: e}), db)
		if res.Adopted != len(all)-1 || len(res.Warnings) != 1 || !strings.Contains(res.Warnings[0], wrong) {
			t.Errorf("%q: %d of %d were adopted: %q", how, res.Adopted, len(all), res.Warnings)
		}
		for _, f := range newest(t, archive.New(memory, archive.Options{})).Files {
			if p := f.Parts[0]; p.Stored.MD5 != store.reported[p.Object] || p.Object == wrong {
				t.Errorf("%q: %s is recorded with the MD5 %q", how, p.Object, p.Stored.MD5)
			}
		}
	}
}
