package daemon

import (
	"bytes"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/service/statefile"
	"github.com/strongroom-dev/strongroom/service/web"
)

// A pause that a restart would lose is refused, and so is its end: the operator gets an error, and nothing changes.
func TestPauseThatCannotBeSaved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	obstacle := filepath.Join(dir, pauseFile("orders")+".new")
	isPaused := func(d *Daemon) bool { return d.Archives()[0].State() == web.StatePaused }
	d := New(load(t, demand), Options{Dir: dir})
	if err := os.Mkdir(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	if p, err := d.Pause("orders", web.Pause{By: "a test"}); err == nil || isPaused(d) {
		t.Errorf("the pause is %+v, %v", p, err)
	}
	if err := os.Remove(obstacle); err != nil {
		t.Fatal(err)
	}
	if _, err := d.Pause("orders", web.Pause{By: "a test"}); err != nil || !isPaused(d) {
		t.Fatal(err)
	}
	if d := New(load(t, demand), Options{Dir: dir}); !isPaused(d) {
		t.Error("the pause was not written before Pause returned")
	}
	if err := os.Mkdir(obstacle, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := d.Resume("orders"); err == nil || !isPaused(d) {
		t.Errorf("the end of the pause: %v", err)
	}
}

// A disk that hangs delays the answer by seconds. If the disk responds later, the file does not have the refused pause.
func TestPauseWhileTheDiskHangs(t *testing.T) {
	t.Parallel()
	dir := slowDir(t)
	block(t, dir, pauseFile("orders")+".new")
	d := New(load(t, demand), Options{Dir: dir})
	within(t, "a pause", func() {
		if _, err := d.Pause("orders", web.Pause{By: "a test"}); !errors.Is(err, statefile.ErrHangs) {
			t.Errorf("the pause: %v", err)
		}
	})
	within(t, "the page", func() {
		if s := d.Archives()[0].State(); s == web.StatePaused {
			t.Error("the archive is paused")
		}
	})
	f, err := os.OpenFile(filepath.Join(dir, pauseFile("orders")+".new"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := d.state.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	var saved web.Pause
	if err := d.state.Read(pauseFile("orders"), &saved); err != nil || !saved.Since.IsZero() {
		t.Errorf("later: %+v, %v", saved, err)
	}
}

// Whether an archive is paused is unknown if the file is damaged. Then no run begins until an operator resumes it.
func TestPauseThatCannotBeRead(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		file := filepath.Join(dir, pauseFile("orders"))
		if err := os.WriteFile(file, []byte(`{"Since":"20`), 0o600); err != nil {
			t.Fatal(err)
		}
		const hourly = demand + "    schedule: \"@hourly\"\n"
		g := &guardedBackup{}
		d, stop := guardedDaemon(t, dir, hourly, g)
		time.Sleep(5 * time.Hour)
		a := d.Archives()[0]
		if g.runs() != 0 || a.State() != web.StatePaused || a.Paused.Reason == "" || a.Paused.By == "" {
			t.Errorf("%d runs, %+v", g.runs(), a.Paused)
		}
		if err := d.Resume("orders"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if g.runs() != 1 {
			t.Errorf("after the resume: %d runs", g.runs())
		}
		stop()
		d, stop = guardedDaemon(t, dir, hourly, g)
		defer stop()
		if s := d.Archives()[0].State(); s == web.StatePaused {
			t.Error("the archive is paused again")
		}
	})
}

// A pause does not hide what a run in progress finds: damage and failures are sent. What a pause causes is not.
func TestPauseHidesNoDamage(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &guardedBackup{takes: time.Hour}
		d, stop := guardedDaemon(t, "", demand+"    notify: [\"webhook+http://127.0.0.1:1/\"]\n", g)
		defer stop()
		sent := func() notify.State {
			d.notify()
			d.mu.Lock()
			defer d.mu.Unlock()
			return d.notifiers["orders"].state
		}
		d.TriggerAll()
		synctest.Wait()
		before := sent()
		if _, err := d.Pause("orders", web.Pause{By: "a test"}); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if s := sent(); before != notify.OK || s != notify.OK {
			t.Errorf("%q before the pause, %q after it", before, s)
		}
		g.set(errors.New("the disk is gone"))
		time.Sleep(time.Hour)
		if s := sent(); s != notify.Failing {
			t.Errorf("a run that fails is sent as %q", s)
		}
		d.managedArchive("orders").keepVerification(&web.Verification{At: time.Now(), Problems: 1})
		if s := sent(); s != notify.Damaged {
			t.Errorf("damage is sent as %q", s)
		}
		d.managedArchive("orders").keepVerification(&web.Verification{At: time.Now()})
		if s := sent(); s != notify.Failing {
			t.Errorf("after the damage: %q", s)
		}
	})
}

// If the configuration has no token any more, no request can end a pause. The log then names the file whose deletion
// ends it.
func TestPauseWithoutAToken(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d := New(load(t, demand), Options{Dir: dir})
	if _, err := d.Pause("orders", web.Pause{By: "a test"}); err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	file := filepath.Join(dir, pauseFile("orders"))
	New(load(t, demand), Options{Dir: dir, Log: slog.New(slog.NewTextHandler(&log, nil))})
	if !strings.Contains(log.String(), file) {
		t.Errorf("the log does not name %s: %s", file, &log)
	}
	if err := os.Remove(file); err != nil {
		t.Fatal(err)
	}
	if s := New(load(t, demand), Options{Dir: dir}).Archives()[0].State(); s == web.StatePaused {
		t.Error("the archive is paused without the file")
	}
}
