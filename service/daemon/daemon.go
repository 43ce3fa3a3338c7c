// Package daemon implements strongroom run. It manages the archives of a configuration, runs their jobs by package
// scheduler, sends notifications, and supplies their state to package web.
//
// Options contain its access to the outside, such as the function that opens an archive. Daemon opens each archive
// when it first needs it, and tries again after a failure. So an archive that cannot be opened is treated like any
// failing one: shown, counted and retried.
package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/statefile"
	"github.com/strongroom-dev/strongroom/service/web"
	"github.com/strongroom-dev/strongroom/source"
)

// Options configure a Daemon.
type Options struct {
	// Open opens an archive. It sends no request. The archive's transfers also need slots.
	Open func(ctx context.Context, c *config.Config, one *config.Archive, slots archive.Limiter) (*Archive, error)
	// Hints returns a channel that receives when a source's directory may have changed; see package watch.
	Hints func(ctx context.Context, dir string) <-chan struct{}

	Dir     string           // the directory for the state; empty disables state across restarts
	Version string           // the program's version
	Log     *slog.Logger     // nil disables logging
	Now     func() time.Time // nil selects time.Now
}

// Archive is an open archive with the operations that a Daemon uses.
type Archive struct {
	*archive.Archive
	// Backup makes a snapshot and runs the commands before and after it. Guards do not stop it for accepted
	// findings.
	Backup func(ctx context.Context, accepted archive.Acceptance) (*archive.BackupResult, error)
	// Source opens the directory of log files.
	Source func() (*source.Directory, error)
	// Drill makes a test restore of the newest snapshot.
	Drill func(ctx context.Context, d config.Drill) (*archive.DrillReport, error)
	// Requests and Failures count requests to the provider, by kind.
	Requests, Failures func() map[string]int64
	Close              func() error
}

// Daemon manages archives. Its methods are safe for concurrent use.
type Daemon struct {
	o         Options
	transfers *transferPool
	service   *scheduler.Service
	state     *statefile.Dir
	targets   notify.Targets
	pauses    pauses
	started   chan struct{} // closed when the service takes requests

	setting sync.Mutex // held by Set, also while it reads files

	// No file is read or written, and nothing else is waited for, while mu is held: the page, the metrics and the
	// stop of the service need it.
	mu        sync.Mutex
	config    *config.Config
	archives  []*managedArchive // in the order of the configuration
	asked     int64             // the number of requested runs
	notifiers map[string]*notifierState
	running   context.Context //nolint:containedctx // of Run; nil before it
	began     time.Time       // when Run began
	reloads   reloads

	poked chan struct{} // has an element when a state may have changed
}

// New returns a Daemon for a configuration. It does nothing before Run.
func New(c *config.Config, o Options) *Daemon {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Daemon{
		o: o, transfers: newTransferPool(1), notifiers: map[string]*notifierState{}, poked: make(chan struct{}, 1),
		state: statefile.NewDir(o.Dir, o.Log), started: make(chan struct{}), pauses: pauses{by: map[string]web.Pause{}},
	}
	d.reloads.read = o.Now()
	d.service = scheduler.New(scheduler.Options{
		Log: o.Log, Dir: o.Dir, Ended: d.ended, Now: o.Now, Most: mostRuns(), Started: sync.OnceFunc(func() { close(d.started) }),
	}, nil)
	d.Set(c)
	return d
}

// mostRuns is how many runs begin at a time. They wait for the network most of the time.
func mostRuns() int { return max(8, 4*runtime.GOMAXPROCS(0)) }

