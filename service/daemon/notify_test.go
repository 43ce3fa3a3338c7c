package daemon

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/service/web"
)

// A notification states the problem.
func TestEvent(t *testing.T) {
	t.Parallel()
	since := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		what     string
		a        web.Archive
		state    notify.State
		wantText string
	}{
		{"nothing wrong", web.Archive{LastSuccess: since}, notify.OK, ""},
		{"a damaged file", web.Archive{Damaged: []string{"00000007.jdb"}, LastDrill: web.Drill{Error: "no"}}, notify.Damaged, "00000007.jdb"},
		{"damaged files", web.Archive{Damaged: []string{"00000007.jdb", "00000008.jdb"}}, notify.Damaged, "2 log files were damaged"},
		{"one problem", web.Archive{LastVerification: web.Verification{Problems: 1}}, notify.Damaged, "found 1 problem;"},
		{"a verify", web.Archive{LastVerification: web.Verification{Problems: 3}, LastDrill: web.Drill{Error: "no"}}, notify.Damaged, "found 3 problems"},
		{"a drill", web.Archive{LastDrill: web.Drill{Error: "DbVerify: exit status 1"}}, notify.Damaged, "the last test restore failed: DbVerify: exit status 1"},
		{"a run", web.Archive{FailuresInRow: 1, LastFailure: web.Failure{Error: "no answer"}}, notify.Failing, "no answer"},
		{"a prune, once", web.Archive{LastSuccess: since, Tasks: []web.Task{{Name: "prune", FailuresInRow: 1}}}, notify.OK, ""},
		{"a prune", web.Archive{LastSuccess: since, Tasks: []web.Task{{Name: "verify"}, {Name: "prune", FailuresInRow: taskFailureThreshold, LastFailure: web.Failure{Error: "AccessDenied"}}}}, notify.Failing, "the last prune could not be done: AccessDenied"},
		{"a run before a prune", web.Archive{FailuresInRow: 1, LastFailure: web.Failure{Error: "no answer"}, Tasks: []web.Task{{Name: "prune", FailuresInRow: taskFailureThreshold}}}, notify.Failing, "no answer"},
		{"no run", web.Archive{Overdue: true, LastSuccess: since}, notify.Overdue, "since 2026-11-01T02:00:00Z"},
		{"no run ever", web.Archive{Overdue: true}, notify.Overdue, "no run has succeeded yet"},
	} {
		e := event(&test.a)
		if e.State != test.state || !strings.Contains(e.Detail, test.wantText) || (test.wantText == "") != (e.Detail == "") {
			t.Errorf("%s is sent as %s: %q", test.what, e.State, e.Detail)
		}
	}
}

// A problem is shown with the snapshots that need the object.
func TestProblem(t *testing.T) {
	t.Parallel()
	for want, snapshots := range map[string][]int64{
		"missing: data/x: it is gone": nil, "missing: data/x: it is gone (needed by snapshot 7)": {7},
		"missing: data/x: it is gone (needed by 3 of the snapshots, 2 to 9)": {2, 4, 9},
	} {
		if got := problem(&archive.Problem{Kind: "missing", Object: "data/x", Detail: "it is gone", Snapshots: snapshots}); got != want {
			t.Errorf("%s\nnot: %s", got, want)
		}
	}
}

// hanging is a daemon that runs until the test ends, with one archive whose destination hangs from
// the start. Its clock is ahead by late.
func hanging(t *testing.T, dir string) (d *Daemon, late *atomic.Int64) {
	t.Helper()
	late = &atomic.Int64{}
	opening := make(chan struct{}, 10)
	d = New(load(t, strings.Replace(configured, "https://hc.example.org/ping/x", "webhook+http://127.0.0.1:1/", 1)), Options{
		Dir: dir,
		Open: func(ctx context.Context, _ *config.Config, _ *config.Archive, _ archive.Limiter) (*Archive, error) {
			opening <- struct{}{}
			<-ctx.Done()
			return nil, ctx.Err()
		},
		Now: func() time.Time { return time.Now().Add(time.Duration(late.Load())) },
	})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	<-opening
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return d, late
}

// An archive without any known state, since its destination hangs from the start, is reported as
// overdue in the end.
func TestTellsOfWhatHangsFromTheStart(t *testing.T) {
	t.Parallel()
	d, late := hanging(t, "")
	notified := func() notify.State {
		d.notify()
		d.mu.Lock()
		defer d.mu.Unlock()
		return d.notifiers["orders"].state
	}
	if state := notified(); state != "" {
		t.Errorf("sent as %s at once", state)
	}
	late.Store(int64(3 * time.Hour))
	if state := notified(); state != notify.Overdue {
		t.Errorf("sent as %q", state)
	}
	if a := d.Archives()[0]; a.Behind != nil {
		t.Errorf("it is reported what waits: %+v", a.Behind)
	}
}

// A run that was missed while the service was down is made up for before a notification reports it
// as overdue; unless that takes too long.
func TestMakesUpBeforeItTells(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	ran := fmt.Sprintf(`{"last_success": %q}`, time.Now().Add(-72*time.Hour).Format(time.RFC3339))
	if err := os.WriteFile(filepath.Join(dir, "orders.json"), []byte(ran), 0o600); err != nil {
		t.Fatal(err)
	}
	d, late := hanging(t, dir)
	if a := d.Archives()[0]; !a.Overdue {
		t.Fatalf("it is not overdue: %+v", a)
	}
	for after, want := range map[time.Duration]notify.State{0: "", 2 * sendMissed: notify.Overdue} {
		late.Store(int64(after))
		d.mu.Lock()
		d.notifiers["orders"].state = ""
		d.mu.Unlock()
		d.notify()
		d.mu.Lock()
		if got := d.notifiers["orders"].state; got != want {
			t.Errorf("after %s it is sent as %q", after, got)
		}
		d.mu.Unlock()
	}
}

// A message that is on its way while a reload names one target more arrives once.
func TestReloadWhileTelling(t *testing.T) {
	t.Parallel()
	arrived, answer := make(chan string, 10), make(chan struct{})
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		arrived <- r.URL.Path
		<-answer
	}))
	t.Cleanup(hook.Close)
	one, two := "webhook+"+hook.URL+"/one", "webhook+"+hook.URL+"/two"
	d := New(load(t, strings.Replace(configured, "https://hc.example.org/ping/x", one, 1)), Options{
		Open: func(context.Context, *config.Config, *config.Archive, archive.Limiter) (*Archive, error) {
			return nil, errors.New("it is away")
		},
	})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error)
	go func() { ended <- d.Run(ctx) }()
	receive := func(want string) {
		t.Helper()
		select {
		case got := <-arrived:
			if got != want {
				t.Errorf("%s was sent, not %s", got, want)
			}
		case <-time.After(time.Minute):
			t.Fatal("no notification was sent")
		}
	}
	receive("/one")
	d.Set(load(t, strings.Replace(configured, "https://hc.example.org/ping/x", one+`", "`+two, 1)))
	d.notify()
	close(answer)
	receive("/two")
	cancel()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if len(arrived) > 0 {
		t.Errorf("%s was sent twice", <-arrived)
	}
}
