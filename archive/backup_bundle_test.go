package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Many small new files go out in few objects and come back with few requests; a file of
// the parent's content, a large one and the tail do not go into a bundle.
func TestBundles(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 50)
	db.fill(100, 1000)
	db.grow(manifest.BundlePart)
	db.flip(7)
	store := storetest.Memory(t)
	counting := storetest.NewFaulty(store, -1, storetest.NotApplied)
	a := archive.New(counting, archive.Options{})
	res := mustBackup(t, a, db)
	if b, d := len(store.Keys(manifest.BundlesPrefix)), len(store.Keys(manifest.DataPrefix)); b != 1 || d != 2 || res.Sent != 101 {
		t.Fatalf("%d bundles, %d data objects, %d sent", b, d, res.Sent)
	}
	first := maps.Clone(db.files)
	m := newest(t, a)
	for _, f := range m.Files[:99] {
		p := f.Parts[0]
		if p.Stored.Offset == nil {
			t.Fatalf("%s is not in a bundle", f.Name)
		}
		got := store.Snapshot().Bytes(p.Object)[*p.Stored.Offset:][:p.Stored.Size]
		if !bytes.Equal(got, db.files[f.Name]) {
			t.Fatalf("%s is not at the place in its entry", f.Name)
		}
	}
	counting.Arm(-1, storetest.NotApplied)
	mustRestore(t, archive.New(counting, archive.Options{}), 1, filepath.Join(t.TempDir(), "r"), db.files)
	if ops := counting.Ops(); ops.Get > 6 {
		t.Fatalf("%+v to restore one bundle and two files", ops)
	}
	// Few small files are not worth a bundle, and the old ones stay where they are.
	for range 10 {
		db.flip(100)
	}
	mustBackup(t, a, db)
	if b := len(store.Keys(manifest.BundlesPrefix)); b != 1 {
		t.Fatalf("%d bundles", b)
	}
	// Touched files are read, and only those with new content are stored.
	for _, n := range db.closed()[:40] {
		if n == name(3) || n == name(5) {
			db.rewrite(n)
		} else {
			db.set(n, db.files[n])
		}
	}
	res = mustBackup(t, a, db)
	if res.Sent != 2 || res.SentBytes != int64(len(db.files[name(3)])+len(db.files[name(5)])) || !slices.Equal(res.Changed, []archive.Changed{{Name: name(3), Kind: archive.ChangedOther}, {Name: name(5), Kind: archive.ChangedOther}}) {
		t.Fatalf("sent %d files, %d bytes; changed %q", res.Sent, res.SentBytes, res.Changed)
	}
	mustRestore(t, a, 1, filepath.Join(t.TempDir(), "r"), first)
	mustRestore(t, a, 3, filepath.Join(t.TempDir(), "r"), db.files)
	mustVerify(t, a)
}

// A bundle has at most 16 MiB, and a request brings at most 4.
func TestBundleLimits(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	db := newDatabase(t, t.TempDir(), 51)
	for range 70 {
		db.set(name(db.last), db.noise(manifest.BundlePart))
		db.flip(0)
	}
	store := storetest.NewFaulty(storetest.Memory(t), -1, storetest.NotApplied)
	a := archive.New(store, archive.Options{})
	mustBackup(t, a, db)
	m := newest(t, a)
	objects := map[string]int64{}
	for _, f := range m.Files {
		objects[f.Parts[0].Object] += f.Size
	}
	if len(objects) != 3 { // 64 files, 6 files, and the tail
		t.Fatalf("%v", objects)
	}
	store.Arm(-1, storetest.NotApplied)
	mustRestore(t, archive.New(store, archive.Options{}), 1, filepath.Join(t.TempDir(), "r"), db.files)
	if ops := store.Ops(); ops.Get < 5 || ops.Get > 10 {
		t.Fatalf("%+v", ops)
	}
}

// Damage in a bundle is named with the file that it hits, and the others come through.
func TestDamageInABundle(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 52)
		db.fill(30, 1000)
		store := storetest.Memory(t)
		a := archive.New(store, archive.Options{})
		mustBackup(t, a, db)
		m := newest(t, a)
		p := m.Files[7].Parts[0]
		store.Damage(p.Object, storetest.FlipBit(int(*p.Stored.Offset)+500))
		r, err := a.Verify(context.Background(), archive.VerifyOptions{ReadData: true})
		if err != nil || len(r.Problems) != 1 || !slices.Equal(r.Problems[0].Files, []string{name(7)}) || r.Problems[0].Object != p.Object {
			t.Fatalf("%+v, %v", r, err)
		}
		var out bytes.Buffer
		if err := a.Cat(context.Background(), m, name(7), &out); !errors.Is(err, archive.ErrDamaged) || out.Len() > 0 {
			t.Fatalf("%v", err)
		}
		if err := a.Cat(context.Background(), m, name(8), &out); err != nil || !bytes.Equal(out.Bytes(), db.files[name(8)]) {
			t.Fatalf("%v", err)
		}
		dir := filepath.Join(t.TempDir(), "r")
		if err := restoreNewest(a, dir); !errors.Is(err, archive.ErrDamaged) || !strings.Contains(err.Error(), name(7)) {
			t.Fatalf("%v", err)
		}
	})
}

// A connection that breaks in the middle of a bundle costs no more than going on.
func TestBrokenBundleRead(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 53)
		db.fill(40, 1000)
		store := storetest.Memory(t)
		mustBackup(t, archive.New(store, archive.Options{}), db)
		for n := range 8 {
			f := storetest.NewFaulty(store, n, storetest.AnswerLost)
			dir := filepath.Join(t.TempDir(), fmt.Sprint(n))
			if err := restoreNewest(archive.New(f, archive.Options{}), dir); err != nil && !errors.Is(err, storetest.ErrInjected) {
				t.Fatalf("operation %d: %v", n, err)
			} else if err == nil {
				compare(t, dir, db.files)
			}
		}
	})
}
