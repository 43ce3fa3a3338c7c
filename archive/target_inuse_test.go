package archive_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source/jetest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

const (
	holderPath = "STRONGROOM_TEST_HOLDER_PATH"
	holderWay  = "STRONGROOM_TEST_HOLDER_WAY"
)

// holds are the ways in which the process that holdFile starts holds a file.
var holds = map[string]func(f *os.File) error{
	"open":  func(*os.File) error { return nil },
	"flock": func(f *os.File) error { return unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB) },
	"shared flock": func(f *os.File) error { // as a reader of the database holds it
		return unix.Flock(int(f.Fd()), unix.LOCK_SH|unix.LOCK_NB)
	},
	"fcntl": func(f *os.File) error { // the byte that JE's writer locks
		return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK, Len: 1})
	},
	"shared fcntl": func(f *os.File) error { // the byte that JE's readers lock
		return unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_RDLCK, Start: 1, Len: 1})
	},
}

// TestHolder is no test, but the process that holdFile starts.
func TestHolder(t *testing.T) {
	t.Parallel()
	hold, ok := holds[os.Getenv(holderWay)]
	if !ok {
		return
	}
	flags := os.O_RDWR
	if os.Getenv(holderWay) == "open" {
		flags = os.O_RDONLY
	}
	f, err := os.OpenFile(os.Getenv(holderPath), flags, 0)
	if err == nil {
		err = hold(f)
	}
	fmt.Printf("holding: %v\n", err)
	_, _ = io.Copy(io.Discard, os.Stdin)
	f.Close()
}

// holdFile starts another process that holds a file, making the file if need be. It returns the
// process's number and a function that ends it. The file stays behind.
func holdFile(t *testing.T, path, way string) (pid int, release func()) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	c := exec.Command(os.Args[0], "-test.run=^TestHolder$")
	c.Env = append(os.Environ(), holderPath+"="+path, holderWay+"="+way)
	stdin, err1 := c.StdinPipe()
	stdout, err2 := c.StdoutPipe()
	if err := errors.Join(err1, err2, c.Start()); err != nil {
		t.Fatal(err)
	}
	ended := false
	release = func() {
		if !ended {
			ended = true
			stdin.Close()
			_ = c.Wait()
		}
	}
	t.Cleanup(release)
	if line, err := bufio.NewReader(stdout).ReadString('\n'); err != nil || line != "holding: <nil>\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return c.Process.Pid, release
}

// tree reads all of a directory, with a slash behind the names of directories.
func tree(t *testing.T, dir string) map[string][]byte {
	t.Helper()
	all := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil:
			return err
		case d.IsDir():
			all[name+"/"] = nil
			return nil
		}
		all[name], err = os.ReadFile(path)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func unchanged(t *testing.T, dir string, before map[string][]byte) {
	t.Helper()
	same := func(a, b []byte) bool { return string(a) == string(b) }
	if now := tree(t, dir); !maps.EqualFunc(now, before, same) {
		t.Errorf("the directory was changed:\n%q\n%q", slices.Sorted(maps.Keys(before)), slices.Sorted(maps.Keys(now)))
	}
}

// A running is a database in a directory, and an archive with an earlier state of it.
type running struct {
	*archive.Archive
	store *storetest.InMemory
	m     *manifest.Manifest
	dir   string
	want  map[string][]byte // the archived state
}

// newRunning makes a database that has gone on since it was archived: a restore has to replace
// its last file and to delete one.
func newRunning(t *testing.T) *running {
	t.Helper()
	db, store, a := archived(t, 4)
	r := &running{Archive: a, store: store, m: newest(t, a), dir: db.dir, want: maps.Clone(db.files)}
	db.grow(10)
	db.flip(10)
	return r
}

var replaceAll = archive.RestoreOptions{Overwrite: true, DeleteExtra: true}

// refused restores, which must be refused for the running database, name what it found, and
// leave all below the directory as it is.
func (r *running) refused(t *testing.T, to, within string, o archive.RestoreOptions, names ...string) {
	t.Helper()
	before := tree(t, within)
	for _, dry := range []bool{true, false} {
		o.DryRun = dry
		_, err := r.Restore(t.Context(), r.m, to, o)
		if !errors.Is(err, archive.ErrInUse) {
			t.Errorf("dry run %t: %v", dry, err)
		}
		for _, s := range names {
			if !contains(err, s) {
				t.Errorf("dry run %t: %v; want %q", dry, err, s)
			}
		}
		unchanged(t, within, before)
	}
}

