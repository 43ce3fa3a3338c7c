package daemon

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

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// patience ends the wait for an event that does not come.
const patience = time.Minute

// until polls for something.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("no sign of %s within %v", what, patience)
		}
	}
}

// within fails the test if f does not return: something waits for the disk.
func within(t *testing.T, what string, f func()) {
	t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); f() }()
	select {
	case <-done:
	case <-time.After(patience):
		t.Fatalf("%s waits for the state directory", what)
	}
}

// slowDir is a directory in which files may still be written when the test has ended.
func slowDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "hang")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { until(t, "an empty directory", func() bool { return os.RemoveAll(dir) == nil }) })
	return dir
}

// block makes files that hang until the test ends.
func block(t *testing.T, dir string, names ...string) {
	t.Helper()
	for _, name := range names {
		file := filepath.Join(dir, name)
		if err := syscall.Mkfifo(file, 0o600); err != nil {
			t.Skipf("this file system has no fifo: %v", err)
		}
		t.Cleanup(func() { // what waits for either end goes on
			if f, err := os.OpenFile(file, os.O_RDWR, 0); err == nil {
				t.Cleanup(func() { f.Close() })
			}
		})
	}
}

const two = `
defaults: {schedule: "@every 1s", notify: ["webhook+http://127.0.0.1:1/"], notify_after: 0s, verify: {schedule: "@every 1s"}}
archives:
  - {name: orders, node: db-1, source: {dir: /var/lib/orders, layout: je}, destination: "file:///backups/orders"}
  - {name: users, node: db-1, source: {dir: /var/lib/users, layout: je}, destination: "file:///backups/users"}
`

// A state directory that hangs, when files are read or when they are written, delays neither an archive nor the page,
// the metrics and the health checks, nor a reload. The service stops in time.
func TestStateDirectoryThatHangs(t *testing.T) {
	t.Parallel()
	for what, names := range map[string][]string{
		"reads":  {"orders.json", "orders+verify.json", "orders+told.json", "orders+refused.json", "orders+verified.json", "orders+drilled.json"},
		"writes": {"orders.json.new", "orders+verify.json.new", "orders+told.json.new", "orders+refused.json.new", "orders+verified.json.new", "orders+drilled.json.new"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			dir := slowDir(t)
			block(t, dir, names...)
			failing := &guardedBackup{finds: []*archive.Refusal{refusal(manifest.GuardRollback, "41-0a1b2c3d", "rolled back")}}
			d := hangingDaemon(t, dir, failing)
			for range 2 {
				runs := failing.runs()
				until(t, "another run of the archive whose files hang", func() bool { return failing.runs() > runs })
				within(t, "a notification", d.notify)
				within(t, "the page", func() { d.Archives() })
				within(t, "a reload", func() { d.Set(load(t, strings.Replace(two, "127.0.0.1:1/", "127.0.0.1:1/x", 1))) })
			}
			for _, name := range []string{"orders", "users"} {
				until(t, "a refusal that is shown", func() bool {
					a, err := d.Archive(name)
					return err == nil && a.FailuresInRow > 0 && len(a.NeedsConfirmation) > 0
				})
			}
			within(t, "a confirmation", func() {
				if _, err := d.Confirm("orders", "rollback:41-0a1b2c3d"); err != nil {
					t.Error(err)
				}
			})
		})
	}
}

// hangingDaemon runs a daemon whose archives fail, until the test ends. It must end in time.
func hangingDaemon(t *testing.T, dir string, g *guardedBackup) *Daemon {
	t.Helper()
	var d *Daemon
	within(t, "the start", func() {
		d = New(load(t, two), Options{Dir: dir, Open: func(context.Context, *config.Config, *config.Archive, archive.Limiter) (*Archive, error) {
			none := func() map[string]int64 { return nil }
			return &Archive{
				Archive: archive.New(storetest.Memory(t), archive.Options{}), Backup: g.backup,
				Requests: none, Failures: none, Close: func() error { return nil },
			}, nil
		}})
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		select {
		case err := <-ended:
			if err != nil {
				t.Error(err)
			}
		case <-time.After(patience):
			t.Error("the service does not stop")
		}
	})
	return d
}

// A failure that the next attempt ends is no message, and neither is a success between failures. A failure that lasts,
// and damage at once, are.
func TestSettle(t *testing.T) {
	t.Parallel()
	begin := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	s := &notifierState{after: time.Minute}
	for _, step := range []struct {
		at    time.Duration
		state notify.State
		send  bool
		since time.Duration
	}{
		{0, notify.OK, false, 0},
		{2 * time.Minute, notify.OK, true, 0},
		{3 * time.Minute, notify.Failing, false, 3 * time.Minute},
		{3*time.Minute + 10*time.Second, notify.OK, false, 3*time.Minute + 10*time.Second},
		{10 * time.Minute, notify.OK, true, 3*time.Minute + 10*time.Second},
		{11 * time.Minute, notify.Failing, false, 11 * time.Minute},
		{11*time.Minute + 40*time.Second, notify.Overdue, false, 11*time.Minute + 40*time.Second},
		{12 * time.Minute, notify.Overdue, true, 11*time.Minute + 40*time.Second}, // in bad order for a minute
		{13 * time.Minute, notify.OK, false, 13 * time.Minute},
		{13*time.Minute + time.Second, notify.Damaged, true, 13*time.Minute + time.Second},
		{12 * time.Minute, notify.Damaged, true, 13*time.Minute + time.Second}, // the clock was set back
	} {
		e := notify.Event{State: step.state}
		if got := s.settle(&e, begin.Add(step.at)); got != step.send || !e.At.Equal(begin.Add(step.since)) {
			t.Errorf("after %v %s is sent: %v, as since %v", step.at, step.state, got, e.At.Sub(begin))
		}
	}
}

// The cause of a failure is equal for all archives that an outage concerns, and differs for other reasons.
func TestCauseOf(t *testing.T) {
	t.Parallel()
	at := func(destination string) *config.Archive { return &config.Archive{Destination: destination} }
	a, b, other := at("s3://one/orders?region=eu-central-1"), at("s3://two/users?region=eu-central-1"), at("gs://three/x")
	failed := func(kind providers.Kind, op, key string) error {
		return fmt.Errorf("backup: %w", &providers.Error{Op: op, Key: key, Kind: kind, Err: errors.New("no")})
	}
	unreachable, denied := failed(providers.Unreachable, "putting", "data/ab"), failed(providers.Denied, "listing", "manifests/")
	if causeOf(a, unreachable) != causeOf(b, failed(providers.Unreachable, "listing", "manifests/")) {
		t.Error("two buckets of one provider that is away have other causes")
	}
	if causeOf(a, unreachable) == causeOf(other, unreachable) || causeOf(a, unreachable) == causeOf(a, denied) {
		t.Error("other reasons have the same cause")
	}
	full := &os.PathError{Op: "write", Path: "/x/1", Err: syscall.ENOSPC}
	if causeOf(a, full) != causeOf(other, &os.PathError{Op: "sync", Path: "/y/2", Err: syscall.ENOSPC}) {
		t.Error("a full disk has several causes")
	}
	if causeOf(a, errors.New("reading /var/lib/orders/00000001.jdb: short read")) != causeOf(b, errors.New("reading /var/lib/users/0000000a.jdb: short read")) {
		t.Error("the cause has the file's name")
	}
	if causeOf(a, errors.New("a")) == causeOf(a, errors.New("b")) {
		t.Error("two errors have one cause")
	}
}
