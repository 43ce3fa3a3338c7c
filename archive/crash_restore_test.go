package archive_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/crashtest"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// The files of a database whose directory has directories.
var crashFiles = map[string][]byte{
	"data001/00000000.jdb": bytes.Repeat([]byte("a"), 70),
	"data002/00000001.jdb": bytes.Repeat([]byte("b"), 50),
	"data001/00000002.jdb": bytes.Repeat([]byte("c"), 90),
	"data002/00000003.jdb": bytes.Repeat([]byte("d"), 30),
}

// A restoreCase restores the newest snapshot of crashFiles.
type restoreCase struct {
	name    string
	target  string            // below the directory
	before  map[string]string // what lies in the target; nil: there is no target
	partial map[string]string // what lies in the partial directory beside it; nil: there is none
	marked  bool              // there is a marker in it, of a restore of another snapshot
	mark    string            // what is in the target's marker; empty: there is none
	options archive.RestoreOptions
	want    map[string][]byte // what lies there in the end
}

func restoreCrashes() []crashCase {
	all := crashFiles
	one := map[string][]byte{"data002/00000001.jdb": all["data002/00000001.jdb"]}
	with := func(others map[string]string) map[string][]byte {
		files := maps.Clone(all)
		for name, content := range others {
			files[name] = []byte(content)
		}
		return files
	}
	right := func(name string) string { return string(all[name]) }
	cases := []restoreCase{
		{name: "restore to a new directory", target: "srv/db/env", want: all},
		{
			name: "restore of one file to a new directory", target: "env", want: one,
			options: archive.RestoreOptions{Include: []string{"00000001.jdb"}},
		},
		{name: "restore to an empty directory", target: "env", before: map[string]string{}, want: all},
		{
			name: "restore of one file to an empty directory", target: "env", before: map[string]string{}, want: one,
			options: archive.RestoreOptions{Include: []string{"00000001.jdb"}},
		},
		{name: "restore over files", target: "env", before: map[string]string{
			"notes.txt": "mine", "data001/00000000.jdb": right("data001/00000000.jdb"), "data001/00000002.jdb": "wrong",
		}, want: with(map[string]string{"notes.txt": "mine"}), options: archive.RestoreOptions{Overwrite: true}},
		{name: "restore over files with others among them", target: "env", before: map[string]string{
			"data001/00000002.jdb": "wrong", "data003/00000009.jdb": "of another time",
		}, want: all, options: archive.RestoreOptions{Overwrite: true, DeleteExtra: true}},
		{name: "restore after one of another snapshot", target: "env", partial: map[string]string{
			"data001/00000000.jdb": right("data001/00000000.jdb"), "data003/00000009.jdb": "of another time",
		}, marked: true, want: all},
		{
			name: "restore over one of another archive", target: "env", before: map[string]string{
				"notes.txt": "mine", "data001/00000002.jdb": "wrong", "other/a.1": "of another archive",
			}, mark: `{"archive":"x","sequence":9,"made":["other/a.1"],"snapshots":[{"archive":"x","sequence":9}]}`,
			want: with(map[string]string{"notes.txt": "mine"}), options: archive.RestoreOptions{Overwrite: true},
		},
		{name: "restore after an unreadable marker", target: "env", before: map[string]string{
			"data001/00000000.jdb": right("data001/00000000.jdb"), "data002/00000003.jdb": right("data002/00000003.jdb"),
		}, mark: "\n", want: all},
	}
	var crashes []crashCase
	for _, c := range cases {
		crashes = append(crashes, crashCase{name: c.name, prepare: c.prepare},
			crashCase{name: c.name + ", with one sync", prepare: c.prepare, syncsAll: true})
	}
	return crashes
}

// archiveCrashFiles makes a snapshot of crashFiles.
func archiveCrashFiles(t *testing.T) (*storetest.InMemory, *manifest.Manifest) {
	t.Helper()
	db, store := t.TempDir(), storetest.Memory(t)
	writeFiles(t, db, crashFiles)
	return store, archiveFilesOf(t, db, store)
}

