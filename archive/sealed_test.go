package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// interrupted is an encrypted first backup that ended in the middle: twelve files, each in an
// object of its own.
type interrupted struct {
	db    *database
	store *storetest.InMemory
	state string // the state directory
	left  int    // objects that it stored
}

func interrupt(t *testing.T, o archive.Options, mode storetest.Mode, plain bool) *interrupted {
	t.Helper()
	i := &interrupted{db: newDatabase(t, t.TempDir(), 93), store: storetest.Memory(t), state: t.TempDir()}
	i.store.Plain = plain
	for range 11 {
		i.db.set(name(i.db.last), text(i.db.last, 500))
		i.db.flip(0)
	}
	f := storetest.NewFaulty(i.store, 10, mode).Down()
	o.State = &archive.LocalState{Dir: i.state}
	if _, err := archive.New(f, o).Backup(t.Context(), i.db.source(), options); !errors.Is(err, storetest.ErrInjected) {
		t.Fatalf("%v", err)
	}
	if i.left = len(i.store.Keys(manifest.DataPrefix)); i.left < 3 || i.left > 10 {
		t.Fatalf("%d of 12 objects were stored", i.left)
	}
	return i
}

// again runs the backup again and checks that what it made restores.
func (i *interrupted) again(t *testing.T, a *archive.Archive, open archive.Options) *archive.BackupResult {
	t.Helper()
	res := mustBackup(t, a, i.db)
	mustRestore(t, archive.New(i.store, open), res.Snapshot.Sequence, filepath.Join(t.TempDir(), "r"), i.db.files)
	mustVerify(t, archive.New(i.store, open))
	return res
}

func (i *interrupted) pending(t *testing.T) string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(i.state, "*.pending"))
	if err != nil || len(found) != 1 {
		t.Fatalf("%q, %v", found, err)
	}
	return found[0]
}

// Without the identity, the objects of an interrupted backup cannot be compared. An object that
// this host recorded before it sent it is adopted all the same; without a record none is.
func TestSealedObjectsAreAdopted(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	for _, how := range []string{manifest.Age, manifest.ZstdAge} {
		for _, mode := range []storetest.Mode{storetest.NotApplied, storetest.AnswerLost} {
			for _, plain := range []bool{false, true} {
				t.Run(fmt.Sprint(how, ", ", mode, ", plain=", plain), func(t *testing.T) {
					open := settingsOf(t, id)[how]
					seal := archive.Options{Encoder: open.Encoder, Transfers: 1}
					i := interrupt(t, seal, mode, plain)
					seal.State = &archive.LocalState{Dir: i.state}
					res := i.again(t, archive.New(i.store, seal), open)
					if n := len(i.store.Keys(manifest.DataPrefix)); res.Adopted != i.left || n != 12 {
						t.Errorf("%d were left and %d were adopted; now there are %d", i.left, res.Adopted, n)
					}
					if left, err := filepath.Glob(filepath.Join(i.state, "*.pending")); err != nil || len(left) > 0 {
						t.Errorf("after the commit there is %q, %v", left, err)
					}

					i = interrupt(t, archive.Options{Encoder: open.Encoder, Transfers: 1}, mode, plain)
					res = i.again(t, archive.New(i.store, archive.Options{Encoder: open.Encoder}), open)
					if n := len(i.store.Keys(manifest.DataPrefix)); res.Adopted > 0 || n != 12+i.left {
						t.Errorf("without a record %d of %d were adopted; now there are %d", res.Adopted, i.left, n)
					}
				})
			}
		}
	}
}

// A service that tries again has seen itself what it stored, also without a state directory.
func TestSealedObjectsAreAdoptedInOneProcess(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	store := storetest.Memory(t)
	f := storetest.NewFaulty(store, 10, storetest.NotApplied).Down()
	db := newDatabase(t, t.TempDir(), 94)
	for range 11 {
		db.set(name(db.last), text(db.last, 500))
		db.flip(0)
	}
	a := archive.New(f, archive.Options{Encoder: encoder(t, encoding.None, id), Transfers: 1})
	if _, err := a.Backup(t.Context(), db.source(), options); !errors.Is(err, storetest.ErrInjected) {
		t.Fatalf("%v", err)
	}
	left := len(store.Keys(manifest.DataPrefix))
	f.Arm(-1, storetest.NotApplied)
	if res := mustBackup(t, a, db); left == 0 || res.Adopted != left {
		t.Errorf("%d of %d were adopted", res.Adopted, left)
	}
	mustRestore(t, archive.New(store, archive.Options{Decoder: decoder(id)}), 1, filepath.Join(t.TempDir(), "r"), db.files)
}

