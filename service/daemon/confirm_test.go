package daemon

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/service/web"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// refusal is a guard's error.
func refusal(guard manifest.Guard, plan, found string) *archive.Refusal {
	return &archive.Refusal{Confirmation: archive.Confirmation{Guard: guard, Plan: plan}, Err: errors.New(found)}
}

// guardedBackup stands for the backups of one archive; a guard checks each of them.
type guardedBackup struct {
	mu      sync.Mutex
	finds   []*archive.Refusal // what guards find, in their order; empty: nothing
	broken  error              // what every backup ends with before the guards; nil: nothing
	closed  error              // why the archive cannot be opened; nil: it can
	carried [][]archive.Confirmation
	takes   time.Duration // of each backup
}

func (g *guardedBackup) set(broken error, finds ...*archive.Refusal) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.broken, g.finds = broken, finds
}

func (g *guardedBackup) backup(ctx context.Context, a archive.Acceptance) (*archive.BackupResult, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.carried = append(g.carried, a.Confirmed)
	if takes := g.takes; takes > 0 {
		g.mu.Unlock()
		pause(ctx, takes)
		g.mu.Lock()
	}
	if g.broken != nil {
		return nil, g.broken
	}
	for _, r := range g.finds {
		accepted := false
		for _, c := range a.Confirmed {
			accepted = accepted || c == r.Confirmation
		}
		if !accepted {
			return nil, fmt.Errorf("backup: %w", r)
		}
	}
	return &archive.BackupResult{}, nil
}

// last is the confirmation that the last backup carried.
func (g *guardedBackup) last() string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return fmt.Sprint(g.carried[len(g.carried)-1])
}

func (g *guardedBackup) runs() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.carried)
}

const demand = `
archives:
  - name: orders
    node: db-1
    source: {dir: /var/lib/orders, layout: je}
    destination: "file:///backups/orders"
    retention: {last: 96}
`

// guardedDaemon runs a daemon with one archive until the test or stop ends it.
func guardedDaemon(t *testing.T, dir, text string, g *guardedBackup) (d *Daemon, stop func()) {
	t.Helper()
	open := func(context.Context, *config.Config, *config.Archive, archive.Limiter) (*Archive, error) {
		g.mu.Lock()
		defer g.mu.Unlock()
		if g.closed != nil {
			return nil, g.closed
		}
		none := func() map[string]int64 { return nil }
		return &Archive{
			Archive: archive.New(storetest.Memory(t), archive.Options{}), Backup: g.backup,
			Requests: none, Failures: none, Close: func() error { return nil },
		}, nil
	}
	d = New(load(t, text), Options{Dir: dir, Open: open})
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- d.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(stop)
	synctest.Wait()
	return d, stop
}

// pending lists the findings that the archive waits for; confirmed ones end with a "!".
func pending(d *Daemon) string {
	var all []string
	for _, c := range d.Archives()[0].NeedsConfirmation {
		s := c.Confirmation
		if !c.Confirmed.IsZero() {
			s += "!"
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

func run(t *testing.T, d *Daemon) {
	t.Helper()
	if _, err := d.Trigger("orders", web.TaskBackup); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
}

func confirm(t *testing.T, d *Daemon, confirmation string, want error) {
	t.Helper()
	id, err := d.Confirm("orders", confirmation)
	if !errors.Is(err, want) || (err == nil) != (id != "") {
		t.Errorf("confirming %s: %q, %v, not %v", confirmation, id, err, want)
	}
	synctest.Wait()
}

func waits(t *testing.T, d *Daemon, want string) {
	t.Helper()
	if got := pending(d); got != want {
		t.Errorf("it waits for %q, not %q", got, want)
	}
}

// A confirmation lifts one refusal, once: not the one before it, not the next one, and not that
// of another archive state.
func TestConfirmOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &guardedBackup{}
		d, _ := guardedDaemon(t, "", demand, g)
		confirm(t, d, "rollback:41-0a1b2c3d", web.ErrNotPending)
		g.set(nil, refusal("rollback", "41-0a1b2c3d", "the source was rolled back"))
		run(t, d)
		waits(t, d, "rollback:41-0a1b2c3d")
		since := time.Now()
		a := d.Archives()[0]
		want := web.Confirmation{
			Confirmation: "rollback:41-0a1b2c3d", Guard: "rollback", Task: "backup", Detail: "the source was rolled back",
			Since: a.NeedsConfirmation[0].Since,
		}
		if a.State() != web.StateFailing || a.NeedsConfirmation[0] != want || !want.Since.Equal(since) {
			t.Errorf("%+v", a)
		}
		time.Sleep(10 * time.Second)
		if a := d.Archives()[0]; a.FailuresInRow < 2 || !a.NeedsConfirmation[0].Since.Equal(since) {
			t.Errorf("after more attempts: %+v", a)
		}

		confirm(t, d, "rollback:42-0a1b2c3d", web.ErrNotPending)
		confirm(t, d, "take-over:41-0a1b2c3d", web.ErrNotPending)
		confirm(t, d, "accept all", web.ErrMalformed)
		if _, err := d.Confirm("none", "rollback:41-0a1b2c3d"); !errors.Is(err, web.ErrNotFound) {
			t.Errorf("of no archive: %v", err)
		}
		if got := g.last(); got != "[]" {
			t.Errorf("a run carried %s before anything was accepted", got)
		}
		confirm(t, d, "rollback:41-0a1b2c3d", nil)
		waits(t, d, "")
		if got := g.last(); got != "[rollback:41-0a1b2c3d]" {
			t.Errorf("the run carried %s", got)
		}
		g.set(nil)
		run(t, d)
		if got := g.last(); got != "[]" {
			t.Errorf("the run after it carried %s", got)
		}
		// It is used, also if the same refusal came again.
		g.set(nil, refusal("rollback", "41-0a1b2c3d", "again"))
		run(t, d)
		waits(t, d, "rollback:41-0a1b2c3d")
	})
}

