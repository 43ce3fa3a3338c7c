package archive_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// tb is the part common to testing.TB and rapid.T that these tests need.
type tb interface {
	Helper()
	Fatalf(format string, args ...any)
	Errorf(format string, args ...any)
}

// A database is a directory of log files as JE would write them: numbered, the highest
// is open. Times are set by hand, one second a change, so that nothing depends on how
// fine the file system's clock is.
type database struct {
	t     tb
	dir   string
	now   time.Time
	files map[string][]byte // the model: what is in the directory
	last  int               // number of the open file
	rand  *rand.Rand
}

func newDatabase(t tb, dir string, seed uint64) *database {
	d := &database{
		t: t, dir: dir, now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), files: map[string][]byte{},
		rand: rand.New(rand.NewPCG(seed, 1)),
	}
	d.set(name(0), nil)
	return d
}

func name(n int) string { return fmt.Sprintf("%08x.jdb", n) }

func (d *database) noise(n int) []byte {
	b := make([]byte, n+7)
	for i := 0; i < n; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], d.rand.Uint64())
	}
	return b[:n:n]
}

func (d *database) set(name string, content []byte) {
	d.t.Helper()
	d.files[name] = content
	path := filepath.Join(d.dir, name)
	d.now = d.now.Add(time.Second)
	if err := os.WriteFile(path, content, 0o644); err != nil {
		d.t.Fatalf("%v", err)
	}
	if err := os.Chtimes(path, d.now, d.now); err != nil {
		d.t.Fatalf("%v", err)
	}
}

// grow appends to the open file.
func (d *database) grow(n int) {
	d.t.Helper()
	open := name(d.last)
	d.set(open, append(bytes.Clone(d.files[open]), d.noise(n)...))
}

// flip closes the open file and begins the next.
func (d *database) flip(n int) {
	d.t.Helper()
	d.last++
	d.set(name(d.last), d.noise(n))
}

// fill makes closed files until the database has the given number of files.
func (d *database) fill(files, size int) {
	d.t.Helper()
	for len(d.files) < files {
		d.grow(size)
		d.flip(1)
	}
}

func (d *database) closed() []string {
	names := slices.Sorted(maps.Keys(d.files))
	return names[:len(names)-1]
}

func (d *database) remove(name string) {
	d.t.Helper()
	delete(d.files, name)
	if err := os.Remove(filepath.Join(d.dir, name)); err != nil {
		d.t.Fatalf("%v", err)
	}
}

// rewrite changes the content of a file and leaves its size.
func (d *database) rewrite(name string) {
	d.t.Helper()
	d.set(name, d.noise(len(d.files[name])))
}

func (d *database) source() *source.Directory {
	d.t.Helper()
	return d.sourceOf(source.LayoutOptions{Name: "je", NoEntries: true})
}

func (d *database) sourceOf(o source.LayoutOptions) *source.Directory {
	d.t.Helper()
	layout, err := source.NewLayout(o)
	if err != nil {
		d.t.Fatalf("%v", err)
	}
	src, err := source.Open(d.dir, layout)
	if err != nil {
		d.t.Fatalf("%v", err)
	}
	return src
}

var options = archive.BackupOptions{Node: "node-1", Tool: "test"}

// acceptAll lifts every guard.
var acceptAll = archive.Acceptance{Accept: []manifest.Guard{manifest.GuardRollback, manifest.GuardTakeOver, manifest.GuardMissing, manifest.GuardFork}}

func mustBackup(t tb, a *archive.Archive, d *database) *archive.BackupResult {
	t.Helper()
	res, err := a.Backup(context.Background(), d.source(), options)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return res
}

// mustRestore restores a snapshot into a new directory and compares it with the model.
func mustRestore(t tb, a *archive.Archive, sequence int64, dir string, want map[string][]byte) {
	t.Helper()
	m, err := a.Snapshot(context.Background(), archive.Selector{Sequence: sequence})
	if err != nil {
		t.Fatalf("reading snapshot %d: %v", sequence, err)
	}
	if _, err := a.Restore(context.Background(), m, dir, archive.RestoreOptions{}); err != nil {
		t.Fatalf("restoring snapshot %d: %v", sequence, err)
	}
	compare(t, dir, want)
}

// compare compares a directory with the model, byte for byte.
func compare(t tb, dir string, want map[string][]byte) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatalf("%v", err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	if expected := slices.Sorted(maps.Keys(want)); !slices.Equal(names, expected) {
		t.Fatalf("restored %q, want %q", names, expected)
	}
	for n, content := range want {
		got, err := os.ReadFile(filepath.Join(dir, n))
		if err != nil {
			t.Fatalf("%v", err)
		}
		if !bytes.Equal(got, content) {
			t.Fatalf("%s came back different: %d bytes, want %d", n, len(got), len(content))
		}
	}
}

func mustVerify(t tb, a *archive.Archive) *archive.VerifyReport {
	t.Helper()
	r, err := a.Verify(context.Background(), archive.VerifyOptions{ReadData: true})
	if err != nil {
		t.Fatalf("%v", err)
	}
	if len(r.Problems) > 0 {
		t.Fatalf("verify found %+v", r.Problems)
	}
	return r
}

func mustList(t tb, a *archive.Archive) []archive.Snapshot {
	t.Helper()
	l, err := a.List(context.Background(), 0)
	if err != nil {
		t.Fatalf("%v", err)
	}
	return l
}

func newest(t testing.TB, a *archive.Archive) *manifest.Manifest {
	t.Helper()
	m, err := a.Snapshot(context.Background(), archive.Selector{})
	if err != nil {
		t.Fatal(err)
	}
	return m
}
