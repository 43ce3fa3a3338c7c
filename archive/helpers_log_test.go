package archive_test

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
)

// A jeLog is a directory of log files with real entries, of JE's newest log version.
type jeLog struct {
	t       testing.TB
	dir     string
	now     time.Time
	open    *entriestest.JELog
	last    int    // number of the open file
	version uint32 // of the log
	rand    *rand.ChaCha8
}

const jeVersion = 26

func newJELog(t testing.TB, seed byte) *jeLog { return newJELogOf(t, jeVersion, seed) }

func newJELogOf(t testing.TB, version uint32, seed byte) *jeLog {
	l := &jeLog{t: t, version: version, dir: t.TempDir(), now: time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC), rand: rand.NewChaCha8([32]byte{seed}), last: -1}
	l.flip()
	return l
}

// flip closes the open file and begins the next, which has one entry.
func (l *jeLog) flip() {
	previous := uint32(0)
	if l.open != nil {
		previous = l.open.Last
	}
	l.last++
	l.open = entriestest.NewJE(l.version, uint32(l.last), previous)
	l.write(10)
}

// write appends entries of the given sizes in bytes.
func (l *jeLog) write(sizes ...int) {
	l.t.Helper()
	for _, n := range sizes {
		item := make([]byte, n)
		l.rand.Read(item)
		l.open.Add(entriestest.JERecord, item)
	}
	l.set(l.last, l.open.Bytes)
}

// fill makes closed files of three entries each.
func (l *jeLog) fill(files int) {
	for range files {
		l.write(100, 1000, 10)
		l.flip()
	}
}

func (l *jeLog) path(n int) string { return filepath.Join(l.dir, name(n)) }

// set gives a file its content, in place, and a new time.
func (l *jeLog) set(n int, content []byte) {
	l.t.Helper()
	l.now = l.now.Add(time.Second)
	if err := os.WriteFile(l.path(n), content, 0o644); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Chtimes(l.path(n), l.now, l.now); err != nil {
		l.t.Fatal(err)
	}
}

// rewrite changes a file in place, and puts its modification time back.
func (l *jeLog) rewrite(n int, change func([]byte)) {
	l.t.Helper()
	info, err := os.Stat(l.path(n))
	if err != nil {
		l.t.Fatal(err)
	}
	content := l.content(n)
	change(content)
	if err := os.WriteFile(l.path(n), content, 0o644); err != nil {
		l.t.Fatal(err)
	}
	if err := os.Chtimes(l.path(n), info.ModTime(), info.ModTime()); err != nil {
		l.t.Fatal(err)
	}
}

func (l *jeLog) content(n int) []byte {
	l.t.Helper()
	b, err := os.ReadFile(l.path(n))
	if err != nil {
		l.t.Fatal(err)
	}
	return b
}

// all is the content of the directory.
func (l *jeLog) all() map[string][]byte {
	files := map[string][]byte{}
	for n := range l.last + 1 {
		files[name(n)] = l.content(n)
	}
	return files
}

func (l *jeLog) source(o source.LayoutOptions) *source.Directory {
	l.t.Helper()
	o.Name = "je"
	layout, err := source.NewLayout(o)
	if err != nil {
		l.t.Fatal(err)
	}
	d, err := source.Open(l.dir, layout)
	if err != nil {
		l.t.Fatal(err)
	}
	return d
}

func (l *jeLog) backup(a *archive.Archive, o source.LayoutOptions) *archive.BackupResult {
	l.t.Helper()
	res, err := a.Backup(l.t.Context(), l.source(o), options)
	if err != nil {
		l.t.Fatal(err)
	}
	return res
}

// fileOf is a file's entry in the newest snapshot.
func fileOf(t testing.TB, a *archive.Archive, n int) manifest.File {
	t.Helper()
	for _, f := range newest(t, a).Files {
		if f.Name == name(n) {
			return f
		}
	}
	t.Fatalf("%s is not in the snapshot", name(n))
	return manifest.File{}
}
