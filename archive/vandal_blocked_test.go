package archive_test

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// obstacles are what may lie under a key in a directory and is no object.
var obstacles = map[string]func(path string) error{
	"directory":      func(path string) error { return os.MkdirAll(path, 0o700) },
	"full directory": func(path string) error { return os.MkdirAll(filepath.Join(path, "x"), 0o700) },
	"named pipe":     func(path string) error { return syscall.Mkfifo(path, 0o600) },
	"socket": func(path string) error {
		l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err == nil {
			l.SetUnlinkOnClose(false)
			err = l.Close()
		}
		return err
	},
	"link loop":     func(path string) error { return os.Symlink(filepath.Base(path), path) },
	"dangling link": func(path string) error { return os.Symlink("nothing", path) },
	"link to a file": func(path string) error {
		return errors.Join(os.WriteFile(path+".x", []byte("{}"), 0o600), os.Symlink(filepath.Base(path)+".x", path))
	},
	"link outwards": func(path string) error { return os.Symlink("/etc/hostname", path) },
}

// obstruct makes something in an archive's directory.
func obstruct(t *testing.T, dir, key string, do func(string) error) {
	t.Helper()
	path := filepath.Join(dir, filepath.FromSlash(key))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(path)) // a socket's path is short
	if err := do(filepath.Base(path)); err != nil {
		t.Fatal(err)
	}
}

// inDirectory is an archive in a directory, with as many snapshots.
func inDirectory(t *testing.T, snapshots int) (dir string, h *pruned) {
	t.Helper()
	dir = filepath.Join(t.TempDir(), "archive")
	h = &pruned{t: t, db: newDatabase(t, t.TempDir(), 7), want: map[int64]map[string][]byte{}}
	for range snapshots {
		h.db.grow(50)
		h.db.flip(20)
		n := mustBackup(t, archive.New(storeAt(t, dir), archive.Options{}), h.db).Snapshot.Sequence
		h.want[n] = maps.Clone(h.db.files)
	}
	return dir, h
}

// Something that is no object lies under the key of the next manifest. No listing shows it, so every backup lost the
// race for that number to it, for good. A backup passes over the number, stores everything once more, and names it; the
// one after is as cheap as ever.
func TestBlockedManifest(t *testing.T) {
	soaktest.SkipIfRacing(t)
	for what, put := range obstacles {
		for _, before := range []int{0, 2} {
			t.Run(fmt.Sprintf("%s after %d", what, before), func(t *testing.T) {
				dir, h := inDirectory(t, before)
				next := int64(before + 1)
				obstruct(t, dir, manifest.ManifestKey(next), put)
				a := archive.New(storeAt(t, dir), archive.Options{})
				preflight := func() storecheck.Finding { f, _ := a.Preflight(t.Context()); return f }
				if f := preflight(); f.Result != storecheck.Note || !strings.Contains(f.Detail, manifest.ManifestKey(next)) {
					t.Errorf("preflight: %+v", f)
				}
				for i := range int64(2) {
					h.db.grow(50)
					h.db.flip(20)
					res := mustBackup(t, a, h.db)
					if res.Snapshot.Sequence != next+1+i {
						t.Fatalf("snapshot %d", res.Snapshot.Sequence)
					}
					h.want[res.Snapshot.Sequence] = maps.Clone(h.db.files)
					named := slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, manifest.ManifestKey(next)) })
					if whole := res.Sent == len(h.db.files); whole != (i == 0) || named != whole {
						t.Errorf("backup %d sent %d of %d files: %q", i, res.Sent, len(h.db.files), res.Warnings)
					}
				}
				for n, files := range h.want {
					mustRestore(t, a, n, filepath.Join(t.TempDir(), "r"), files)
				}
				if _, err := a.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}}); err != nil {
					t.Error(err)
				}
				mustVerify(t, a)
			})
		}
	}
}