// Set replaces the configuration. Jobs that are the same in both continue. A run is stopped if its archive was
// removed or has other settings. New jobs begin.
func (d *Daemon) Set(c *config.Config) {
	d.setting.Lock()
	defer d.setting.Unlock()
	saved := d.readSaved(c)
	d.mu.Lock()
	defer d.mu.Unlock()
	old := map[string]*managedArchive{}
	for _, k := range d.archives {
		old[k.name] = k
	}
	most := 1
	for i := range c.Archives {
		most = max(most, c.Archives[i].Transfers)
	}
	d.transfers.resize(most)
	var jobs []scheduler.Job
	d.archives = nil
	for i := range c.Archives {
		one := &c.Archives[i]
		k := old[one.Name]
		if version := versionOf(c, one); k == nil || k.version != version {
			k = d.newManagedArchive(c, one, version, k, saved[one.Name])
		}
		d.archives = append(d.archives, k)
		d.restorePause(one.Name, saved[one.Name].paused)
		first := len(jobs)
		jobs = append(jobs, k.backupJob(one), k.verifyJob(one))
		if one.Drill != nil {
			jobs = append(jobs, k.drillJob(one))
		}
		if one.Retention != nil {
			jobs = append(jobs, k.pruneJob(one))
		}
		k.refusesOnly(jobs[first:])
	}
	d.config = c
	d.setNotifiers(saved)
	d.service.Set(jobs)
}

// Config returns the configuration in force.
func (d *Daemon) Config() *config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config
}

// Run manages the archives until ctx ends, and returns when all runs have ended. It returns
// scheduler.ErrStopTimeout if a run does not end in time.
func (d *Daemon) Run(ctx context.Context) error {
	d.mu.Lock()
	d.running, d.began = ctx, d.o.Now()
	for _, t := range d.notifiers {
		t.start(ctx)
	}
	d.mu.Unlock()
	go d.watch(ctx)
	go clearDrills(d.Config())
	ended := make(chan time.Time, 1) // the time limit of the stop begins here
	stop := context.AfterFunc(ctx, func() { ended <- time.Now() })
	defer stop()
	err := d.service.Run(ctx)
	select {
	case at := <-ended:
		d.drain(at)
	default:
		d.drain(time.Now())
	}
	if err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	var failed error
	for _, k := range d.archives {
		failed = errors.Join(failed, k.close())
	}
	return failed
}

// Started returns a channel that is closed when Run takes requests for runs.
func (d *Daemon) Started() <-chan struct{} { return d.started }

// TriggerAll requests a run of every archive that is not paused. If an archive's run is in progress, another one
// follows it.
func (d *Daemon) TriggerAll() {
	for _, k := range d.all() {
		err := web.ErrPaused
		if d.pauses.get(k.name).Since.IsZero() {
			_, err = d.service.Trigger(k.name)
		}
		if err != nil {
			d.o.Log.Info("no run was requested", "archive", k.name, "reason", err)
		}
	}
}

func (d *Daemon) all() []*managedArchive {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.archives
}

func (d *Daemon) managedArchive(name string) *managedArchive {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.find(name)
}

// find is managedArchive with d.mu held.
func (d *Daemon) find(name string) *managedArchive {
	for _, k := range d.archives {
		if k.name == name {
			return k
		}
	}
	return nil
}

// ended is called after each run of each job.
func (d *Daemon) ended(j scheduler.JobStatus) {
	d.mu.Lock()
	k, t := d.find(j.Name), d.notifiers[j.Name]
	d.mu.Unlock()
	if k != nil {
		k.ran(&j)
	}
	if t != nil && j.Task == "" && j.Last.Outcome != scheduler.Failed {
		t.Succeeded()
	}
	select {
	case d.poked <- struct{}{}:
	default:
	}
}

// versionOf returns a text that is equal for archives with equal runs.
func versionOf(c *config.Config, one *config.Archive) string {
	v := *one
	v.Notify, v.NotifyAfter, v.Verify, v.Drill, v.Retention, v.Bandwidth = nil, 0, nil, nil, nil, nil
	b, err := json.Marshal(v) // compares values, not pointers
	if err != nil {
		panic(err) // all its fields have a JSON form
	}
	return fmt.Sprintf("%s %s %s", b, one.Bandwidth.ID(), c.StateDir)
}
