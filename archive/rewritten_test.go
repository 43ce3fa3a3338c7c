package archive_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"hash/adler32"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A moment of a backup of one closed file.
type moment string

const (
	beforeOpening moment = "between listing and opening"
	beforeHashing moment = "between opening and hashing"
	beforeSending moment = "between hashing and sending"
	beforeCommit  moment = "after sending, before the commit"
)

// An intruder changes a file once, at one moment of a backup: it is its source and its store.
type intruder struct {
	*source.Directory
	store.Store
	at       moment
	file     string
	change   sync.Once
	do       func()
	captures int
}

func (i *intruder) reach(m moment) {
	if m == i.at {
		i.change.Do(i.do)
	}
}

func (i *intruder) Capture(ctx context.Context, want func(source.File) bool) (*source.Capture, error) {
	i.captures++
	c, err := i.Directory.Capture(ctx, func(f source.File) bool {
		if f.Name == i.file {
			i.reach(beforeOpening)
		}
		return want(f)
	})
	if err == nil {
		i.reach(beforeHashing)
	}
	return c, err
}

func (i *intruder) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	switch {
	case strings.HasPrefix(key, manifest.DataPrefix+manifest.EncodeName(i.file)+"/"):
		i.reach(beforeSending)
	case strings.HasPrefix(key, "manifests/"):
		i.reach(beforeCommit)
	}
	return i.Store.Put(ctx, key, body, sums)
}

