package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"reflect"
	"syscall"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/daemon"
)

// serviceSignals are the signals that reload the configuration and that request runs. Each channel holds one signal:
// one reload, or one run, serves all signals before it.
type serviceSignals struct {
	reload, run chan os.Signal
	supervisor  *supervisor
}

// catchSignals receives the signals from now on. handleSignals handles them.
func catchSignals() *serviceSignals {
	s := &serviceSignals{reload: make(chan os.Signal, 1), run: make(chan os.Signal, 1)}
	signal.Notify(s.reload, syscall.SIGHUP)
	signal.Notify(s.run, syscall.SIGUSR1)
	return s
}

func (s *serviceSignals) stop() {
	signal.Stop(s.reload)
	signal.Stop(s.run)
}

// handleSignals handles signals from when the service has started, until ctx ends.
func (a *app) handleSignals(ctx context.Context, d *daemon.Daemon, s *serviceSignals) {
	select {
	case <-ctx.Done():
		return
	case <-d.Started():
		s.supervisor.send("READY=1")
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.run:
			a.log.Info("SIGUSR1: a run of every archive is requested")
			d.TriggerAll()
		case <-s.reload:
			s.supervisor.reloading()
			a.reload(ctx, d)
			s.supervisor.send("READY=1")
		}
	}
}

// reload applies the current configuration file. If the file has an error, the previous
// configuration stays in force.
func (a *app) reload(ctx context.Context, d *daemon.Daemon) {
	was := d.Config()
	c, err := a.reloadConfig(ctx, was, d)
	d.Reloaded(err)
	if err != nil {
		a.log.Error("SIGHUP: the configuration has an error; the previous one stays in force", "error", err)
		return
	}
	if !reflect.DeepEqual(was.HTTP, c.HTTP) || was.StateDir != c.StateDir || was.ScratchDir != c.ScratchDir {
		a.log.Warn("SIGHUP: changes of http, state_dir and scratch_dir need a restart; " +
			"the previous values stay in force")
		c.HTTP, c.StateDir, c.ScratchDir = was.HTTP, was.StateDir, was.ScratchDir
	}
	a.groups.set(c)
	d.Set(c)
	a.log.Info("SIGHUP: the configuration was reloaded", "archives", len(c.Archives))
}

// reloadConfig reads the configuration file. It refuses what a start would refuse, also in the
// parts that only a restart applies.
func (a *app) reloadConfig(ctx context.Context, was *config.Config, d *daemon.Daemon) (*config.Config, error) {
	file, err := a.findConfig()
	if err != nil {
		return nil, err
	}
	c, err := config.Load(ctx, file)
	if err != nil {
		return nil, err
	}
	failed := hasWork(c, was.HTTP)
	if failed == nil {
		failed = hasWork(c, c.HTTP) // a start has the new value
	}
	if _, err := a.newServer(ctx, c.HTTP, d); err != nil {
		failed = errors.Join(failed, err)
	}
	for i := range c.Archives {
		if err := context.Cause(ctx); err != nil {
			return nil, err
		}
		if err := a.openable(ctx, c, &c.Archives[i]); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.Archives[i].Name, err))
		}
	}
	return c, failed
}
