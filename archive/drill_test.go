package archive_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/testmount"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/jetest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// emptied checks that no drill left anything.
func emptied(t testing.TB, dir string) {
	t.Helper()
	left, err := os.ReadDir(dir)
	if err != nil || len(left) > 0 {
		t.Fatalf("%v is left: %v", left, err)
	}
}

// A drill restores the snapshot. The outcome is that of its check, and the archive records it.
// Nothing is left in the scratch directory, whatever happens.
func TestDrill(t *testing.T) { virtually(t, drills) }

func drills(t *testing.T) {
	store := storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 3)
	db.fill(5, 100)
	a := archive.New(store, archive.Options{})
	mustBackup(t, a, db)
	m := newest(t, a)
	scratch := t.TempDir()
	seen := false
	good := archive.DrillOptions{Scratch: scratch, Command: "look", Check: func(_ context.Context, dir string) error {
		compare(t, dir, db.files)
		seen = true
		return nil
	}}
	if r, err := a.Drill(t.Context(), m, good); err != nil || !seen || r.Snapshot != 1 || r.Unproven != "" || r.Restored.Files != 5 {
		t.Fatalf("%+v, %v", r, err)
	}
	emptied(t, scratch)
	if p, err := a.LatestProof(t.Context(), manifest.ProofDrill); err != nil || p.Outcome != manifest.OutcomeOK || p.Snapshot != 1 || p.Command != "look" {
		t.Fatalf("%+v, %v", p, err)
	}
	time.Sleep(2 * time.Millisecond) // proofs are ordered by their time
	bad := good
	bad.Check = func(context.Context, string) error { return errors.New("no such table") }
	if _, err := a.Drill(t.Context(), m, bad); !errors.Is(err, archive.ErrDrillFailed) || !strings.Contains(err.Error(), "no such table") {
		t.Fatal(err)
	}
	emptied(t, scratch)
	if p, err := a.LatestProof(t.Context(), manifest.ProofDrill); err != nil || p.Outcome != manifest.OutcomeFailed || !strings.Contains(p.Why, "no such table") {
		t.Fatalf("%+v, %v", p, err)
	}
	if last, proven, err := a.Drills(t.Context()); err != nil || last.Outcome != manifest.OutcomeFailed || proven.Outcome != manifest.OutcomeOK {
		t.Fatalf("%+v, %+v, %v", last, proven, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	bad.Check = func(context.Context, string) error { cancel(); return ctx.Err() }
	if _, err := a.Drill(ctx, m, bad); errors.Is(err, archive.ErrDrillFailed) || !errors.Is(err, context.Canceled) {
		t.Fatalf("an interrupted drill counts as failed: %v", err)
	}
	emptied(t, scratch)
}

// The next drill removes the files of a killed one, unless that still runs.
func TestDrillAfterAKill(t *testing.T) {
	t.Parallel()
	store := storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 3)
	a := archive.New(store, archive.Options{})
	mustBackup(t, a, db)
	scratch := t.TempDir()
	old := time.Now().Add(-time.Hour)
	dead := filepath.Join(scratch, "strongroom-drill-dead")
	if err := errors.Join(os.MkdirAll(filepath.Join(dead, "restored"), 0o755), os.WriteFile(filepath.Join(dead, "lock"), nil, 0o600), os.Chtimes(dead, old, old)); err != nil {
		t.Fatal(err)
	}
	o := archive.DrillOptions{Scratch: scratch, Check: func(ctx context.Context, dir string) error {
		if _, err := os.Stat(dead); !errors.Is(err, os.ErrNotExist) {
			t.Error("it is still there")
		}
		mine := filepath.Dir(dir)
		if err := os.Chtimes(mine, old, old); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Drill(ctx, newest(t, a), archive.DrillOptions{Scratch: scratch}); err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(dir); err != nil {
			t.Errorf("one drill took another's directory away: %v", err)
		}
		return nil
	}}
	if _, err := a.Drill(t.Context(), newest(t, a), o); err != nil {
		t.Fatal(err)
	}
	emptied(t, scratch)
}

// Without a check of its own, a drill fails of a snapshot with a file that was damaged when
// it was archived, and names it; with one, that decides.
func TestDrillOfADamagedSnapshot(t *testing.T) {
	t.Parallel()
	db := newJELog(t, 1)
	db.fill(3)
	db.rewrite(1, func(b []byte) { b[len(b)-1] ^= 1 })
	a, scratch := archive.New(storetest.Memory(t), archive.Options{}), t.TempDir()
	if res := db.backup(a, source.LayoutOptions{}); len(res.Damaged) != 1 {
		t.Fatalf("%+v", res)
	}
	m := newest(t, a)
	r, err := a.Drill(t.Context(), m, archive.DrillOptions{Scratch: scratch})
	if !errors.Is(err, archive.ErrDrillFailed) || !strings.Contains(err.Error(), r.Restored.Damaged[0]) {
		t.Fatalf("%+v, %v", r, err)
	}
	if p, err := a.LatestProof(t.Context(), manifest.ProofDrill); err != nil || p.Outcome != manifest.OutcomeFailed {
		t.Errorf("%+v, %v", p, err)
	}
	content := func(context.Context, string) error { return nil }
	if _, err := a.Drill(t.Context(), m, archive.DrillOptions{Scratch: scratch, Check: content}); err != nil {
		t.Error(err)
	}
	emptied(t, scratch)
}