// An operator's confirmation stays valid over a failure from another cause, and over a restart:
// else the operator would have to wait until the provider answers.
func TestConfirmationOutlivesFailuresAndRestarts(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	g := &guardedBackup{}
	away := errors.New("the bucket is away")
	synctest.Test(t, func(t *testing.T) {
		d, stop := guardedDaemon(t, dir, demand, g)
		g.set(nil, refusal("rollback", "41-0a1b2c3d", "the source was rolled back"))
		run(t, d)
		g.set(away)
		confirm(t, d, "rollback:41-0a1b2c3d", nil)
		waits(t, d, "rollback:41-0a1b2c3d!")
		confirm(t, d, "rollback:41-0a1b2c3d", nil) // the same again
		waits(t, d, "rollback:41-0a1b2c3d!")
		stop()
	})
	synctest.Test(t, func(t *testing.T) { // another destination is another archive
		d, stop := guardedDaemon(t, dir, strings.Replace(demand, "/backups/orders", "/elsewhere", 1), g)
		waits(t, d, "")
		stop()
	})
	synctest.Test(t, func(t *testing.T) {
		d, _ := guardedDaemon(t, dir, demand, g)
		waits(t, d, "rollback:41-0a1b2c3d!")
		g.set(nil, refusal("rollback", "41-0a1b2c3d", "the source was rolled back"))
		run(t, d)
		waits(t, d, "")
		if got := g.last(); got != "[rollback:41-0a1b2c3d]" {
			t.Errorf("the run after the restart carried %s", got)
		}
	})
	synctest.Test(t, func(t *testing.T) {
		d, _ := guardedDaemon(t, dir, demand, g)
		waits(t, d, "")
		run(t, d)
		if got := g.last(); got != "[]" {
			t.Errorf("after one more restart the run carried %s", got)
		}
	})
}

// The archive's state may change between a confirmation and the run, for example by another host.
// Then the refusal is another one, and the confirmation is dropped.
func TestConfirmationIsVoidAfterAChange(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &guardedBackup{}
		d, _ := guardedDaemon(t, "", demand, g)
		g.set(nil, refusal("rollback", "41-0a1b2c3d", "the source was rolled back"))
		run(t, d)
		g.set(nil, refusal("rollback", "42-99999999", "the source was rolled back"))
		confirm(t, d, "rollback:41-0a1b2c3d", nil)
		waits(t, d, "rollback:42-99999999")
		confirm(t, d, "rollback:41-0a1b2c3d", web.ErrNotPending)
		run(t, d)
		if got := g.last(); got != "[]" {
			t.Errorf("the run carried %s", got)
		}
	})
}

// Two guards may find something in the same state. The second refusal must not drop what was
// accepted for the first, or the run would never get past both.
func TestConfirmTwoGuards(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &guardedBackup{}
		d, _ := guardedDaemon(t, "", demand, g)
		const plan = "41-0a1b2c3d"
		g.set(nil, refusal("take-over", plan, "another node"), refusal("rollback", plan, "the source was rolled back"))
		run(t, d)
		waits(t, d, "take-over:41-0a1b2c3d")
		confirm(t, d, "take-over:41-0a1b2c3d", nil)
		waits(t, d, "rollback:41-0a1b2c3d")
		confirm(t, d, "rollback:41-0a1b2c3d", nil)
		waits(t, d, "")
		if got := g.last(); got != "[rollback:41-0a1b2c3d take-over:41-0a1b2c3d]" {
			t.Errorf("the run carried %s", got)
		}
	})
}

