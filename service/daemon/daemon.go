// Package daemon is strongroom run: it keeps the archives of a configuration, makes their
// snapshots on schedule by package service, and tells package web how they are.
//
// What it needs of the world it is given: how a configuration is read, and how an archive
// is opened. Each archive is opened when it is first needed, and again after that failed,
// so that one that cannot be opened is like one that fails: shown, counted, tried again.
package daemon

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/source"
)

// Options are what a Daemon needs.
type Options struct {
	// Open opens an archive, whose transfers are limited by slots, too. It sends no request.
	Open func(ctx context.Context, c *config.Config, one *config.Archive, slots archive.Limiter) (*Archive, error)
	// Hints tells when a look at a source's directory is worth while; see package watch.
	Hints func(ctx context.Context, dir string) <-chan struct{}

	Dir     string           // where the state is kept across restarts; empty: it is not
	Version string           // of the program
	Log     *slog.Logger     // nil: nothing is logged
	Now     func() time.Time // nil: time.Now
}

// Archive is an opened archive as a Daemon uses it.
type Archive struct {
	*archive.Archive
	// Backup makes a snapshot, with the commands before and after it. Guards do not stop it
	// for what was accepted.
	Backup func(ctx context.Context, accepted archive.Acceptance) (*archive.BackupResult, error)
	// Source opens the directory of log files.
	Source func() (*source.Directory, error)
	// Drill restores the newest snapshot on trial.
	Drill func(ctx context.Context, d config.Drill) (*archive.DrillReport, error)
	// Requests and Failures count what was asked of the provider, by kind.
	Requests, Failures func() map[string]int64
	Close              func() error
}

// Daemon keeps archives. Its methods are safe for concurrent use.
type Daemon struct {
	o         Options
	transfers *transferPool
	service   *scheduler.Service

	mu        sync.Mutex
	config    *config.Config
	archives  []*managedArchive // in the order of the configuration
	asked     int64             // runs that were asked for
	notifiers map[string]*notifierState
	running   context.Context //nolint:containedctx // of Run; nil before it
	began     time.Time       // when Run did

	poked chan struct{} // holds something when a state may be another
}

// New returns a Daemon for a configuration. It does nothing before Run.
func New(c *config.Config, o Options) *Daemon {
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	d := &Daemon{o: o, transfers: newTransferPool(1), notifiers: map[string]*notifierState{}, poked: make(chan struct{}, 1)}
	d.service = scheduler.New(scheduler.Options{Log: o.Log, Dir: o.Dir, Ended: d.ended, Now: o.Now}, nil)
	d.Set(c)
	return d
}

// Set puts another configuration in force: what is the same in both goes on untouched, a
// run whose archive has other settings or is gone is stopped, and what is new begins.
func (d *Daemon) Set(c *config.Config) {
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
			k = d.newManagedArchive(c, one, version, k)
		}
		d.archives = append(d.archives, k)
		first := len(jobs)
		jobs = append(jobs, k.backupJob(one))
		if one.Verify != nil {
			jobs = append(jobs, k.verifyJob(one))
		}
		if one.Drill != nil && one.Drill.Schedule != "" {
			jobs = append(jobs, k.drillJob(one))
		}
		if one.Retention != nil && one.Retention.Schedule != "" {
			jobs = append(jobs, k.pruneJob(one))
		}
		k.refusesOnly(jobs[first:])
	}
	d.config = c
	d.setNotifiers()
	d.service.Set(jobs)
}

// Config is the configuration that is in force.
func (d *Daemon) Config() *config.Config {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.config
}

// Run keeps the archives until ctx ends, and returns when all runs have ended; or, after a
// time, service.ErrHanging.
func (d *Daemon) Run(ctx context.Context) error {
	d.mu.Lock()
	d.running, d.began = ctx, d.o.Now()
	for _, t := range d.notifiers {
		t.start(ctx)
	}
	d.mu.Unlock()
	go d.watch(ctx)
	go clearDrills(d.Config())
	var ended time.Time
	stop := context.AfterFunc(ctx, func() { d.mu.Lock(); ended = time.Now(); d.mu.Unlock() })
	defer stop()
	err := d.service.Run(ctx)
	d.mu.Lock()
	if ended.IsZero() {
		ended = time.Now()
	}
	d.mu.Unlock()
	d.drain(ended)
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

// TriggerAll has a run of every archive begin.
func (d *Daemon) TriggerAll() {
	for _, k := range d.all() {
		if _, err := d.service.Trigger(k.name); err != nil {
			d.o.Log.Info("no run begins", "archive", k.name, "reason", err)
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

// find is keeper, with d.mu held.
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

// versionOf is the same for archives whose runs are the same.
func versionOf(c *config.Config, one *config.Archive) string {
	v := *one
	v.Notify, v.Verify, v.Drill, v.Retention, v.Bandwidth = nil, nil, nil, nil, nil
	b, err := json.Marshal(v) // by what the file says, and not by where it lies in memory
	if err != nil {
		panic(err) // there is nothing in it that has no JSON
	}
	return fmt.Sprintf("%s %s %s", b, one.Bandwidth.ID(), c.StateDir)
}