// eraserLog is the log that a real JE left in testdata, with the headers of a version
// whose eraser works in place.
func eraserLog(t *testing.T) *jeLog {
	t.Helper()
	l := &jeLog{t: t, dir: t.TempDir(), last: 2}
	for n := range l.last + 1 {
		b, err := os.ReadFile(filepath.Join("../testdata/je-log6", name(n)))
		if err != nil {
			t.Fatal(err)
		}
		binary.LittleEndian.PutUint32(b[34:], jeVersion)
		binary.LittleEndian.PutUint32(b, adler32.Checksum(b[4:38]))
		if err := os.WriteFile(l.path(n), b, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	l.tick()
	return l
}

// tick returns when the file system's clock has moved on from the last change, so that
// the next one has a change time of its own.
func (l *jeLog) tick() {
	l.t.Helper()
	path := filepath.Join(l.t.TempDir(), "clock")
	now := func() int64 {
		if err := os.WriteFile(path, nil, 0o644); err != nil {
			l.t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			l.t.Fatal(err)
		}
		return info.ModTime().UnixNano()
	}
	for start := now(); now() == start; {
	}
}

// left is the content of the directory, where files may be missing.
func (l *jeLog) left() map[string][]byte {
	l.t.Helper()
	files := map[string][]byte{}
	for n := range l.last + 1 {
		b, err := os.ReadFile(l.path(n))
		switch {
		case err == nil:
			files[name(n)] = b
		case !errors.Is(err, fs.ErrNotExist):
			l.t.Fatal(err)
		}
	}
	return files
}

// erase does to an entry in the middle of a log file what JE's eraser does.
func erase(b []byte) {
	for at := 0; ; {
		end := at + 14 + int(binary.LittleEndian.Uint32(b[at+10:]))
		if item := b[at+14 : end]; at > len(b)/2 && len(item) >= 20 {
			b[at+4] = entriestest.JEErased
			clear(item)
			return
		}
		at = end
	}
}

// A closed file of a real JE is deleted, cut, lengthened, rewritten or erased while it is backed
// up. A file that was opened before it was deleted is archived. A file that was written to is
// archived as it is then, and nothing under its previous hash. A file that changes after it was
// sent is another version in the next snapshot.
func TestFileChangesAtEveryMoment(t *testing.T) {
	t.Parallel()
	const file = 1
	inPlace := func(f func([]byte)) func(l *jeLog) error {
		return func(l *jeLog) error { l.rewrite(file, f); return nil }
	}
	changes := []struct {
		what string
		do   func(l *jeLog) error
		kind string // in the snapshot after the one that was being made
	}{
		{"deleted", func(l *jeLog) error { return os.Remove(l.path(file)) }, ""},
		{"truncated", func(l *jeLog) error { return os.Truncate(l.path(file), 50_000) }, archive.ChangedDamage},
		{"grown", func(l *jeLog) error { return os.WriteFile(l.path(file), append(l.content(file), "more"...), 0o644) }, archive.ChangedDamage},
		{"rewritten", inPlace(func(b []byte) { b[50_000] ^= 1 }), archive.ChangedDamage},
		{"erased", inPlace(erase), archive.ChangedErased},
	}
	for _, tt := range []struct {
		at       moment
		first    map[string]bool // what the snapshot has as it was before
		captures map[string]int  // how many it takes, if more than one
	}{
		{at: beforeOpening}, // the capture itself checks again
		{
			at:       beforeHashing,
			first:    map[string]bool{"deleted": true},
			captures: map[string]int{"truncated": 2, "grown": 2, "rewritten": 2, "erased": 2},
		},
		{
			at:       beforeSending,
			first:    map[string]bool{"deleted": true, "grown": true}, // what was hashed is there
			captures: map[string]int{"truncated": 2, "rewritten": 2, "erased": 2},
		},
		{
			at:    beforeCommit,
			first: map[string]bool{"deleted": true, "truncated": true, "grown": true, "rewritten": true, "erased": true},
		},
	} {
		for _, change := range changes {
			t.Run(change.what+" "+string(tt.at), func(t *testing.T) {
				l := eraserLog(t)
				before := l.all()
				store := storetest.Memory(t)
				store.TolerateMismatch = true
				i := &intruder{Directory: l.source(plain), Store: store, at: tt.at, file: name(file)}
				i.do = func() {
					if err := change.do(l); err != nil {
						t.Error(err)
					}
				}
				a := archive.New(i, archive.Options{Transfers: 1})
				res := backsUp(t, a, i)
				after := l.left()
				if captures := max(tt.captures[change.what], 1); i.captures != captures {
					t.Errorf("%d captures, want %d", i.captures, captures)
				}
				want := after
				if tt.first[change.what] {
					want = before
				} else if change.what != "deleted" {
					neverStored(t, store, name(file), before[name(file)])
				}
				damaged := !bytes.Equal(want[name(file)], before[name(file)]) && change.kind == archive.ChangedDamage
				if damaged != slices.Equal(res.Damaged, []string{name(file)}) {
					t.Errorf("damaged: %q", res.Damaged)
				}
				mustRestore(t, a, 1, filepath.Join(t.TempDir(), "r"), want)

				again := backsUp(t, a, i)
				var changed []archive.Changed
				if tt.first[change.what] && change.kind != "" {
					changed = []archive.Changed{{Name: name(file), Kind: change.kind}}
				}
				if again.Committed != tt.first[change.what] || !slices.Equal(again.Changed, changed) {
					t.Errorf("the next run: committed %v, changed %v; want %v", again.Committed, again.Changed, changed)
				}
				mustRestore(t, a, again.Snapshot.Sequence, filepath.Join(t.TempDir(), "r"), after)
				mustRestore(t, a, 1, filepath.Join(t.TempDir(), "r"), want)
				mustVerify(t, a)
			})
		}
	}
}

// backsUp makes a backup that succeeds, in virtual time.
func backsUp(t *testing.T, a *archive.Archive, src archive.Source) (res *archive.BackupResult) {
	t.Helper()
	virtually(t, func(t *testing.T) {
		var err error
		if res, err = a.Backup(t.Context(), src, options); err != nil {
			t.Fatal(err)
		}
	})
	if res == nil || res.Snapshot == nil {
		t.FailNow()
	}
	return res
}

// neverStored makes sure that there is no object under the hash that a content has.
func neverStored(t *testing.T, store *storetest.InMemory, name string, content []byte) {
	t.Helper()
	sum := storetest.SumsOf(content).SHA256.String()
	for _, key := range store.Keys(manifest.DataPrefix + manifest.EncodeName(name) + "/") {
		if strings.Contains(key, sum) {
			t.Errorf("%s was stored although it was not that any more: %s", name, key)
		}
	}
}

// A file that another one has replaced, with the same size and modification time, as rsync --times
// or a restore of a single file leaves it, is read again: its inode is another. A different number
// of links alone proves nothing, as where a link was only made or removed.
func TestReplacedFileWithOtherLinksIsReadAgain(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 5)
	db.fill(4, 300)
	a := archive.New(storetest.Memory(t), archive.Options{})
	mustBackup(t, a, db)

	path := filepath.Join(db.dir, name(1))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	content := db.noise(int(info.Size()))
	write(t, db.dir, "new", string(content))
	if err := os.Chtimes(filepath.Join(db.dir, "new"), info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(filepath.Join(db.dir, "new"), filepath.Join(db.dir, "another")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(db.dir, "new"), path); err != nil {
		t.Fatal(err)
	}
	db.files[name(1)] = content
	if res := mustBackup(t, a, db); len(res.Changed) != 1 || res.Changed[0].Name != name(1) {
		t.Errorf("%+v", res)
	}
	mustRestore(t, a, 2, filepath.Join(t.TempDir(), "r"), db.files)
}