// archiveFilesOf makes a snapshot of a directory.
func archiveFilesOf(t *testing.T, db string, store *storetest.InMemory) *manifest.Manifest {
	t.Helper()
	layout, err := source.NewLayout(source.LayoutOptions{Name: "je", NoEntries: true})
	if err != nil {
		t.Fatal(err)
	}
	src, err := source.Open(db, layout)
	if err != nil {
		t.Fatal(err)
	}
	a := archive.New(store, archive.Options{Transfers: 2})
	if _, err := a.Backup(t.Context(), src, options); err != nil {
		t.Fatal(err)
	}
	return newest(t, a)
}

func (c *restoreCase) prepare(t *testing.T, dir string) crashSteps {
	store, m := archiveCrashFiles(t)
	c.makeBefore(t, dir, m)
	return crashSteps{
		run: func(dir string, note func(string)) error {
			a := archive.New(store, archive.Options{Transfers: 2})
			_, err := a.Restore(context.Background(), m, filepath.Join(dir, c.target), c.options)
			if err == nil {
				note("restored")
			}
			return err
		},
		check: func(dir string, reported []string) error {
			return c.check(filepath.Join(dir, c.target), len(reported) > 0)
		},
		done: func(dir string) error { return c.complete(filepath.Join(dir, c.target)) },
	}
}

// Files that another program put into the target may not be durable. If a restore finds them right,
// be it one file of several or all of them, a power loss after the restore removes none.
func TestPowerLossOfWhatOthersRestored(t *testing.T) {
	store, m := archiveCrashFiles(t)
	for _, first := range []int{1, len(crashFiles)} {
		dir := t.TempDir()
		r := crashtest.Record(t, dir)
		for i, name := range slices.Sorted(maps.Keys(crashFiles)) {
			if i < first {
				writeUnsynced(t, filepath.Join(dir, "env"), name, crashFiles[name])
			}
		}
		o := archive.RestoreOptions{Overwrite: true}
		res, err := archive.New(store, archive.Options{}).Restore(t.Context(), m, filepath.Join(dir, "env"), o)
		if err != nil || res.Skipped != first {
			t.Fatalf("%+v, %v", res, err)
		}
		r.Stop()
		for _, loss := range crashtest.Losses() {
			state, err := r.Log().At(r.Log().Len())
			if err != nil {
				t.Fatal(err)
			}
			left := t.TempDir()
			if err := state.Lose(loss).Write(left); err != nil {
				t.Fatal(err)
			}
			if err := sameFiles(filepath.Join(left, "env"), crashFiles); err != nil {
				t.Errorf("%d were there; %s: %v", first, loss.Name, err)
			}
		}
	}
}

