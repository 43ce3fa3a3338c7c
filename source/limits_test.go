package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// limit sets the budget of descriptors.
func (d *Directory) limit(n int) { d.hooks.budget = func() int { return n } }

func pins(c *Capture) int {
	n := 0
	for i := range c.held {
		if c.held[i].pin != nil {
			n++
		}
	}
	return n
}

func TestDescriptorBudget(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1, 2, 3, 4)...)
	d.limit(3)
	c := capture(t, d, nil)
	if pins(c) != 3 || c.held[0].pin == nil || c.held[4].pin == nil {
		t.Errorf("%d files are pinned, the first: %v, the tail: %v", pins(c), c.held[0].pin, c.held[4].pin)
	}
	for _, name := range jdb(0, 1, 2, 3, 4) {
		if got := read(t, c, name); got != name {
			t.Errorf("%s holds %q", name, got)
		}
	}
	if n := descriptorBudget(); n <= 0 || n > 32768 {
		t.Errorf("the budget is %d", n)
	}

	d.limit(0)
	if c := capture(t, d, nil); pins(c) != 1 || c.held[4].pin == nil {
		t.Errorf("without a budget %d files are pinned, the tail: %v", pins(c), c.held[4].pin)
	}
	d.limit(3)

	// A file that is not pinned may not vanish: the set would not have existed at once.
	rounds := 0
	d.on(pinned, 1, func() { remove(t, d, jdb(3)...) })
	d.on(listed, 2, func() { rounds = 2 })
	if got := set(capture(t, d, nil)); got != "00000000 00000001 00000002 00000004+" || rounds != 2 {
		t.Errorf("captured %s; a second round: %v", got, rounds == 2)
	}
}

// When descriptors run out within the budget, some are given back, and all is captured
// and can be read all the same.
func TestDescriptorsRunOut(t *testing.T) {
	t.Parallel()
	for left := range 12 {
		d := newDir(t, opaqueJE, jdb(0, 1, 2, 3, 4, 5, 6, 7, 8, 9)...)
		opened := 0
		d.hooks.open = func(path string) (*os.File, error) {
			if opened == left {
				return nil, &fs.PathError{Op: "open", Path: path, Err: syscall.EMFILE}
			}
			opened++
			return openFile(path)
		}
		c := capture(t, d, nil)
		if want := min(left, 10); len(c.Files) != 10 || pins(c) > want || pins(c) < want*3/4 {
			t.Errorf("with %d descriptors: %d files, %d pinned", left, len(c.Files), pins(c))
		}
		d.hooks.open = openFile
		c.reopen = d.reopen
		for _, f := range c.Files {
			if got := read(t, c, f.Name); got != f.Name {
				t.Errorf("%s holds %q", f.Name, got)
			}
		}
	}
}

func TestUnreadableFile(t *testing.T) {
	t.Parallel()
	d := newDir(t, opaqueJE, jdb(0, 1)...)
	for _, cause := range []error{syscall.EACCES, syscall.EIO} {
		d.hooks.open = func(path string) (*os.File, error) {
			return nil, &fs.PathError{Op: "open", Path: path, Err: cause}
		}
		if _, err := d.Capture(t.Context(), nil); !errors.Is(err, cause) || !strings.Contains(err.Error(), jdb(1)[0]) {
			t.Errorf("Capture: %v", err)
		}
	}
}

