package strongroom_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom"
	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/source"
)

// A database's own backup manager starts and stops, reports whether it runs, and counts the files that it has copied and
// the time that it took.
func TestSchedule(t *testing.T) {
	t.Parallel()
	dir := logFiles()
	t.Cleanup(func() { os.RemoveAll(dir) })
	a, err := strongroom.Open(t.Context(), "file://"+t.TempDir(), dir, strongroom.WithState(t.TempDir()))
	if err != nil {
		t.Fatal(err)
	}
	for _, wrong := range []string{"", "tomorrow", "@close", "61 * * * *"} {
		if err := a.Start(wrong); err == nil || a.Running() {
			t.Errorf("schedule %q: %v, running: %t", wrong, err, a.Running())
		}
	}
	for round := range 2 { // it can be started again
		if err := a.Start("@every 1h"); err != nil || !a.Running() {
			t.Fatalf("running: %t, %v", a.Running(), err)
		}
		if err := a.Start("@every 1h"); !errors.Is(err, scheduler.ErrRunning) {
			t.Errorf("a second start: %v", err)
		}
		if round == 0 {
			for deadline := time.Now().Add(time.Minute); a.FilesCopied() < 3; time.Sleep(time.Millisecond) {
				if time.Now().After(deadline) {
					t.Fatal("no run at once, although there is no snapshot")
				}
			}
		}
		if err := a.Stop(); err != nil || a.Running() {
			t.Errorf("running: %t, %v", a.Running(), err)
		}
	}
	if a.FilesCopied() != 3 || a.LastDuration() <= 0 {
		t.Errorf("%d files in %s", a.FilesCopied(), a.LastDuration())
	}
	if all, err := a.List(t.Context()); err != nil || len(all) != 1 {
		t.Errorf("%+v, %v", all, err)
	}
	if report, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true}); err != nil || len(report.Problems) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
	if err := a.Close(); err != nil {
		t.Error(err)
	}
}

// What is wrong is an error of Open or of the operation, which a program can test, and never a panic.
func TestErrors(t *testing.T) {
	t.Parallel()
	if _, err := strongroom.Open(t.Context(), "ftp://host/x", ""); err == nil {
		t.Error("an address of no provider is accepted")
	}
	a, err := strongroom.Open(t.Context(), "file://"+t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	if _, err := a.Backup(t.Context()); !errors.Is(err, strongroom.ErrNoSource) {
		t.Error(err)
	}
	if err := a.Start("@hourly"); !errors.Is(err, strongroom.ErrNoSource) {
		t.Error(err)
	}
	if _, err := a.Restore(t.Context(), filepath.Join(t.TempDir(), "to")); !errors.Is(err, archive.ErrNoArchive) {
		t.Error(err)
	}
	b, err := strongroom.Open(t.Context(), "file://"+t.TempDir(), filepath.Join(t.TempDir(), "none"))
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	if _, err := b.Backup(t.Context()); !errors.Is(err, source.ErrMissing) {
		t.Error(err)
	}
}

// The library refuses what the command refuses: log files among objects, and a restore among them, into its own state
// or, for a name that was not set, into the current directory. Symbolic links hide nothing. No request is sent before.
func TestGuards(t *testing.T) {
	t.Parallel()
	dir, state, home := logFiles(), t.TempDir(), t.TempDir()
	t.Cleanup(func() { os.RemoveAll(dir) })
	link := filepath.Join(home, "link")
	if err := os.Symlink(dir, link); err != nil {
		t.Fatal(err)
	}
	for _, at := range []string{dir, dir + "/archive", filepath.Dir(dir), link + "/a"} {
		url := "file://" + at
		if _, err := strongroom.Open(t.Context(), url, dir); !errors.Is(err, strongroom.ErrOverlap) {
			t.Errorf("%s: %v", url, err)
		}
	}
	at := filepath.Join(home, "archive")
	a, err := strongroom.Open(t.Context(), "file://"+at, dir, strongroom.WithState(state))
	if err != nil {
		t.Fatal(err)
	}
	defer a.Close()
	for to, want := range map[string]error{
		"":                          strongroom.ErrBadTarget,
		state:                       strongroom.ErrBadTarget,
		filepath.Join(state, "r"):   strongroom.ErrBadTarget,
		at:                          strongroom.ErrOverlap,
		filepath.Join(at, "data/r"): strongroom.ErrOverlap,
		home:                        strongroom.ErrOverlap,
		"/":                         strongroom.ErrOverlap,
	} {
		if _, err := a.Restore(t.Context(), to); !errors.Is(err, want) {
			t.Errorf("a restore to %q: %v", to, err)
		}
	}
	if err := a.Stop(); err != nil {
		t.Errorf("a stop before the first start: %v", err)
	}
}