// A record that was cut by a power loss, or in which a bit has flipped, costs storing one object
// again, and never gets into a manifest.
func TestDamagedRecordOfSealedObjects(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	id := newIdentity(t)
	open := archive.Options{Encoder: encoder(t, encoding.None, id), Decoder: decoder(id)}
	i := interrupt(t, archive.Options{Encoder: open.Encoder, Transfers: 1}, storetest.NotApplied, false)
	file := i.pending(t)
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	before := i.store.Clone()
	bad := map[string][]byte{"empty": nil, "zeros": make([]byte, len(good)), "longer": append(bytes.Clone(good), good[:40]...), "whole": good}
	step := len(good) / 60
	for at := 0; at < len(good); at += step {
		bad[fmt.Sprint("cut at ", at)] = good[:at]
		bad[fmt.Sprint("flipped at ", at)] = altered(good, at)
	}
	for what, content := range bad {
		if err := os.WriteFile(file, content, 0o600); err != nil {
			t.Fatal(err)
		}
		i.store = before.Clone()
		seal := archive.Options{Encoder: open.Encoder, State: &archive.LocalState{Dir: i.state}}
		res := i.again(t, archive.New(i.store, seal), open)
		whole := what == "whole" || what == "longer"
		if res.Adopted > i.left || whole && res.Adopted != i.left || what == "empty" && res.Adopted > 0 {
			t.Errorf("%s: %d of %d were adopted", what, res.Adopted, i.left)
		}
		os.RemoveAll(i.state) // as another host would find it
		if err := os.Mkdir(i.state, 0o700); err != nil {
			t.Fatal(err)
		}
	}
}

// An object recorded for one number is not adopted for another: a prune may delete it.
func TestRecordOfSealedObjectsIsOfOneNumber(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	open := archive.Options{Encoder: encoder(t, encoding.None, id), Decoder: decoder(id)}
	i := interrupt(t, archive.Options{Encoder: open.Encoder, Transfers: 1}, storetest.NotApplied, false)
	rival := newDatabase(t, t.TempDir(), 95)
	rival.fill(2, 100)
	mustBackup(t, archive.New(i.store, archive.Options{}), rival) // takes the number 1
	o := options
	o.Acceptance = acceptAll
	seal := archive.Options{Encoder: open.Encoder, State: &archive.LocalState{Dir: i.state}}
	res, err := archive.New(i.store, seal).Backup(t.Context(), i.db.source(), o)
	if err != nil || res.Adopted > 0 || res.Snapshot.Sequence != 2 {
		t.Fatalf("%+v, %v", res, err)
	}
	m := newest(t, archive.New(i.store, open))
	for _, f := range m.Files {
		if k, _ := manifest.ParseObjectKey(f.Parts[0].Object); k.Sequence != 2 {
			t.Errorf("%s lies in %s", f.Name, f.Parts[0].Object)
		}
	}
	mustRestore(t, archive.New(i.store, open), 2, filepath.Join(t.TempDir(), "r"), i.db.files)
}

// Whatever object exists under a recorded key, only the bytes that were to be stored are adopted.
func TestRecordedKeyHoldsSomethingElse(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	open := archive.Options{Encoder: encoder(t, encoding.None, id), Decoder: decoder(id)}
	for _, plain := range []bool{false, true} {
		i := interrupt(t, archive.Options{Encoder: open.Encoder, Transfers: 1}, storetest.NotApplied, plain)
		for n, key := range i.store.Keys(manifest.DataPrefix) {
			b := i.store.Snapshot().Bytes(key)
			switch {
			case n == 0:
				i.store.Replace(key, altered(b, 7))
			case n == 1:
				i.store.Replace(key, b[1:])
			case n == 2 && plain: // a store with checksums has one that is right
				i.store.Replace(key, storetest.Forge(b))
			}
		}
		seal := archive.Options{Encoder: open.Encoder, State: &archive.LocalState{Dir: i.state}}
		res := i.again(t, archive.New(i.store, seal), open)
		if want := i.left - 2; res.Adopted > want || res.Adopted < want-1 || len(res.Warnings) == 0 {
			t.Errorf("%d of %d were adopted: %q", res.Adopted, i.left, res.Warnings)
		}
	}
}