// A file that a database locks keeps a restore out, in whatever way it is locked, and the error
// names the process. The file alone, which the database leaves behind, does not.
func TestRestoreIntoALockedDatabase(t *testing.T) {
	t.Parallel()
	for name, ways := range map[string][]string{
		"je.lck":   {"fcntl", "shared fcntl"},
		"noxu.lck": {"flock", "shared flock", "fcntl"},
		"LOCK":     {"fcntl", "flock"},
		".lock":    {"fcntl"},
	} {
		for _, way := range ways {
			t.Run(name+" "+way, func(t *testing.T) {
				t.Parallel()
				r := newRunning(t)
				lock := filepath.Join(r.dir, name)
				pid, release := holdFile(t, lock, way)
				r.refused(t, r.dir, r.dir, replaceAll, lock+" is locked by", strconv.Itoa(pid))
				if name == "je.lck" || name == "noxu.lck" { // the advice is not to overwrite it
					r.refused(t, r.dir, r.dir, archive.RestoreOptions{}, lock)
				}
				one := replaceAll
				one.Include = []string{"00000003.jdb"}
				r.refused(t, r.dir, r.dir, one, lock)

				release()
				if res, err := r.Restore(t.Context(), r.m, r.dir, replaceAll); err != nil || len(res.Removed) != 1 {
					t.Fatalf("with the lock file of a database that has ended: %+v, %v", res, err)
				}
				r.want[name] = nil
				compare(t, r.dir, r.want)
			})
		}
	}
}

// A database runs around the target, or below it, or its directory is reached by a link.
func TestRestoreBesideALockedDatabase(t *testing.T) {
	t.Parallel()
	t.Run("around", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t)
		holdFile(t, filepath.Join(r.dir, "je.lck"), "fcntl")
		mkdir(t, r.dir, "data001")
		r.refused(t, filepath.Join(r.dir, "data001"), r.dir, archive.RestoreOptions{}, "je.lck")
		r.refused(t, filepath.Join(r.dir, "data002"), r.dir, archive.RestoreOptions{}, "je.lck") // does not exist
		r.refused(t, filepath.Join(r.dir, "no", "such"), r.dir, archive.RestoreOptions{}, "je.lck")
		link := filepath.Join(t.TempDir(), "link")
		if err := os.Symlink(filepath.Join(r.dir, "data001"), link); err != nil {
			t.Fatal(err)
		}
		r.refused(t, link, r.dir, archive.RestoreOptions{}, "je.lck")
	})
	t.Run("around by name", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t)
		holdFile(t, filepath.Join(r.dir, "je.lck"), "fcntl")
		link := filepath.Join(r.dir, "data001")
		if err := os.Symlink(t.TempDir(), link); err != nil {
			t.Fatal(err)
		}
		_, err := r.Restore(t.Context(), r.m, link, archive.RestoreOptions{})
		if !errors.Is(err, archive.ErrInUse) {
			t.Fatal(err)
		}
		compare(t, link, nil)
	})
	t.Run("below", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t)
		lock := filepath.Join(mkdir(t, r.dir, "a", "b"), "noxu.lck")
		holdFile(t, lock, "flock")
		r.refused(t, r.dir, r.dir, replaceAll, lock)
	})
}

// A new directory beside the database is as good as ever, and a drill in one as well.
func TestRestoreToANewDirectoryWhileTheDatabaseRuns(t *testing.T) {
	t.Parallel()
	r := newRunning(t)
	holdFile(t, filepath.Join(r.dir, "je.lck"), "fcntl")
	before := tree(t, r.dir)
	mustRestore(t, r.Archive, 1, r.dir+"-restored", r.want)
	if _, err := r.Drill(t.Context(), r.m, archive.DrillOptions{Scratch: t.TempDir()}); err != nil {
		t.Error(err)
	}
	unchanged(t, r.dir, before)

	// Below the database it would be written into, too.
	if _, err := r.Drill(t.Context(), r.m, archive.DrillOptions{Scratch: r.dir}); !errors.Is(err, archive.ErrInUse) {
		t.Errorf("a drill in the directory of the database: %v", err)
	}
	unchanged(t, r.dir, before)
}

