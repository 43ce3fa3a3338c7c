package archive_test

import (
	"errors"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// bothWays backs up one directory to two archives: from a host that remembers the stamps of its files, so that it reads
// only the pages in whose range files have changed, and from one that does not, and reads all.
type bothWays struct {
	t          *testing.T
	few, all   *storetest.InMemory
	reads      *pageReads
	state      *archive.LocalState
	otherState *archive.LocalState
	running    *archive.Archive // the same process as before; nil: each backup has a new one
	base       []manifest.PageRef
	read       int // how many pages of the base the last backup read
}

func newBothWays(t *testing.T, runs bool) *bothWays {
	w := &bothWays{
		t: t, few: storetest.Memory(t), all: storetest.Memory(t),
		state:      &archive.LocalState{Dir: t.TempDir(), Place: "mem://few"},
		otherState: &archive.LocalState{Dir: t.TempDir(), Place: "mem://all"},
	}
	w.reads = &pageReads{Store: w.few}
	if runs {
		w.running = w.open()
	}
	return w
}

func (w *bothWays) open() *archive.Archive {
	if w.running != nil {
		return w.running
	}
	return archive.New(w.reads, archive.Options{State: w.state})
}

// backup makes a snapshot in both archives and compares everything that both report and store.
func (w *bothWays) backup(what string, src archive.Source, o archive.BackupOptions) {
	w.t.Helper()
	w.reads.pages = nil
	a := w.open()
	got, gotErr := a.Backup(w.t.Context(), src, o)
	w.read = 0
	for _, p := range w.base {
		if slices.Contains(w.reads.pages, p.Object) {
			w.read++
		}
	}
	w.forgetStamps()
	b := archive.New(w.all, archive.Options{State: w.otherState})
	want, wantErr := b.Backup(w.t.Context(), src, o)
	if textOf(gotErr) != textOf(wantErr) {
		w.t.Fatalf("%s: %v, and with all pages: %v", what, gotErr, wantErr)
	}
	if got.Committed != want.Committed || got.Sent != want.Sent || !slices.Equal(got.Warnings, want.Warnings) ||
		!slices.Equal(got.Changed, want.Changed) || !slices.Equal(got.Damaged, want.Damaged) ||
		!slices.Equal(got.Plan.Removed, want.Plan.Removed) || len(got.Plan.Upload) != len(want.Plan.Upload) {
		w.t.Fatalf("%s: %+v, and with all pages: %+v", what, got, want)
	}
	m, n := newest(w.t, archive.New(w.few, archive.Options{})), newest(w.t, b)
	w.base = m.Pages
	switch {
	case !slices.EqualFunc(m.Files, n.Files, func(f, g manifest.File) bool { return f.Equal(&g) }):
		w.t.Fatalf("%s: the entries of snapshot %d differ", what, m.Sequence)
	case !slices.Equal(m.Pages, n.Pages):
		w.t.Fatalf("%s: the pages of snapshot %d differ", what, m.Sequence)
	case m.Counts != n.Counts || (m.ConsistentThrough == nil) != (n.ConsistentThrough == nil),
		m.ConsistentThrough != nil && *m.ConsistentThrough != *n.ConsistentThrough:
		w.t.Fatalf("%s: %+v, and with all pages: %+v", what, m.Summary, n.Summary)
	}
	c, err := src.Capture(w.t.Context(), func(source.File) bool { return false })
	if err != nil {
		w.t.Fatal(err)
	}
	defer c.Close()
	if _, err := b.Newest(w.t.Context()); err != nil {
		w.t.Fatal(err)
	}
	ahead, err1 := a.Pending(c.Files)
	wantAhead, err2 := b.Pending(c.Files)
	if w.running != nil && (ahead != wantAhead || err1 != nil || err2 != nil) {
		w.t.Fatalf("%s: pending: %+v, %v, and with all pages: %+v, %v", what, ahead, err1, wantAhead, err2)
	}
}

// forgetStamps removes what the second host remembers of the source's files.
func (w *bothWays) forgetStamps() {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.otherState.Dir, "*.sightings"))
	for _, f := range files {
		err = errors.Join(err, os.Remove(f))
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// textOf is the message of an error, without what differs between two archives.
func textOf(err error) string {
	if err == nil {
		return ""
	}
	if r, ok := errors.AsType[*archive.Refusal](err); ok {
		return strings.ReplaceAll(err.Error(), r.String(), string(r.Guard))
	}
	return err.Error()
}

// A backup that reads only changed pages makes the snapshot, gives the warnings and refuses the source as one that
// reads all: for files that are added, deleted, rewritten, extended or touched, for one or many, anywhere.
func TestPartialBaseMakesTheSameSnapshot(t *testing.T) {
	t.Parallel()
	for _, layout := range []source.LayoutOptions{
		{Name: "je", NoEntries: true}, {Name: "files", Pattern: `.*\.jdb`, NoQuiet: true},
	} {
		for _, runs := range []bool{false, true} {
			t.Run(layout.Name+map[bool]string{true: " running", false: " cold"}[runs], func(t *testing.T) {
				t.Parallel()
				rnd := rand.New(rand.NewPCG(7, uint64(len(layout.Pattern))))
				db := newDatabase(t, t.TempDir(), 3)
				db.fill(2000, 3)
				w := newBothWays(t, runs)
				w.backup("the first", db.sourceOf(layout), options)
				w.backup("again", db.sourceOf(layout), options)
				fewer, rounds := 0, 24
				if testing.Short() {
					rounds = 8
				}
				for range rounds {
					what := change(db, rnd)
					w.backup(what, db.sourceOf(layout), options)
					if w.read < len(w.base) {
						fewer++
					}
				}
				if fewer < rounds/2 {
					t.Errorf("%d of %d backups read fewer pages than all", fewer, rounds)
				}
				accepted := options
				accepted.Acceptance = acceptAll
				w.backup("with accepted findings", db.sourceOf(layout), accepted)
			})
		}
	}
}

// change makes a random change of a database.
func change(db *database, rnd *rand.Rand) (what string) {
	closed := db.closed()
	at := rnd.IntN(len(closed))
	switch what = [...]string{
		"nothing", "new files", "the tail grows", "one is deleted", "the oldest are deleted",
		"one is rewritten", "one is touched", "a range is deleted", "many are new", "most are gone",
	}[rnd.IntN(10)]; what {
	case "new files":
		for range 1 + rnd.IntN(3) {
			db.flip(5)
		}
	case "the tail grows":
		db.grow(7)
	case "one is deleted":
		db.remove(closed[at])
	case "the oldest are deleted":
		for _, name := range closed[:rnd.IntN(5)] {
			db.remove(name)
		}
	case "one is rewritten":
		db.rewrite(closed[at])
	case "one is touched":
		db.set(closed[at], db.files[closed[at]])
	case "a range is deleted":
		for _, name := range closed[at:min(len(closed), at+rnd.IntN(90))] {
			db.remove(name)
		}
	case "many are new":
		db.fill(len(db.files)+rnd.IntN(300), 3)
	case "most are gone":
		if rnd.IntN(3) == 0 {
			for _, name := range closed[len(closed)/3:] {
				db.remove(name)
			}
			db.fill(1000+rnd.IntN(600), 2)
		}
	}
	return what
}

// A log with real entries: the header of a file shows where the file before it ends, also if that one is in a page in
// which nothing has changed.
func TestPartialBaseOfALogWithEntries(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 5)
	l.fill(1200)
	w := newBothWays(t, false)
	w.backup("the first", l.source(plain), options)
	remove := func(n int) {
		if err := os.Remove(l.path(n)); err != nil {
			t.Fatal(err)
		}
	}
	cut := func(n int) { l.set(n, l.content(n)[:len(l.content(n))-30]) }
	for _, c := range []struct {
		what   string
		change func()
		most   int // pages
	}{
		{"nothing", func() {}, 1}, // that with the tail
		{"the tail grows", func() { l.write(40) }, 1},
		{"it is closed", func() { l.flip() }, 1},
		{"nothing again", func() {}, 1},
		{"the oldest are deleted", func() { remove(0); remove(1) }, 2},
		{"one more", func() { l.write(20); l.flip(); l.write(10); l.flip() }, 1},
		{"a file in the middle is deleted", func() { remove(400) }, 2},
		{"a closed file is cut", func() { cut(300) }, 9},
		{"and is damaged", func() {}, 9},
		{"the tail is cut", func() { l.set(l.last, l.content(l.last)[:60]) }, 9},
	} {
		c.change()
		w.backup(c.what, l.source(plain), options)
		if w.read > c.most {
			t.Errorf("%s: %d pages were read", c.what, w.read)
		}
	}
}

