package restoredir

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// A set is the files of one snapshot.
type set struct {
	m     *manifest.Manifest
	bytes map[string][]byte
}

func newSet(sequence int64, files map[string][]byte) *set {
	m := &manifest.Manifest{}
	m.Archive, m.Sequence, m.Layout = "a1", sequence, "je"
	for name, b := range files {
		m.Files = append(m.Files, manifest.File{
			Name: name, Size: int64(len(b)), SHA256: manifest.Sum(b), Modified: time.Unix(1_700_000_000, 0),
		})
	}
	slices.SortFunc(m.Files, func(a, b manifest.File) int { return strings.Compare(a.Name, b.Name) })
	return &set{m, files}
}

// A host restores a set to a directory, step by step.
type host struct {
	t *testing.T
	*Dir
	set *set
}

func open(t *testing.T, dir string, s *set) (*host, error) {
	t.Helper()
	d, err := Open(t.Context(), dir, s.m, s.m.Files, Options{Overwrite: true, DeleteExtra: true})
	if err != nil {
		return nil, err
	}
	t.Cleanup(d.Close)
	return &host{t, d, s}, nil
}

func mustOpen(t *testing.T, dir string, s *set) *host {
	t.Helper()
	h, err := open(t, dir, s)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// loseLocks releases the locks of a restore that continues: so it is with a host whose locks do not reach others.
func (h *host) loseLocks() *host {
	h.t.Helper()
	if err := unix.Flock(int(h.lock.Fd()), unix.LOCK_UN); err != nil {
		h.t.Fatal(err)
	}
	for _, f := range []*disk.File{h.mark, h.begun} {
		if f != nil {
			unlockFile(f)
		}
	}
	return h
}

// write restores one file; while calls a function after its content was written.
func (h *host) write(name string, while func()) error {
	f := &h.set.m.Files[slices.IndexFunc(h.set.m.Files, func(f manifest.File) bool { return f.Name == name })]
	if is, err := h.isRight(h.t.Context(), f); err != nil || is {
		return err
	}
	err := h.WriteFile(h.t.Context(), f, func(to *disk.File) error {
		_, err := to.Write(h.set.bytes[name])
		if while != nil {
			while()
		}
		return err
	})
	if commitErr := h.Commit(h.t.Context()); err == nil {
		err = commitErr
	}
	return err
}

// end restores what is left and ends the restore.
func (h *host) end() error {
	for name := range h.set.bytes {
		if err := h.write(name, nil); err != nil {
			return err
		}
	}
	if _, err := h.RemoveExtra(h.t.Context()); err != nil {
		return err
	}
	return h.Finish(h.t.Context())
}

// holds reports whether a directory has exactly the files of the set.
func (s *set) holds(dir string) bool {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != len(s.bytes) {
		return false
	}
	for name, want := range s.bytes {
		if b, err := os.ReadFile(filepath.Join(dir, name)); err != nil || !bytes.Equal(b, want) {
			return false
		}
	}
	return true
}

func twoSets() (*set, *set) {
	one := newSet(1, map[string][]byte{"00000000.jdb": []byte("first"), "00000001.jdb": []byte("tail")})
	two := newSet(2, map[string][]byte{"00000001.jdb": []byte("tail, and more"), "00000002.jdb": []byte("new")})
	return one, two
}

// targets are a new directory and an existing one, for a test each.
func targets(t *testing.T, test func(t *testing.T, dir string)) {
	t.Helper()
	t.Run("new", func(t *testing.T) { test(t, filepath.Join(t.TempDir(), "db")) })
	t.Run("existing", func(t *testing.T) { test(t, t.TempDir()) })
}

// Two hosts without a lock that reaches both restore into one directory, over NFS for example. Whatever moment the
// second begins at, neither reports a set that is not there: each writes to files of its own, and the first one stops.
func TestTwoHostsWithoutLocks(t *testing.T) {
	t.Parallel()
	one, two := twoSets()
	moments := map[string]func(t *testing.T, first *host, second func()) error{
		"before a file": func(_ *testing.T, first *host, second func()) error {
			second()
			return first.end()
		},
		"while a file is written": func(_ *testing.T, first *host, second func()) error {
			if err := first.write("00000001.jdb", second); err != nil {
				return err
			}
			return first.end()
		},
		"before the end": func(_ *testing.T, first *host, second func()) error {
			for name := range one.bytes {
				if err := first.write(name, nil); err != nil {
					return err
				}
			}
			second()
			return first.Finish(first.t.Context())
		},
	}
	for what, moment := range moments {
		for _, other := range []*set{one, two} {
			t.Run(what, func(t *testing.T) {
				targets(t, func(t *testing.T, dir string) {
					first := mustOpen(t, dir, one)
					if err := first.Begin(t.Context()); err != nil {
						t.Fatal(err)
					}
					first.loseLocks()
					err := moment(t, first, func() {
						second := mustOpen(t, dir, other)
						if err := second.Begin(t.Context()); err != nil {
							t.Fatal(err)
						}
						if err := second.end(); err != nil {
							t.Fatalf("the second host: %v", err)
						}
						if !other.holds(dir) {
							t.Error("the second host reported a set that is not there")
						}
					})
					if !errors.Is(err, ErrOccupied) {
						t.Errorf("the first host: %v", err)
					}
					first.Close()
					if !other.holds(dir) {
						t.Error("the first host changed the set that the second reported")
					}
				})
			})
		}
	}
}

// The second host has begun and has not ended. The first one changes nothing more, and does not end its restore: the
// directory would lose the marker of the second.
func TestFirstHostStopsWhileTheSecondRestores(t *testing.T) {
	t.Parallel()
	one, two := twoSets()
	for what, step := range map[string]func(first *host) error{
		"its next file": func(first *host) error { return first.write("00000001.jdb", nil) },
		"its end":       func(first *host) error { return first.Finish(first.t.Context()) },
	} {
		targets(t, func(t *testing.T, dir string) {
			first := mustOpen(t, dir, one)
			if err := first.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			for name := range one.bytes {
				if what == "its end" || name == "00000000.jdb" {
					if err := first.write(name, nil); err != nil {
						t.Fatal(err)
					}
				}
			}
			first.loseLocks()
			second := mustOpen(t, dir, two)
			if err := second.Begin(t.Context()); err != nil {
				t.Fatal(err)
			}
			if err := step(first); !errors.Is(err, ErrOccupied) {
				t.Errorf("%s: %v", what, err)
			}
			if _, err := os.Stat(filepath.Join(second.work, IncompleteMarker)); err != nil {
				t.Errorf("%s: %v", what, err)
			}
			if err := second.end(); err != nil || !two.holds(dir) {
				t.Errorf("%s: the second host: %v", what, err)
			}
		})
	}
}

// Both hosts look at the directory before either has marked it: one of them gets it.
func TestTwoHostsBeginAtOnce(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	targets(t, func(t *testing.T, dir string) {
		first := mustOpen(t, dir, one).loseLocks()
		second := mustOpen(t, dir, one)
		if err := first.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := second.Begin(t.Context()); !errors.Is(err, ErrOccupied) {
			t.Fatalf("the second host: %v", err)
		}
		second.Close()
		if err := first.end(); err != nil || !one.holds(dir) {
			t.Fatal(err)
		}
	})
}

// With locks, a second restore is refused from the first step to the last. The lock of fcntl alone is enough: over NFS,
// only that one reaches the other host.
func TestSecondHostIsRefused(t *testing.T) {
	t.Parallel()
	one, two := twoSets()
	targets(t, func(t *testing.T, dir string) {
		first := mustOpen(t, dir, one)
		if err := first.Begin(t.Context()); err != nil {
			t.Fatal(err)
		}
		if err := unix.Flock(int(first.lock.Fd()), unix.LOCK_UN); err != nil {
			t.Fatal(err)
		}
		for name := range one.bytes {
			if _, err := open(t, dir, two); !errors.Is(err, ErrOccupied) {
				t.Fatalf("before %s: %v", name, err)
			}
			if err := first.write(name, nil); err != nil {
				t.Fatal(err)
			}
		}
		if err := first.end(); err != nil || !one.holds(dir) {
			t.Fatal(err)
		}
	})
}

// Between the last file and the name of a new directory, the marker is beside it. Its lock is still held.
func TestMarkerBesideIsLocked(t *testing.T) {
	t.Parallel()
	one, two := twoSets()
	dir := filepath.Join(t.TempDir(), "db")
	first := mustOpen(t, dir, one)
	if err := first.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := unix.Flock(int(first.lock.Fd()), unix.LOCK_UN); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(first.work, IncompleteMarker), dir+CompleteSuffix); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir, two); !errors.Is(err, ErrOccupied) {
		t.Fatal(err)
	}
	if err := os.Rename(first.work, dir); err != nil { // the last step of the first restore
		t.Fatal(err)
	}
	if err := os.Rename(dir, dir+".ended"); err != nil {
		t.Fatal(err)
	}
	if _, err := open(t, dir, two); !errors.Is(err, ErrOccupied) {
		t.Fatal(err)
	}
	if _, err := os.Stat(dir + PartialSuffix); err == nil {
		t.Error("a restore that was refused left its directory")
	}
	closeMarker(first.mark)
	first.mark = nil
	if err := mustOpen(t, dir, two).Begin(t.Context()); err != nil {
		t.Fatalf("after the first restore was killed: %v", err)
	}
}