// With the identity the content can be compared, if what that opens is open to every recipient.
// An attacker can encrypt the right content to one of two.
func TestSealedObjectsAreAdoptedWithTheIdentity(t *testing.T) {
	t.Parallel()
	one, two := newIdentity(t), newIdentity(t)
	for _, test := range []struct {
		encoder *encoding.Encoder
		decoder *encoding.Decoder
		adopts  bool
	}{
		{encoder(t, encoding.Zstd, one), decoder(one), true},
		{encoder(t, encoding.Zstd, one), decoder(one, two), false},
		{encoder(t, encoding.Zstd, one), decoder(two), false},
		{encoder(t, encoding.Zstd, one, two), decoder(one, two), false},
		{encoder(t, encoding.Zstd, one, two), decoder(one), false},
		{encoder(t, encoding.Zstd, one, two), decoder(two), false}, // one of them is of the first recipient
	} {
		i := interrupt(t, archive.Options{Encoder: test.encoder, Transfers: 1}, storetest.NotApplied, false)
		o := archive.Options{Encoder: test.encoder, Decoder: test.decoder}
		res := i.again(t, archive.New(i.store, o), archive.Options{Decoder: decoder(one, two)})
		if (res.Adopted == i.left) != test.adopts || !test.adopts && res.Adopted > 0 {
			t.Errorf("%d of %d were adopted by %v recipients' archive", res.Adopted, i.left, len(test.encoder.Recipients()))
		}
	}
}

// A run that is interrupted under attack goes on as any other: what it stored under keys with a
// nonce is found by its content.
func TestInterruptedUnderAttack(t *testing.T) {
	t.Parallel()
	for _, e := range []*encoding.Encoder{nil, encoder(t, encoding.Zstd)} {
		store := storetest.Memory(t)
		db := newDatabase(t, t.TempDir(), 96)
		for range 11 {
			db.set(name(db.last), text(db.last, 500))
			db.flip(20)
		}
		o := archive.Options{Encoder: e, Transfers: 1}
		plant(store, foreseen(t, store, db, o))
		before := len(store.Keys(manifest.DataPrefix))
		f := storetest.NewFaulty(store, 35, storetest.NotApplied).Down()
		if _, err := archive.New(f, o).Backup(context.Background(), db.source(), options); !errors.Is(err, storetest.ErrInjected) {
			t.Fatalf("%v", err)
		}
		left := len(store.Keys(manifest.DataPrefix)) - before
		res := mustBackup(t, archive.New(store, o), db)
		if left == 0 || res.Adopted != left || len(res.Warnings) == 0 {
			t.Errorf("%d of %d were adopted: %q", res.Adopted, left, res.Warnings)
		}
		mustRestore(t, archive.New(store, o), 1, filepath.Join(t.TempDir(), "r"), db.files)
	}
}

// Once a snapshot names a key with a nonce, the archive stays at version 2, which older programs
// refuse: they would take such an object for rubbish.
func TestFormatDoesNotGoBack(t *testing.T) {
	t.Parallel()
	id := newIdentity(t)
	store := storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 97)
	var formats []string
	for i, o := range []archive.Options{{}, {Encoder: encoder(t, encoding.None, id)}, {}, {}} {
		for range 3 {
			db.set(name(db.last), text(i, 500))
			db.flip(0)
		}
		if i == 3 {
			for _, f := range db.closed() {
				db.set(f, text(7, 900)) // of what was encrypted nothing is left
			}
		}
		accepting := options
		accepting.Acceptance = acceptAll
		if _, err := archive.New(store, o).Backup(t.Context(), db.source(), accepting); err != nil {
			t.Fatal(err)
		}
		formats = append(formats, newest(t, archive.New(store, archive.Options{})).Format)
	}
	if want := []string{manifest.Format, manifest.Format2, manifest.Format2, manifest.Format2}; !slices.Equal(formats, want) {
		t.Errorf("%q", formats)
	}
	for _, encrypts := range []bool{false, true} {
		fresh, o, want := storetest.Memory(t), archive.Options{}, manifest.Format
		if encrypts {
			o.Encoder, want = encoder(t, encoding.None, id), manifest.Format2
		}
		mustBackup(t, archive.New(fresh, o), db)
		who, err := manifest.DecodeArchive(fresh.Snapshot().Bytes(manifest.ArchiveKey))
		if err != nil || who.Format != want {
			t.Errorf("archive.json of an archive that begins encrypted (%v): %+v, %v", encrypts, who, err)
		}
	}
}