// PostgreSQL and others name their process in a file, which a crash leaves behind.
func TestRestoreWhereAProcessIsNamed(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"postmaster.pid", "mongod.lock", "db-1.pid"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newRunning(t)
			outside := filepath.Join(t.TempDir(), "x")
			pid, release := holdFile(t, outside, "open")
			write(t, r.dir, name, strconv.Itoa(pid)+"\n/var/lib/db\n1700000000\n")
			r.refused(t, r.dir, r.dir, replaceAll, name, strconv.Itoa(pid), "alive")
			if name != "db-1.pid" { // which counts only where it lies
				r.refused(t, filepath.Join(r.dir, "pg_wal"), r.dir, archive.RestoreOptions{}, name)
			}
			release()
			if _, err := r.Restore(t.Context(), r.m, r.dir, replaceAll); err != nil {
				t.Fatalf("of a process that has ended: %v", err)
			}
		})
	}
	for _, content := range []string{"", "\n", "none\n", "0\n", "99999999999999999999\n"} {
		r := newRunning(t)
		write(t, r.dir, "postmaster.pid", content)
		if _, err := r.Restore(t.Context(), r.m, r.dir, replaceAll); err != nil {
			t.Errorf("%q: %v", content, err)
		}
	}
}

// On Linux any file of the target counts that another process has open, under whatever name. A
// shell whose working directory is the target does not count.
func TestRestoreWhereAFileIsOpen(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("only Linux shows which files are open")
	}
	t.Run("of the snapshot", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t)
		path := filepath.Join(r.dir, name(1))
		pid, release := holdFile(t, path, "open")
		r.refused(t, r.dir, r.dir, replaceAll, path+" is open in", strconv.Itoa(pid), "archive.test")
		release()
		if _, err := r.Restore(t.Context(), r.m, r.dir, replaceAll); err != nil {
			t.Fatal(err)
		}
		compare(t, r.dir, r.want)
	})
	t.Run("other", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t)
		path := filepath.Join(mkdir(t, r.dir, "meta"), "catalog")
		holdFile(t, path, "open")
		r.refused(t, r.dir, r.dir, replaceAll, path)
	})
	t.Run("under another name", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t)
		other := filepath.Join(t.TempDir(), "other")
		if err := os.Link(filepath.Join(r.dir, name(1)), other); err != nil {
			t.Fatal(err)
		}
		holdFile(t, other, "open")
		r.refused(t, r.dir, r.dir, replaceAll, filepath.Join(r.dir, name(1)))
	})
	t.Run("behind a link", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t)
		other := filepath.Join(t.TempDir(), "other")
		path := filepath.Join(r.dir, name(1))
		if err := errors.Join(os.Rename(path, other), os.Symlink(other, path)); err != nil {
			t.Fatal(err)
		}
		holdFile(t, other, "open")
		r.refused(t, r.dir, r.dir, replaceAll, path)
	})
	t.Run("a shell in the directory", func(t *testing.T) {
		t.Parallel()
		r := newRunning(t)
		c := exec.Command("sleep", "1000")
		c.Dir = r.dir
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { c.Process.Kill(); c.Wait() })
		if _, err := r.Restore(t.Context(), r.m, r.dir, replaceAll); err != nil {
			t.Fatal(err)
		}
	})
}

// A database that was started where a restore was interrupted keeps the same command out.
func TestRestoreGoesOnWhereADatabaseRuns(t *testing.T) {
	t.Parallel()
	for _, exists := range []bool{true, false} {
		r := newRunning(t)
		dir := filepath.Join(t.TempDir(), "r")
		work := dir + archive.PartialSuffix
		if exists {
			work = mkdir(t, dir)
		}
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		interrupted := archive.New(&duringGet{Store: r.store, f: stop}, archive.Options{Transfers: 1})
		if _, err := interrupted.Restore(ctx, r.m, dir, archive.RestoreOptions{}); err == nil {
			t.Fatal("was not interrupted")
		}
		_, release := holdFile(t, filepath.Join(work, "je.lck"), "fcntl")
		r.refused(t, dir, filepath.Dir(dir), archive.RestoreOptions{}, "je.lck")
		release()
		if err := os.Remove(filepath.Join(work, "je.lck")); err != nil {
			t.Fatal(err)
		}
		mustRestore(t, r.Archive, 1, dir, r.want)
	}
}