// Another process replaces or cuts a restored file before the end. Its content is compared again, so that no set is
// reported that is not there.
func TestFileChangedBeforeTheEnd(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	for what, change := range map[string]func(path string) error{
		"cut":     func(path string) error { return os.Truncate(path, 0) },
		"removed": os.Remove,
		"replaced": func(path string) error {
			return errors.Join(os.Remove(path), os.WriteFile(path, []byte("other"), 0o600))
		},
	} {
		for _, wasThere := range []bool{false, true} {
			targets(t, func(t *testing.T, dir string) {
				h := mustOpen(t, dir, one)
				path := filepath.Join(h.work, "00000000.jdb")
				if wasThere {
					if err := os.WriteFile(path, one.bytes["00000000.jdb"], 0o600); err != nil {
						t.Fatal(err)
					}
				}
				if err := h.Begin(t.Context()); err != nil {
					t.Fatal(err)
				}
				for name := range one.bytes {
					if err := h.write(name, nil); err != nil {
						t.Fatal(err)
					}
				}
				if err := change(path); err != nil {
					t.Fatal(err)
				}
				if err := h.Finish(t.Context()); err == nil {
					t.Errorf("%s: no error", what)
				}
				if _, err := os.Stat(filepath.Join(h.work, IncompleteMarker)); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			})
		}
	}
}

