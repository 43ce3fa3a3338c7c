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

// handleSignals handles SIGHUP and SIGUSR1 until ctx ends.
func (a *app) handleSignals(ctx context.Context, d *daemon.Daemon) {
	signals := make(chan os.Signal, 8)
	signal.Notify(signals, syscall.SIGHUP, syscall.SIGUSR1)
	defer signal.Stop(signals)
	for {
		select {
		case <-ctx.Done():
			return
		case s := <-signals:
			if s == syscall.SIGUSR1 {
				a.log.Info("SIGUSR1: a run of every archive is requested")
				d.TriggerAll()
				continue
			}
			a.reload(ctx, d)
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
	c, err := config.Load(file)
	if err != nil {
		return nil, err
	}
	failed := hasWork(c, was.HTTP)
	if _, err := a.newServer(c.HTTP, d); err != nil {
		failed = errors.Join(failed, err)
	}
	for i := range c.Archives {
		if err := a.openable(ctx, c, &c.Archives[i]); err != nil {
			failed = errors.Join(failed, fmt.Errorf("%s: %w", c.Archives[i].Name, err))
		}
	}
	return c, failed
}