// What a backup takes for files that have not changed is a few hundred bytes each, for the capture and the stamps. The
// entries of all of them would take three times as much. No other test may run at the same time: all allocations count.
func TestUnchangedFilesTakeLittleMemory(t *testing.T) {
	if soaktest.Racing {
		t.Skip("the race detector allocates, and keeps no buffers for later use")
	}
	count := 10_000
	if soaktest.IsFull(t) {
		count = 500_000
	}
	dir := t.TempDir()
	then := time.Now().Add(-time.Hour)
	add := func(n int) {
		path := filepath.Join(dir, name(n))
		if err := errors.Join(os.WriteFile(path, []byte{byte(n)}, 0o600), os.Chtimes(path, then, then)); err != nil {
			t.Fatal(err)
		}
	}
	for n := range count {
		add(n)
	}
	src, err := source.OpenWith(dir, source.LayoutOptions{Name: "files", Pattern: `.*\.jdb`, NoQuiet: true})
	if err != nil {
		t.Fatal(err)
	}
	reads := &pageReads{Store: storetest.Memory(t)}
	state := &archive.LocalState{Dir: t.TempDir(), Place: "mem://one"}
	allocated := func(isNew bool) uint64 {
		t.Helper()
		reads.pages = nil
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		res, err := archive.New(reads, archive.Options{State: state}).Backup(t.Context(), src, options)
		runtime.ReadMemStats(&after)
		if err != nil || res.Committed != isNew || len(res.Warnings) > 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		return (after.TotalAlloc - before.TotalAlloc) / uint64(count)
	}
	first := allocated(true)
	idle := allocated(false)
	if len(reads.pages) > 0 || idle > 1000 {
		t.Errorf("with nothing new: %d pages were read, and a file took %d bytes", len(reads.pages), idle)
	}
	add(count)
	one := allocated(true)
	if len(reads.pages) > 4 || one > 1700 { // the page before, two after it, and whether one exists
		t.Errorf("with one new file: %d pages were read, and a file took %d bytes", len(reads.pages), one)
	}
	t.Logf("bytes for each of %d files: %d at first, %d with nothing new, %d with one new", count, first, idle, one)
}

