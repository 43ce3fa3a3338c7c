package archive_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/source"
)

// Directories that are one within the other endanger both: a cleaner of the database deletes objects, and a prune or a
// restore deletes log files. So each operation that writes refuses them, for programs that use only this package, too.
func TestDirectoriesAreApart(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	open := func(dir string, state *archive.LocalState, counter *providers.Counter) *archive.Archive {
		t.Helper()
		b, err := providers.Open(t.Context(), "file://"+dir, providers.Options{Counter: counter})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { b.Close() })
		return archive.New(b, archive.Options{State: state})
	}
	at, state := filepath.Join(home, "archive"), filepath.Join(home, "state")
	a := open(at, &archive.LocalState{Dir: state, Place: "file://" + at}, &providers.Counter{})
	db := newDatabase(t, t.TempDir(), 7)
	db.fill(2, 1000)
	mustBackup(t, a, db)
	m := newest(t, a)

	inside := filepath.Join(at, "db")
	if err := os.MkdirAll(inside, 0o700); err != nil {
		t.Fatal(err)
	}
	write(t, inside, "log.0000000001", "entries")
	src, err := source.OpenWith(inside, source.LayoutOptions{Name: "bdb"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := a.Backup(t.Context(), src, archive.BackupOptions{Node: "n"}); !errors.Is(err, archive.ErrOverlap) {
		t.Errorf("a backup from within: %v", err)
	}
	for to, want := range map[string]error{
		"": archive.ErrBadTarget, filepath.Join(state, "r"): archive.ErrBadTarget,
		filepath.Join(at, "r"): archive.ErrOverlap, home: archive.ErrOverlap,
	} {
		for _, dry := range []bool{false, true} {
			if _, err := a.Restore(t.Context(), m, to, archive.RestoreOptions{DryRun: dry}); !errors.Is(err, want) {
				t.Errorf("a restore to %q: %v", to, err)
			}
		}
	}
	for _, dir := range []string{at, filepath.Join(at, "copy"), home} {
		to := open(dir, nil, nil)
		if _, err := archive.Copy(t.Context(), a, to, archive.CopyOptions{}); !errors.Is(err, archive.ErrOverlap) {
			t.Errorf("a copy to %s: %v", dir, err)
		}
		if _, err := archive.Reencrypt(t.Context(), a, to, archive.CopyOptions{}); !errors.Is(err, archive.ErrOverlap) {
			t.Errorf("a copy with other keys to %s: %v", dir, err)
		}
	}
	if _, err := a.Drill(t.Context(), m, archive.DrillOptions{Scratch: inside}); !errors.Is(err, archive.ErrBadTarget) {
		t.Errorf("a drill within: %v", err)
	}
	if _, err := a.Drill(t.Context(), m, archive.DrillOptions{Scratch: home}); err != nil {
		t.Errorf("a drill beside: %v", err)
	}
}