// After a power loss the same command restores what is the newest snapshot by then, which may lack
// a file that the interrupted restore has made. So at each moment something durable shows that the
// file is from a restore: the marker, or the mark beside a complete set until that has its name.
func TestPowerLossThenANewerSnapshot(t *testing.T) {
	soaktest.SkipIfRacing(t)
	db, store := t.TempDir(), storetest.Memory(t)
	writeFiles(t, db, crashFiles)
	old := archiveFilesOf(t, db, store)
	dir := t.TempDir()
	r := crashtest.Record(t, dir)
	defer r.Stop()
	a := archive.New(store, archive.Options{Transfers: 2})
	if _, err := a.Restore(t.Context(), old, filepath.Join(dir, "env"), archive.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	l := r.Log()

	newer := maps.Clone(crashFiles)
	delete(newer, "data001/00000000.jdb") // as a cleaner does
	newer["data002/00000004.jdb"] = []byte("new")
	if err := os.Remove(filepath.Join(db, "data001", "00000000.jdb")); err != nil {
		t.Fatal(err)
	}
	writeFiles(t, db, newer)
	m := archiveFilesOf(t, db, store)
	tried := map[[sha256.Size]byte]bool{}
	for n := range l.Len() {
		for _, loss := range crashtest.Losses() {
			state, err := l.At(n)
			if err != nil {
				t.Fatal(err)
			}
			survivors := state.Lose(loss)
			if tried[survivors.Sum()] {
				continue
			}
			tried[survivors.Sum()] = true
			left := t.TempDir()
			if err := survivors.Write(left); err != nil {
				t.Fatal(err)
			}
			if exists(left, "env") {
				continue // the set is complete: a newer one needs a place of its own
			}
			if _, err := a.Restore(t.Context(), m, filepath.Join(left, "env"), archive.RestoreOptions{}); err != nil {
				t.Fatalf("%s, at event %d of %d: %v\n%s", loss.Name, n, l.Len(), err, l.Around(n))
			}
			if err := sameFiles(filepath.Join(left, "env"), newer); err != nil {
				t.Fatalf("%s, at event %d of %d: %v\n%s", loss.Name, n, l.Len(), err, l.Around(n))
			}
		}
	}
}

// writeUnsynced makes a file as a program does that does not care for power losses.
func writeUnsynced(t *testing.T, dir, name string, content []byte) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := disk.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	root, err := disk.OpenRoot(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, err := root.OpenFile(filepath.Base(path), os.O_WRONLY|os.O_CREATE, 0o644)
	if err == nil {
		_, err = f.Write(content)
		err = errors.Join(err, f.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
}

// makeBefore makes what lies there before.
func (c *restoreCase) makeBefore(t *testing.T, dir string, m *manifest.Manifest) {
	t.Helper()
	target := filepath.Join(dir, c.target)
	if c.before != nil {
		writeFiles(t, mkdir(t, target), asBytes(c.before))
	}
	if c.mark != "" {
		write(t, target, archive.IncompleteMarker, c.mark)
	}
	if c.partial != nil {
		target += archive.PartialSuffix
		writeFiles(t, mkdir(t, target), asBytes(c.partial))
	}
	if c.marked {
		b, err := json.Marshal(map[string]any{"archive": m.Archive, "sequence": m.Sequence + 1})
		if err != nil {
			t.Fatal(err)
		}
		write(t, target, archive.IncompleteMarker, string(b))
	}
}

// check checks a target after a crash. Without a marker it is whole, or as it was.
func (c *restoreCase) check(target string, reported bool) error {
	err := c.complete(target)
	switch {
	case err == nil || reported:
		return err
	case exists(target, archive.IncompleteMarker):
		return nil
	case !exists(target):
		if c.before != nil {
			return errors.New("the target is gone")
		}
		return nil
	case c.before == nil:
		return fmt.Errorf("the target exists, has no mark, and is not whole: %w", err)
	}
	if was := sameFiles(target, asBytes(c.before)); was != nil {
		return fmt.Errorf("the target has no mark, and is neither whole (%w) nor as it was (%w)", err, was)
	}
	return nil
}

// complete checks that a target is as a restore reports it: files, their times, no marker.
func (c *restoreCase) complete(target string) error {
	if exists(target, archive.IncompleteMarker) {
		return errors.New("the marker is there")
	}
	if err := sameFiles(target, c.want); err != nil {
		return err
	}
	for name := range c.want {
		if _, had := c.before[name]; had || crashFiles[name] == nil || c.partial[name] != "" {
			continue // its time is not what a restore sets
		}
		info, err := os.Stat(filepath.Join(target, name))
		if err != nil || !info.ModTime().Equal(crashTime) {
			return fmt.Errorf("%s was modified %v, want %v: %w", name, info.ModTime(), crashTime, err)
		}
	}
	return nil
}

var crashTime = time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)

func writeFiles(t *testing.T, dir string, files map[string][]byte) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		mkdir(t, filepath.Dir(path))
		if err := os.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, crashTime, crashTime); err != nil {
			t.Fatal(err)
		}
	}
}

func asBytes(files map[string]string) map[string][]byte {
	all := map[string][]byte{}
	for name, content := range files {
		all[name] = []byte(content)
	}
	return all
}

// sameFiles compares a directory with its files. A restore's own temporary files are none.
func sameFiles(dir string, want map[string][]byte) error {
	met := 0
	err := fs.WalkDir(os.DirFS(dir), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || strings.HasPrefix(d.Name(), ".strongroom-") {
			return err
		}
		met++
		got, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			return err
		}
		content, ok := want[name]
		switch {
		case !ok:
			return fmt.Errorf("%s is there", name)
		case !bytes.Equal(got, content):
			return fmt.Errorf("%s has other content", name)
		}
		return nil
	})
	if err == nil && met != len(want) {
		err = fmt.Errorf("%d files, want %d", met, len(want))
	}
	return err
}
