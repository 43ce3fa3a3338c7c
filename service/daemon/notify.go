package daemon

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/statefile"
	"github.com/strongroom-dev/strongroom/service/web"
)

// watchEvery is how often the states are looked at: nothing happens at the moment at which
// a run becomes overdue.
const watchEvery = 5 * time.Second

// notifierState tells people how one archive is. It outlives the archive's settings, but not who
// is told.
type notifierState struct {
	*notify.Notifier
	targets []string
	before  *notifierState     // whom it takes over from; nil: nobody
	cancel  context.CancelFunc // of its Run; nil: it does not run
	done    chan struct{}      // closed when that has ended
	file    string             // where it is kept what they were told; empty: nowhere
	kept    map[string]notify.State
	state   notify.State // as it was last
	since   time.Time
}

// newNotifierState returns nil when nobody is to be told.
func (d *Daemon) newNotifierState(name string, targets []string) *notifierState {
	if len(targets) == 0 {
		return nil
	}
	n, err := notify.New(targets, notify.Options{Archive: name, Version: d.o.Version, Log: d.o.Log})
	if err != nil {
		d.o.Log.Error("nobody is told how this archive is", "archive", name, "error", err)
		return nil
	}
	t := &notifierState{Notifier: n, targets: targets}
	if d.o.Dir != "" {
		t.file = filepath.Join(d.o.Dir, name+"+told.json")
	}
	if t.kept, err = readNotified(t.file); err != nil {
		d.o.Log.Warn("who was told what is forgotten, and told again", "archive", name, "error", err)
	}
	n.Restore(t.kept)
	return t
}

// start delivers until ctx ends or stop is called. What the one before has on its way
// arrives first, or it would be told twice.
func (t *notifierState) start(ctx context.Context) {
	ctx, cancel := context.WithCancel(ctx)
	t.cancel, t.done = cancel, make(chan struct{})
	before := t.before
	t.before = nil
	go func() {
		defer close(t.done)
		if before != nil {
			<-before.done
			t.Restore(before.Export())
		}
		t.Run(ctx)
	}()
}

// drainTimeout is how long after a stop messages may be on their way: the program has ten
// seconds in all.
const drainTimeout = scheduler.Grace + 500*time.Millisecond

// drain waits until the tellers have ended, and keeps what they told. ended is when they
// were told to.
func (d *Daemon) drain(ended time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	limit := time.NewTimer(time.Until(ended.Add(drainTimeout)))
	defer limit.Stop()
	for name, t := range d.notifiers {
		select {
		case <-t.done:
		case <-limit.C:
			return
		}
		d.saveNotified(name, t)
	}
}

func (t *notifierState) stop() {
	if t.cancel != nil {
		t.cancel()
	}
}

// setNotifiers makes the tellers those of the configuration, with d.mu held.
func (d *Daemon) setNotifiers() {
	targets := map[string][]string{}
	for i := range d.config.Archives {
		targets[d.config.Archives[i].Name] = d.config.Archives[i].Notify
	}
	gone := map[string]*notifierState{}
	for name, t := range d.notifiers {
		if !slices.Equal(targets[name], t.targets) {
			d.saveNotified(name, t)
			t.stop()
			gone[name] = t
			delete(d.notifiers, name)
		}
	}
	for name, these := range targets {
		if d.notifiers[name] != nil {
			continue
		}
		if t := d.newNotifierState(name, these); t != nil {
			if was := gone[name]; was != nil && was.done != nil {
				t.before = was
			}
			d.notifiers[name] = t
			if d.running != nil {
				t.start(d.running)
			}
		}
	}
}

// watch looks at the states until ctx ends.
func (d *Daemon) watch(ctx context.Context) {
	tick := time.NewTicker(watchEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-d.poked:
		}
		d.notify()
	}
}

// sendMissed is how long after a start the runs that were missed meanwhile may take before people
// are told that they are overdue.
const sendMissed = time.Minute

// notify lets everybody know who wants to. Where nothing has been found out yet since the
// start there is nothing to tell, unless that takes too long.
func (d *Daemon) notify() {
	jobs := map[string]scheduler.JobStatus{}
	now := d.o.Now()
	tasks := map[string][]scheduler.JobStatus{}
	d.mu.Lock()
	began := d.began
	d.mu.Unlock()
	for _, j := range d.service.Status().Jobs {
		switch {
		case j.Task != "":
			tasks[j.Name] = append(tasks[j.Name], j)
		case j.Known || j.Overdue(now) && now.Sub(began) >= sendMissed:
			jobs[j.Name] = j
		}
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, k := range d.archives {
		j, known := jobs[k.name]
		t := d.notifiers[k.name]
		if t == nil || !known {
			continue
		}
		a := k.state(&j, tasks[k.name], now)
		e := event(&a)
		if e.State != t.state {
			t.state, t.since = e.State, now
		}
		e.At = t.since
		t.Update(e)
		d.saveNotified(k.name, t)
	}
}

// taskFailureThreshold is how often in a row what is done beside snapshots must fail before people are
// told: half a minute of retries. A snapshot goes through the same provider, and would be
// told first.
const taskFailureThreshold = 5

// event is what is told of an archive.
func event(a *web.Archive) notify.Event {
	e := notify.Event{State: notify.OK, Recoverable: a.RecoverableThrough.At}
	switch a.State() {
	case web.StateDamaged:
		e.State, e.Detail = notify.Damaged, damage(a)
	case web.StateFailing:
		e.State, e.Detail = notify.Failing, a.LastFailure.Error+acceptHint(a, taskBackup)
	case web.StateOverdue:
		e.State, e.Detail = notify.Overdue, "no run has ended well yet"
		if !a.LastSuccess.IsZero() {
			e.Detail = "no run has ended well since " + a.LastSuccess.UTC().Format(time.RFC3339)
		}
	default:
		for _, t := range a.Tasks {
			needsConfirmation := acceptHint(a, t.Name) != "" // trying again does not help
			if t.FailuresInRow >= taskFailureThreshold || needsConfirmation {
				e.State, e.Detail = notify.Failing, fmt.Sprintf("snapshots are well, but the last %s could not be done: %s", strings.ToLower(t.Word()), t.LastFailure.Error)
				e.Detail += acceptHint(a, t.Name)
			}
		}
	}
	return e
}

// damage says what is wrong with what was archived.
func damage(a *web.Archive) string {
	switch n := len(a.Damaged); {
	case n > 0:
		return fmt.Sprintf("%s damaged when archived, such as %s; strongroom inspect shows where", counted(n, "log file was", "log files were"), a.Damaged[0])
	case a.LastVerification.Problems > 0:
		return fmt.Sprintf("the last verification found %s; strongroom verify shows what", counted(a.LastVerification.Problems, "problem", "problems"))
	}
	return "the last drill failed: " + a.LastDrill.Error
}

func counted[N int | int64](n N, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// saveNotified writes down who was told what, if that is another thing than before.
func (d *Daemon) saveNotified(name string, t *notifierState) {
	told := t.Export()
	if t.file == "" || maps.Equal(told, t.kept) {
		return
	}
	if err := statefile.Write(t.file, told); err != nil {
		d.o.Log.Warn("who was told what is not remembered after a restart", "archive", name, "error", err)
		return
	}
	t.kept = told
}

func readNotified(file string) (map[string]notify.State, error) {
	if file == "" {
		return nil, nil
	}
	var told map[string]notify.State
	if err := statefile.Read(file, &told); err != nil {
		return nil, err
	}
	return told, nil
}