// A ledger has no gaps, so hold and prune wait for an operator. Their error names what is in the way, a verify and a
// check do too, and backups go on.
func TestBlockedRecord(t *testing.T) {
	for what, put := range obstacles {
		t.Run(what, func(t *testing.T) {
			dir, h := inDirectory(t, 2)
			a := archive.New(storeAt(t, dir), archive.Options{})
			key := manifest.LedgerKey(1)
			obstruct(t, dir, key, put)
			_, err := a.Hold(t.Context(), archive.Selector{}, "kept")
			_, pruneErr := a.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
			for _, err := range []error{err, pruneErr} {
				if !errors.Is(err, store.ErrBlocked) || !strings.Contains(err.Error(), filepath.Join(dir, key)) {
					t.Errorf("%v", err)
				}
			}
			h.db.grow(10)
			h.db.flip(10)
			if res := mustBackup(t, a, h.db); !strings.Contains(strings.Join(res.Warnings, "\n"), key) || res.Sent == len(h.db.files) {
				t.Errorf("sent %d files; %q", res.Sent, res.Warnings)
			}
			r, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true})
			if err != nil || len(r.Problems) > 0 || !strings.Contains(strings.Join(r.Blocked, "\n"), key) {
				t.Errorf("verify: %+v, %v", r, err)
			}
			if f, _ := a.Preflight(t.Context()); f.Result != storecheck.Note || !strings.Contains(f.Detail, key) {
				t.Errorf("preflight: %+v", f)
			}
			if err := os.RemoveAll(filepath.Join(dir, key)); err != nil {
				t.Fatal(err)
			}
			if _, err := a.Hold(t.Context(), archive.Selector{}, "kept"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A file, or a link, lies where an archive needs a directory. A backup that needs the directory fails before it sends
// anything, or at that file; its error, a verify and a check name the path. Once it is gone, a backup succeeds.
func TestBlockedDirectory(t *testing.T) {
	file := func(path string) error { return os.WriteFile(path, []byte("x"), 0o600) }
	for i, c := range []struct {
		key            string
		before         int
		put            func(string) error
		stops, isCheck bool // a backup fails; a check finds it
		unlisted       bool // no listing shows it, so a verify does not find it
	}{
		{"manifests", 0, file, true, true, false},
		{"manifests", 0, obstacles["dangling link"], true, true, false},
		{"manifests/000", 0, file, true, true, false},
		{"manifests/000/000", 0, obstacles["named pipe"], true, true, false},
		{"data", 0, file, true, true, false},
		{"data", 0, obstacles["link outwards"], true, true, false},
		{"bundles", 2, file, true, true, false},
		{"pages", 2, file, true, true, false},
		{"ledger", 2, file, false, true, false},
		{"ledger/000/000", 2, file, false, true, false},
		{"archive.json", 0, obstacles["directory"], true, true, false},
		{"archive.json", 0, obstacles["link loop"], true, true, false},
		{"data/" + name(3), 2, file, true, false, false},
		{"data/" + name(3), 2, obstacles["link loop"], true, false, true},
		{".~strongroom", 0, file, true, false, true},
	} {
		t.Run(fmt.Sprintf("%s %d", c.key, i), func(t *testing.T) {
			dir, h := inDirectory(t, c.before)
			if c.key == ".~strongroom" {
				if err := os.RemoveAll(filepath.Join(dir, c.key)); err != nil {
					t.Fatal(err)
				}
			}
			obstruct(t, dir, c.key, c.put)
			a := archive.New(storeAt(t, dir), archive.Options{})
			h.db.grow(50)
			h.db.flip(20)
			h.db.grow(50)
			h.db.flip(20)
			path := filepath.Join(dir, c.key)
			res, err := a.Backup(t.Context(), h.db.source(), options)
			if c.stops && (!errors.Is(err, store.ErrBlocked) || !strings.Contains(err.Error(), path+" is ")) || !c.stops && err != nil {
				t.Errorf("backup: %v", err)
			}
			if !c.stops && !strings.Contains(strings.Join(res.Warnings, "\n"), path) {
				t.Errorf("backup: %q", res.Warnings)
			}
			if f, _ := a.Preflight(t.Context()); c.isCheck && !strings.Contains(f.Detail, path) ||
				c.isCheck && (f.Result == storecheck.Failed) != c.stops {
				t.Errorf("preflight: %+v", f)
			}
			if c.before > 0 {
				r, err := a.Verify(t.Context(), archive.VerifyOptions{})
				if err != nil || len(r.Problems) > 0 || strings.Contains(strings.Join(r.Blocked, "\n"), path) == c.unlisted {
					t.Errorf("verify: %+v, %v", r, err)
				}
			}
			if err := os.RemoveAll(path); err != nil {
				t.Fatal(err)
			}
			if res := mustBackup(t, a, h.db); c.stops && !res.Committed {
				t.Error("no snapshot")
			}
		})
	}
}

// A directory lies under the key of a data object that can be foreseen: the content is stored under a key with a nonce.
func TestBlockedObject(t *testing.T) {
	dir, h := inDirectory(t, 1)
	h.db.grow(30)
	h.db.flip(20)
	closed := h.db.closed()
	last := closed[len(closed)-1]
	key := manifest.DataPrefix + last + "/" + manifest.Sum(h.db.files[last]).String() + "-000000002"
	obstruct(t, dir, key, obstacles["directory"])
	a := archive.New(storeAt(t, dir), archive.Options{})
	if res := mustBackup(t, a, h.db); !strings.Contains(strings.Join(res.Warnings, "\n"), key) {
		t.Errorf("%q", res.Warnings)
	}
	mustRestore(t, a, 2, filepath.Join(t.TempDir(), "r"), h.db.files)
}
