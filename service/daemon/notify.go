package daemon

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/web"
)

// watchEvery is the interval at which the states are checked: no event occurs when a run becomes overdue.
const watchEvery = 5 * time.Second

// notifierState sends one archive's notifications. It survives a reload unless the targets change.
type notifierState struct {
	*notify.Notifier
	targets []string
	before  *notifierState          // the predecessor with other targets; nil if none
	cancel  context.CancelFunc      // ends Run; nil before start
	done    chan struct{}           // closed when Run has ended
	kept    map[string]notify.State // as saved last; nil after an error
	state   notify.State            // the last state
	since   time.Time
	turned  time.Time     // since when the state is ok, or is not
	after   time.Duration // how long that must last before it is sent
}

// newNotifierState returns nil if there are no usable targets.
func (d *Daemon) newNotifierState(name string, targets []string, kept map[string]notify.State) *notifierState {
	if len(targets) == 0 {
		return nil
	}
	n, err := notify.New(targets, notify.Options{Archive: name, Version: d.o.Version, Log: d.o.Log, Targets: &d.targets})
	if err != nil {
		d.o.Log.Error("notifications are disabled for this archive", "archive", name, "error", err)
		return nil
	}
	n.Restore(kept)
	return &notifierState{Notifier: n, targets: targets, kept: kept}
}

// start delivers until ctx ends or stop is called. It first waits for the predecessor's deliveries in progress,
// which would otherwise be sent twice.
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

// drainTimeout is the time after a stop within which deliveries must end: the program has 10 seconds in total.
const drainTimeout = scheduler.Grace + 500*time.Millisecond

// flushTimeout is the part of it within which the last state must be written.
const flushTimeout = time.Second

// drain waits for the notifiers to stop and saves their state. ended is the time of the stop.
func (d *Daemon) drain(ended time.Time) {
	limit, cancel := context.WithDeadline(context.Background(), ended.Add(drainTimeout))
	defer cancel()
	d.mu.Lock()
	notifiers := maps.Clone(d.notifiers)
	d.mu.Unlock()
	for name, t := range notifiers {
		select {
		case <-t.done:
			d.mu.Lock()
			d.saveNotified(name, t)
			d.mu.Unlock()
		case <-limit.Done():
		}
	}
	flush, cancel := context.WithTimeout(limit, flushTimeout)
	defer cancel()
	if err := d.state.Flush(flush); err != nil {
		d.o.Log.Warn("the last status of the archives is not saved; it is lost at a restart", "error", err)
	}
}

func (t *notifierState) stop() {
	if t.cancel != nil {
		t.cancel()
	}
}

// setNotifiers starts and stops notifiers as the configuration requires, with d.mu held. A new notifier continues
// with the delivered states of its predecessor, or else with the saved ones.
func (d *Daemon) setNotifiers(saved map[string]savedState) {
	targets := map[string][]string{}
	after := map[string]time.Duration{}
	for i := range d.config.Archives {
		one := &d.config.Archives[i]
		targets[one.Name], after[one.Name] = one.Notify, one.NotifyAfter
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
		kept, was := saved[name].notified, gone[name]
		if was != nil {
			kept = was.Export()
		}
		if t := d.newNotifierState(name, these, kept); t != nil {
			if was != nil && was.done != nil {
				t.before = was
			}
			d.notifiers[name] = t
			if d.running != nil {
				t.start(d.running)
			}
		}
	}
	for name, t := range d.notifiers {
		t.after = after[name]
	}
}

// watch checks the states until ctx ends.
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
		began := time.Now()
		d.notify()
		pause(ctx, min(watchPause*time.Since(began), time.Minute))
	}
}

// watchPause is how many times as long as a check of the states the pause after it lasts: with thousands of archives a
// run ends at any time, and each check takes long.
const watchPause = 20

// pause returns after a time, or when ctx ends.
func pause(ctx context.Context, d time.Duration) {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
}

// sendMissed is the time after a start before missed runs are reported as overdue.
const sendMissed = time.Minute

// notify passes each archive's state to its notifier. It skips an archive that has not been read since the start,
// unless its job is overdue for too long.
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
		if !a.Paused.Since.IsZero() && e.State != notify.Damaged && e.State != notify.Failing {
			continue // what was sent last stays; a run in progress may still find damage, or fail
		}
		if t.settle(&e, now) {
			t.Update(e)
		}
		d.saveNotified(k.name, t)
	}
}

// settle sets since when a state lasts. It reports whether the archive has been in good or in bad order for long
// enough to send that: a failure that the next attempt ends is no message. Damage does not pass by itself.
func (t *notifierState) settle(e *notify.Event, now time.Time) bool {
	if e.State != t.state {
		if t.state == "" || (e.State == notify.OK) != (t.state == notify.OK) {
			t.turned = now
		}
		t.state, t.since = e.State, now
	}
	e.At = t.since
	age := now.Sub(t.turned)
	return e.State == notify.Damaged || age >= t.after || age < 0 // the clock was set back
}

// taskFailureThreshold is the number of failures in a row after which a task is reported: half a minute of retries.
// Snapshots use the same provider, so its failures are reported by them first.
const taskFailureThreshold = 5

// event returns the state of an archive for notifications.
func event(a *web.Archive) notify.Event {
	e := notify.Event{State: notify.OK, Recoverable: a.RecoverableThrough.At}
	switch a.State() {
	case web.StateDamaged:
		e.State, e.Detail = notify.Damaged, damage(a)
	case web.StateFailing:
		e.State, e.Detail, e.Cause = notify.Failing, a.LastFailure.Error+acceptHint(a, taskBackup), a.FailureCause
	case web.StateOverdue:
		e.State, e.Detail = notify.Overdue, "no run has succeeded yet"
		if !a.LastSuccess.IsZero() {
			e.Detail = "no run has succeeded since " + a.LastSuccess.UTC().Format(time.RFC3339)
		}
	default:
		for _, t := range a.Tasks {
			needsConfirmation := acceptHint(a, t.Name) != "" // a retry would not help
			if t.FailuresInRow >= taskFailureThreshold || needsConfirmation {
				e.State, e.Detail = notify.Failing, fmt.Sprintf("snapshots are fine, but the last %s could not be done: %s",
					strings.ToLower(t.Word()), t.LastFailure.Error)
				e.Detail += acceptHint(a, t.Name)
				e.Cause = t.Name + " " + t.FailureCause
			}
		}
	}
	return e
}

// damage describes what is wrong with the archived data.
func damage(a *web.Archive) string {
	switch n := len(a.Damaged); {
	case n > 0:
		return fmt.Sprintf("%s damaged when archived, such as %s; strongroom inspect shows where",
			counted(n, "log file was", "log files were"), a.Damaged[0])
	case a.LastVerification.Problems > 0:
		return fmt.Sprintf("the last verification found %s; strongroom verify shows the details",
			counted(a.LastVerification.Problems, "problem", "problems"))
	}
	return "the last test restore failed: " + a.LastDrill.Error
}

func counted[N int | int64](n N, one, more string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, more)
}

// saveNotified saves the delivered states if they changed, with d.mu held.
func (d *Daemon) saveNotified(name string, t *notifierState) {
	notified := t.Export()
	if maps.Equal(notified, t.kept) {
		return
	}
	t.kept = notified
	d.state.Save(notifiedFile(name), notified, func(err error) {
		d.o.Log.Warn("cannot save the notification state; notifications may be sent again after a restart",
			"archive", name, "error", err)
		d.mu.Lock()
		defer d.mu.Unlock()
		t.kept = nil // the next check of the states tries again
	})
}