// noAnswer fails to read log files, as a provider does that is away for a while.
type noAnswer struct{ store.Store }

func (s noAnswer) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.HasPrefix(key, manifest.DataPrefix) {
		return nil, errors.New("503 Slow Down")
	}
	return s.Store.Get(ctx, key, offset, length)
}

// A store that does not answer proves nothing about the snapshot.
func TestDrillWithoutAnAnswer(t *testing.T) {
	t.Parallel()
	store, scratch := storetest.Memory(t), t.TempDir()
	db := newDatabase(t, t.TempDir(), 3)
	db.fill(2, 1000)
	mustBackup(t, archive.New(store, archive.Options{}), db)
	a := archive.New(noAnswer{store}, archive.Options{})
	_, err := a.Drill(t.Context(), newest(t, a), archive.DrillOptions{Scratch: scratch})
	if err == nil || errors.Is(err, archive.ErrDrillFailed) || !strings.Contains(err.Error(), "503") {
		t.Errorf("%v", err)
	}
	if p, err := a.LatestProof(t.Context(), manifest.ProofDrill); p != nil || err != nil {
		t.Errorf("%+v, %v", p, err)
	}
	emptied(t, scratch)
}

// On the disk of the database a drill begins only if enough stays free for that.
func TestDrillSparesTheDatabase(t *testing.T) {
	t.Parallel()
	mount := filepath.Join(t.TempDir(), "small")
	mkdir(t, mount)
	unmount, err := testmount.Tmpfs(mount, "size=257m")
	if err != nil {
		t.Skipf("mounting a small file system needs root and Linux: %v", err)
	}
	defer unmount()
	dir := filepath.Join(mount, "db")
	mkdir(t, dir)
	db := newDatabase(t, dir, 3)
	db.fill(2, 1<<20)
	a := archive.New(storetest.Memory(t), archive.Options{})
	mustBackup(t, a, db)
	m := newest(t, a)
	for database, refused := range map[string]bool{dir: true, t.TempDir(): false, "": false} {
		_, err := a.Drill(t.Context(), m, archive.DrillOptions{Scratch: mount, Database: database})
		if errors.Is(err, archive.ErrNoSpace) != refused || errors.Is(err, archive.ErrDrillFailed) || err != nil && !refused {
			t.Errorf("database in %q: %v", database, err)
		}
	}
}

// Directories that cannot be removed are reported.
func TestDrillThatCannotClearUp(t *testing.T) {
	t.Parallel()
	a := archive.New(storetest.Memory(t), archive.Options{})
	mustBackup(t, a, newDatabase(t, t.TempDir(), 3))
	var unmount func() error
	check := func(_ context.Context, dir string) (err error) {
		unmount, err = testmount.Tmpfs(dir, "size=64k")
		return err
	}
	r, err := a.Drill(t.Context(), newest(t, a), archive.DrillOptions{Scratch: t.TempDir(), Check: check})
	if err != nil {
		t.Skipf("mounting needs root and Linux: %v", err)
	}
	defer unmount()
	if !strings.Contains(r.Left, "busy") {
		t.Errorf("%+v", r)
	}
}

// A real JE opens the drill's restored set and finds every record. If a snapshot's log does not
// hold together, JE reports it loudly.
func TestDrillWithJE(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("takes a real JE: make test runs it")
	}
	dir := filepath.Join(t.TempDir(), "db")
	want := jetest.Write(t, dir, 12_000, 5)
	layout, err := source.NewLayout(source.LayoutOptions{Name: "je"})
	if err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(dir, layout)
	if err != nil {
		t.Fatal(err)
	}
	a := archive.New(storetest.Memory(t), archive.Options{})
	if _, err := a.Backup(t.Context(), src, options); err != nil {
		t.Fatal(err)
	}
	o := archive.DrillOptions{Scratch: t.TempDir(), Command: "JE", Check: func(_ context.Context, dir string) error {
		got, err := jetest.Open(t, dir)
		if err == nil && got != want {
			err = errors.New("JE finds other records")
		}
		return err
	}}
	if r, err := a.Drill(t.Context(), newest(t, a), o); err != nil {
		t.Fatalf("%+v, %v", r, err)
	}
	first := filepath.Join(dir, name(0))
	b, err := os.ReadFile(first)
	if err != nil {
		t.Fatal(err)
	}
	for i := len(b) / 2; i < len(b)/2+20_000 && i < len(b); i++ {
		b[i] ^= 0xff
	}
	if err := os.WriteFile(first, b, 0o644); err != nil {
		t.Fatal(err)
	}
	if res, err := a.Backup(t.Context(), src, options); err != nil || len(res.Damaged) == 0 {
		t.Fatalf("%+v, %v", res, err)
	}
	if _, err := a.Drill(t.Context(), newest(t, a), o); !errors.Is(err, archive.ErrDrillFailed) {
		t.Fatalf("a damaged snapshot passed the drill: %v", err)
	}
	emptied(t, o.Scratch)
}