// A confirmation that comes while a run goes on is for the run after it.
func TestConfirmDuringARun(t *testing.T) {
	t.Parallel()
	r := &refusals{jobs: map[string]*refused{}, over: map[string]bool{}}
	found := refusal("rollback", "41-0a1b2c3d", "the source was rolled back")
	now := time.Now()
	r.ended("", r.carry(""), found, now)
	carried := r.carry("")
	if _, ok := r.accept(found.Confirmation, now); !ok {
		t.Fatal("it is not pending")
	}
	r.ended("", carried, found, now) // the run that began before
	if got := fmt.Sprint(r.carry("").Confirmed); got != "[rollback:41-0a1b2c3d]" {
		t.Fatalf("the next run carries %s", got)
	}
	// A guard that refuses the run's confirmation reports a new finding, and not for ever the same.
	r.ended("", r.carry(""), found, now)
	if got := fmt.Sprint(r.carry("").Confirmed); got != "[]" {
		t.Errorf("the run after it carries %s", got)
	}
}

// A prune waits for its own confirmation, which begins a prune and no backup. A configuration
// without retention has none to wait for.
func TestConfirmPrune(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := &guardedBackup{closed: errors.New("the bucket is away")}
		d, _ := guardedDaemon(t, "", demand, g)
		if _, err := d.service.TriggerTask("orders", "prune"); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // that prune failed
		g.mu.Lock()
		g.closed = nil
		g.mu.Unlock()
		found := refusal("prune", "96-7e1f00d0", "it would remove 95 of 96 snapshots")
		refuse := func(archive.Acceptance) error { return fmt.Errorf("pruning: %w", found) }
		err := d.managedArchive("orders").guarded(t.Context(), "prune", refuse)
		if !errors.Is(err, found) {
			t.Fatal(err)
		}
		waits(t, d, "prune:96-7e1f00d0")
		if a := d.Archives()[0]; a.NeedsConfirmation[0].Task != "prune" {
			t.Errorf("%+v", a.NeedsConfirmation)
		}
		before := d.Archives()[0].Tasks[1].Done
		confirm(t, d, "prune:96-7e1f00d0", nil)
		waits(t, d, "") // that prune ended well
		if a := d.Archives()[0]; a.Tasks[1].Name != "prune" || a.Tasks[1].Done != before+1 || g.runs() != 0 {
			t.Errorf("%d backups, and prunes: %+v", g.runs(), a.Tasks)
		}
		d.Set(load(t, strings.Replace(demand, "    retention: {last: 96}\n", "", 1)))
		synctest.Wait()
		waits(t, d, "")
		confirm(t, d, "prune:96-7e1f00d0", web.ErrNotPending)
	})
}

// A reload that does not change what was found keeps it; another source is another finding.
func TestConfirmationsOverAReload(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		g := &guardedBackup{}
		d, _ := guardedDaemon(t, dir, demand, g)
		g.set(nil, refusal("rollback", "41-0a1b2c3d", "the source was rolled back"))
		run(t, d)
		g.set(errors.New("away"))
		confirm(t, d, "rollback:41-0a1b2c3d", nil)
		d.Set(load(t, demand+"    transfers: 3\n"))
		synctest.Wait()
		waits(t, d, "rollback:41-0a1b2c3d!")
		d.Set(load(t, strings.Replace(demand, "/var/lib/orders", "/var/lib/other", 1)))
		synctest.Wait()
		waits(t, d, "")
		run(t, d)
		if got := g.last(); got != "[]" {
			t.Errorf("for another source the run carried %s", got)
		}
	})
}

// A notification explains how to accept the finding that stops the archive.
func TestEventNamesTheConfirmation(t *testing.T) {
	t.Parallel()
	backup := web.Confirmation{Confirmation: "rollback:41-0a1b2c3d", Guard: "rollback", Task: "backup"}
	prune := web.Confirmation{Confirmation: "prune:41-7e1f00d0", Guard: "prune", Task: "prune"}
	a := web.Archive{
		Name: "orders", FailuresInRow: 1, LastFailure: web.Failure{Error: "the source was rolled back"},
		NeedsConfirmation: []web.Confirmation{backup, prune},
	}
	e := event(&a)
	const want = "the source was rolled back\nTo accept this once: strongroom confirm orders rollback:41-0a1b2c3d, or the status page."
	if e.State != notify.Failing || e.Detail != want {
		t.Errorf("%+v", e)
	}
	a.NeedsConfirmation[0].Confirmed = time.Now()
	if e := event(&a); strings.Contains(e.Detail, "strongroom confirm") {
		t.Errorf("accepted, and yet: %+v", e)
	}
	a.FailuresInRow, a.LastSuccess, a.RecoverableThrough.At = 0, time.Now(), time.Now()
	a.Tasks = []web.Task{{Name: "prune", FailuresInRow: taskFailureThreshold, LastFailure: web.Failure{Error: "too many"}}}
	if e := event(&a); !strings.Contains(e.Detail, "too many\nTo accept this once: strongroom confirm orders prune:41-7e1f00d0,") {
		t.Errorf("%+v", e)
	}
}