// A database that is started between the check and the first change is not harmed, and the
// directory is left as it was; with one that is started later, nothing more is changed.
func TestDatabaseStartsDuringARestore(t *testing.T) {
	t.Parallel()
	starts := map[string]func(t *testing.T, dir string){
		"JE":         func(t *testing.T, dir string) { holdFile(t, filepath.Join(dir, "je.lck"), "fcntl") },
		"Noxu":       func(t *testing.T, dir string) { holdFile(t, filepath.Join(dir, "noxu.lck"), "flock") },
		"PostgreSQL": func(t *testing.T, dir string) { write(t, dir, "postmaster.pid", strconv.Itoa(os.Getpid())) },
	}
	if runtime.GOOS == "linux" {
		starts["other"] = func(t *testing.T, dir string) { holdFile(t, filepath.Join(dir, name(2)), "open") }
	}
	for what, start := range starts {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			r := newRunning(t)
			var before map[string][]byte
			store := &duringGet{Store: r.store, f: func() {
				before = tree(t, r.dir)
				start(t, r.dir)
				for name, content := range tree(t, r.dir) {
					if _, had := before[name]; !had {
						before[name] = content
					}
				}
			}}
			a := archive.New(store, archive.Options{Transfers: 1})
			if _, err := a.Restore(t.Context(), r.m, r.dir, replaceAll); !errors.Is(err, archive.ErrInUse) {
				t.Fatal(err)
			}
			for name := range before { // the mark was there, and the file that was being fetched
				if name == archive.IncompleteMarker || strings.HasPrefix(name, ".strongroom-") {
					delete(before, name)
				}
			}
			unchanged(t, r.dir, before)
		})
	}
}

// atGet calls f once, before a given number of reads; then it goes on. It is for one goroutine.
type atGet struct {
	store.Store
	left int
	f    func()
}

func (a *atGet) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if a.left--; a.left == 0 {
		a.f()
	}
	return a.Store.Get(ctx, key, offset, length)
}

// waitForRestored waits until a directory has one of these files.
func waitForRestored(t *testing.T, dir string, want map[string][]byte) {
	t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(time.Millisecond) {
		for name, content := range want {
			if b, err := os.ReadFile(filepath.Join(dir, name)); err == nil && bytes.Equal(b, content) {
				return
			}
		}
	}
	t.Error("no file was restored within a minute")
}

// When one file was changed already, the mark stays.
func TestDatabaseStartsInTheMidstOfARestore(t *testing.T) {
	t.Parallel()
	r := newRunning(t)
	for n := range r.want {
		write(t, r.dir, n, "other content")
	}
	late := &atGet{Store: r.store, left: 2, f: func() {
		waitForRestored(t, r.dir, r.want) // the first file is synced while the second is fetched
		holdFile(t, filepath.Join(r.dir, "je.lck"), "fcntl")
	}}
	a := archive.New(late, archive.Options{Transfers: 1})
	if _, err := a.Restore(t.Context(), r.m, r.dir, replaceAll); !errors.Is(err, archive.ErrInUse) {
		t.Fatal(err)
	}
	now := tree(t, r.dir)
	if _, marked := now[archive.IncompleteMarker]; !marked {
		t.Error("the directory is not marked as incomplete")
	}
	changed := 0
	for n, content := range r.want {
		if string(now[n]) == string(content) {
			changed++
		}
	}
	if _, extra := now[name(4)]; changed != 1 || !extra {
		t.Errorf("%d files were restored, and the extra one is there: %t", changed, extra)
	}
}

// A real JE keeps a restore out while its environment is open, and its lock file, which it
// leaves behind, does not.
func TestRestoreIntoARunningJE(t *testing.T) {
	t.Parallel()
	const seed = 3
	dir := filepath.Join(t.TempDir(), "env")
	jetest.StartChurn(t, dir, seed, 0).Stop()
	_, _, a := archived(t, 3)
	m := newest(t, a)
	churn := jetest.StartChurn(t, dir, seed, 100)
	churn.Await(1)
	_, err := a.Restore(t.Context(), m, dir, replaceAll)
	if !errors.Is(err, archive.ErrInUse) || !contains(err, "je.lck is locked by process") || !contains(err, "(java)") {
		t.Fatal(err)
	}
	want := churn.Stop()
	if got := jetest.Count(t, dir); got != want {
		t.Errorf("after the refusal JE has %+v, want %+v", got, want)
	}
	if _, err := os.Stat(filepath.Join(dir, "je.lck")); err != nil {
		t.Fatal(err)
	}
	if res, err := a.Restore(t.Context(), m, dir, replaceAll); err != nil || res.Fetched == 0 {
		t.Fatalf("after the end of JE: %+v, %v", res, err)
	}
}
