package statefile

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience ends the wait for an event that does not come.
const patience = time.Minute

// blocked makes a file whose reads and writes hang until the test ends, as those of a dying disk do.
func blocked(t *testing.T, file string) {
	t.Helper()
	if err := syscall.Mkfifo(file, 0o600); err != nil {
		t.Skipf("this file system has no fifo: %v", err)
	}
	t.Cleanup(func() { // a goroutine may wait for either end
		f, err := os.OpenFile(file, os.O_RDWR, 0)
		if err == nil {
			t.Cleanup(func() { f.Close() })
		}
	})
}

// slowDir is a directory in which files may still be written when the test has ended.
func slowDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hang")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for end := time.Now().Add(patience); os.RemoveAll(dir) != nil && time.Now().Before(end); {
			time.Sleep(time.Millisecond)
		}
	})
	return dir
}

func never(t *testing.T) func(error) {
	return func(err error) { t.Errorf("a value was not saved: %v", err) }
}

func flush(t *testing.T, d *Dir) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := d.Flush(ctx); err != nil {
		t.Fatal(err)
	}
}

// The newest value is what Read returns at once, and what the file has after Flush.
func TestDirSavesTheNewest(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "below")
	d := NewDir(path, nil)
	for n := range 100 {
		d.Save("x.json", n, never(t))
		got := -1
		if err := d.Read("x.json", &got); err != nil || got != n {
			t.Fatalf("%d after saving %d: %v", got, n, err)
		}
	}
	flush(t, d)
	got := 0
	if err := load(filepath.Join(path, "x.json"), &got); err != nil || got != 99 {
		t.Errorf("%d, %v", got, err)
	}
	if err := NewDir(path, nil).Read("none.json", &got); err != nil || got != 99 {
		t.Errorf("a file that does not exist: %d, %v", got, err)
	}
}

// A file that hangs delays no other, and the stop of a service only until its time limit.
func TestDirWithAFileThatHangs(t *testing.T) {
	t.Parallel()
	path := slowDir(t)
	blocked(t, filepath.Join(path, "bad.json.new"))
	blocked(t, filepath.Join(path, "worse.json"))
	d := NewDir(path, nil)
	for n := range 50 {
		d.Save("bad.json", n, func(error) {}) // the end of the test lets it fail
		d.Save(fmt.Sprintf("good%d.json", n), n, never(t))
	}
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) {
		if files, _ := filepath.Glob(filepath.Join(path, "good*.json")); len(files) == 50 {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a file that hangs delays others for ever")
		}
	}
	v := 0
	if err := d.Read("worse.json", &v); !errors.Is(err, ErrHangs) {
		t.Errorf("reading a file that hangs: %v", err)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Flush(ended); !errors.Is(err, ErrHangs) || !strings.Contains(err.Error(), ": bad.json") {
		t.Errorf("flushing: %v", err)
	}
}

// A disk that hangs as a whole takes a few threads, however many files wait; and all is written once it responds.
func TestDirThatHangs(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	const files = 2*maxHanging + 2*maxActive
	d := NewDir(path, nil)
	for n := range files {
		blocked(t, filepath.Join(path, fmt.Sprintf("%d.json.new", n)))
		d.Save(fmt.Sprintf("%d.json", n), n, never(t))
	}
	hanging := func() int {
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.hanging
	}
	for end := time.Now().Add(patience); hanging() < maxHanging; time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("only %d writes count as hanging", hanging())
		}
	}
	v := 0
	if err := d.Read("other.json", &v); !errors.Is(err, ErrHangs) {
		t.Errorf("a read while all hangs: %v", err)
	}
	d.mu.Lock()
	if n := d.hanging + d.writers; n > maxHanging+maxActive {
		t.Errorf("%d threads", n)
	}
	d.mu.Unlock()
	for n := range files { // a reader that the writes waited for
		f, err := os.OpenFile(filepath.Join(path, fmt.Sprintf("%d.json.new", n)), os.O_RDWR, 0)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
	}
	flush(t, d)
	if n := hanging(); n != 0 {
		t.Errorf("%d operations count as hanging afterwards", n)
	}
}

// An error is returned to the caller of Save, and the next value is written.
func TestDirReportsErrors(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.Mkdir(filepath.Join(path, "x.json.new"), 0o700); err != nil {
		t.Fatal(err)
	}
	d := NewDir(path, nil)
	failed := make(chan error, 1)
	d.Save("x.json", 1, func(err error) { failed <- err })
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "x.json") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(filepath.Join(path, "x.json.new")); err != nil {
		t.Fatal(err)
	}
	d.Save("x.json", 2, never(t))
	flush(t, d)
	got := 0
	if err := load(filepath.Join(path, "x.json"), &got); err != nil || got != 2 {
		t.Errorf("%d, %v", got, err)
	}
	NewDir("", nil).Save("x.json", 3, never(t)) // no directory, no state
}

// A file that cannot be read at the start is not replaced before it was read: a run history and a last success would be
// lost by one slow read. Its content is then part of what is written.
func TestDirKeepsWhatItCouldNotRead(t *testing.T) {
	t.Parallel()
	path := slowDir(t)
	file := filepath.Join(path, "x.json")
	blocked(t, file)
	d := NewDir(path, nil)
	var old []int
	d.ReadLater("x.json", &old, func() { d.Save("x.json", append(old, 2), never(t)) })
	d.Save("x.json", []int{2}, never(t))
	d.Save("y.json", 1, never(t))
	for end := time.Now().Add(patience); ; time.Sleep(time.Millisecond) { // y is written behind x
		if _, err := os.Stat(filepath.Join(path, "y.json")); err == nil {
			break
		}
		if time.Now().After(end) {
			t.Fatal("a file that is not read delays others for ever")
		}
	}
	if i, err := os.Lstat(file); err != nil || i.Mode().IsRegular() {
		t.Fatalf("it was replaced: %v, %v", i, err)
	}
	f, err := os.OpenFile(file, os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString("[1]"); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	flush(t, d)
	var got []int
	if err := load(file, &got); err != nil || fmt.Sprint(got) != "[1 2]" {
		t.Errorf("%v, %v", got, err)
	}
}

// A file that does not exist, or that has another form, does not keep a value from being written.
func TestDirReadsNothingLater(t *testing.T) {
	t.Parallel()
	path := t.TempDir()
	if err := os.WriteFile(filepath.Join(path, "bad.json"), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	d := NewDir(path, nil)
	for _, name := range []string{"none.json", "bad.json"} {
		old, got := 0, 0
		d.ReadLater(name, &old, func() { t.Errorf("%s was read", name) })
		d.Save(name, 2, never(t))
		flush(t, d)
		if err := load(filepath.Join(path, name), &got); err != nil || got != 2 {
			t.Errorf("%s: %d, %v", name, got, err)
		}
	}
}