// The same content in another file is right: the other process may be a restore of the same snapshot.
func TestFileReplacedByItself(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	dir := t.TempDir()
	h := mustOpen(t, dir, one)
	if err := h.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	for name, b := range one.bytes {
		if err := h.write(name, nil); err != nil {
			t.Fatal(err)
		}
		copied := filepath.Join(dir, "copy")
		if err := errors.Join(os.WriteFile(copied, b, 0o600), os.Rename(copied, filepath.Join(dir, name))); err != nil {
			t.Fatal(err)
		}
	}
	if err := h.Finish(context.Background()); err != nil || !one.holds(dir) {
		t.Fatal(err)
	}
}

// A temporary file that grows or shrinks behind a restore's back does not get its name.
func TestTemporaryFileIsCut(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	dir := t.TempDir()
	h := mustOpen(t, dir, one)
	if err := h.Begin(t.Context()); err != nil {
		t.Fatal(err)
	}
	err := h.write("00000000.jdb", func() {
		made, err := filepath.Glob(filepath.Join(dir, tempPrefix+"*"+tempSuffix))
		if err != nil || len(made) != 1 {
			t.Fatalf("%q, %v", made, err)
		}
		if err := os.Truncate(made[0], 0); err != nil {
			t.Fatal(err)
		}
	})
	if !errors.Is(err, ErrOccupied) {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, "00000000.jdb")); err == nil {
		t.Error("a file of 0 bytes got the name")
	}
}

// bare is a file system that refuses some operations with an error.
type bare struct{ refuses map[disk.Kind]error }

func (b *bare) Change(op *disk.Op, do func() error) error {
	if err := b.refuses[op.Kind]; err != nil && (op.Kind != disk.Rename || strings.HasSuffix(op.To, IncompleteMarker)) {
		return err
	}
	return do()
}

// On a file system without links, and without a rename that keeps what is there, a restore finds the marker of another
// host only when it gives its own the name. It must not go on: both would write the same files.
func TestMarkerOfAnotherHostWithoutLinks(t *testing.T) {
	t.Parallel()
	one, _ := twoSets()
	dir := filepath.Join(t.TempDir(), "db")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	defer disk.Observe(dir, &bare{map[disk.Kind]error{disk.Rename: unix.ENOTSUP, disk.Link: unix.EPERM}})()
	h := mustOpen(t, dir, one)
	theirs := []byte("of another host")
	if err := os.WriteFile(filepath.Join(dir, IncompleteMarker), theirs, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := h.Begin(t.Context()); !errors.Is(err, ErrOccupied) {
		t.Errorf("Begin: %v, want ErrOccupied", err)
	}
	if b, err := os.ReadFile(filepath.Join(dir, IncompleteMarker)); err != nil || !bytes.Equal(b, theirs) {
		t.Errorf("the marker of the other host is now %q, %v", b, err)
	}
}