// rerun runs the calling test again, in a process of its own.
func rerun(t *testing.T, env string, as *syscall.SysProcAttr) {
	t.Helper()
	// Go builds the binary in a directory that only its owner can enter.
	bin := filepath.Join(shared(t), "test")
	b, err := os.ReadFile(os.Args[0])
	if err == nil {
		err = os.WriteFile(bin, b, 0o755)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(bin, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Dir = "/"
	cmd.Env = append(os.Environ(), env)
	cmd.SysProcAttr = as
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS") {
		t.Fatalf("%v\n%s", err, out)
	}
}

// shared returns a new directory that every user may enter.
func shared(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for d := dir; d != filepath.Clean(os.TempDir()); d = filepath.Dir(d) {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// A real shortage: 200 files and 48 descriptors, with a budget that assumes more.
func TestRealDescriptorShortage(t *testing.T) {
	t.Parallel()
	const key = "STRONGROOM_TEST_SHORTAGE"
	if os.Getenv(key) == "" {
		rerun(t, key+"=1", nil)
		return
	}
	d := newDir(t, opaqueJE)
	for i := range 200 {
		fill(t, d.path, jdb(i)...)
	}
	limit := syscall.Rlimit{Cur: 48, Max: 48}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil {
		t.Fatal(err)
	}
	for _, budget := range []func() int{descriptorBudget, func() int { return 1000 }} {
		d.hooks.budget = budget
		c := capture(t, d, nil)
		if len(c.Files) != 200 || pins(c) < 10 || pins(c) > 40 {
			t.Errorf("%d files, %d pinned", len(c.Files), pins(c))
		}
		for _, f := range c.Files {
			read(t, c, f.Name)
		}
		c.Close()
	}
}

// Permission to read is enough, and nothing is left behind.
func TestReadOnlyDirectory(t *testing.T) {
	t.Parallel()
	const key = "STRONGROOM_TEST_READ_ONLY"
	dir := os.Getenv(key)
	if dir == "" {
		dir = shared(t)
		fill(t, dir, append(jdb(0, 1, 2), "data001/00000003.jdb")...)
		for _, path := range []string{dir, dir + "/data001"} {
			os.Chmod(path, 0o555)
			defer os.Chmod(path, 0o755)
		}
		before := snapshot(t, dir)
		defer func() {
			if after := snapshot(t, dir); after != before {
				t.Errorf("the directory was\n%sand is\n%s", before, after)
			}
		}()
		if os.Geteuid() == 0 { // nothing is read-only to root
			rerun(t, key+"="+dir, &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}})
			return
		}
	}
	if f, err := os.Create(dir + "/written"); err == nil {
		f.Close()
		t.Fatal("the directory is not read-only")
	}
	if layout, err := Detect(dir); err != nil || layout.Name() != "je" {
		t.Fatal(layout.Name(), err)
	}
	d, err := Open(dir, mustLayout(t, opaqueJE))
	if err != nil {
		t.Fatal(err)
	}
	c := capture(t, d, nil)
	if set(c) != "00000000 00000001 00000002 data001/00000003+" {
		t.Errorf("captured %s", set(c))
	}
	for _, f := range c.Files {
		read(t, c, f.Name)
	}
	c.Close()
}

// snapshot describes all that lies below dir, with everything that writing would change.
func snapshot(t *testing.T, dir string) string {
	t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Stat(path, &st); err != nil {
			return err
		}
		id, _ := identify(&st)
		fmt.Fprintf(&b, "%s %v %+v\n", path, e.Type(), id)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// newLog makes a directory of n small closed files and a tail.
func newLog(t testing.TB, n int) *Directory {
	t.Helper()
	d := newDir(t, opaqueJE)
	for i := range n {
		if err := os.WriteFile(d.at(jdb(i)[0]), []byte("entry"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return d
}

// BenchmarkCapture also reports the processor time, which a busy machine distorts less than the
// time by the clock.
func BenchmarkCapture(b *testing.B) {
	for _, files := range []int{20000, 200000} {
		d := newLog(b, files)
		d.limit(15000)
		for _, wanted := range []bool{false, true} {
			b.Run(fmt.Sprintf("files=%d/wanted=%v", files, wanted), func(b *testing.B) {
				b.ReportAllocs()
				before := processorTime(b)
				for b.Loop() {
					c, err := d.Capture(b.Context(), func(File) bool { return wanted })
					if err != nil {
						b.Fatal(err)
					}
					c.Close()
				}
				b.ReportMetric(float64((processorTime(b)-before).Milliseconds())/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