// A file that was rewritten in place, with its size and time put back, changes its page: only the change time shows it.
// So does one that another file has replaced.
func TestRewrittenFileChangesItsPage(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 9)
	db.fill(1500, 3)
	w := newBothWays(t, false)
	backup := func() *archive.BackupResult {
		t.Helper()
		w.reads.pages = nil
		return mustBackup(t, w.open(), db)
	}
	backup()
	file := db.closed()[700]
	path := filepath.Join(db.dir, file)
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, isReplaced := range []bool{false, true} {
		db.files[file] = db.noise(int(info.Size()))
		if isReplaced {
			err = os.Remove(path)
		}
		err = errors.Join(err, os.WriteFile(path, db.files[file], 0o644), os.Chtimes(path, info.ModTime(), info.ModTime()))
		if err != nil {
			t.Fatal(err)
		}
		res := backup()
		if !res.Committed || len(res.Changed) != 1 || res.Changed[0].Name != file {
			t.Fatalf("replaced: %v: %+v", isReplaced, res)
		}
	}
	if res := backup(); res.Committed || len(w.reads.pages) > 1 { // that with the tail
		t.Errorf("committed: %v, %d pages were read", res.Committed, len(w.reads.pages))
	}
	mustRestore(t, w.open(), 0, filepath.Join(t.TempDir(), "restored"), db.files)
}

// The stamps of a snapshot show nothing of another one. Here another host has archived other content of a file, from a
// directory of its own, and this host's file is as it was.
func TestStampsOfAnotherSnapshotAreNotUsed(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 10)
	db.fill(3000, 3) // several pages; the last has the tail
	w := newBothWays(t, false)
	mustBackup(t, w.open(), db)
	other := *db
	other.dir, other.files = t.TempDir(), maps.Clone(db.files)
	copyDir(t, db.dir, other.dir)
	other.rewrite(other.closed()[100])
	if res := mustBackup(t, archive.New(w.few, archive.Options{}), &other); len(res.Changed) != 1 {
		t.Fatalf("%+v", res)
	}
	if res := mustBackup(t, w.open(), db); !res.Committed || len(res.Changed) != 1 {
		t.Errorf("%+v", res)
	}
	mustRestore(t, w.open(), 0, filepath.Join(t.TempDir(), "restored"), db.files)
}
