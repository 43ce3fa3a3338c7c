package daemon

import (
	"fmt"
	"sync"

	"github.com/strongroom-dev/strongroom/service/web"
)

// pauses are the pauses of archives by name. They survive reloads and restarts. Its methods are safe for concurrent use.
type pauses struct {
	mu sync.Mutex
	// by has the archives whose state is known. The zero value means that runs begin.
	by map[string]web.Pause
}

// get returns the pause of an archive.
func (p *pauses) get(name string) web.Pause {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.by[name]
}

// restorePause takes over the pause that was saved, unless an operator has paused or resumed the archive since.
func (d *Daemon) restorePause(name string, saved web.Pause) {
	d.pauses.mu.Lock()
	defer d.pauses.mu.Unlock()
	if _, known := d.pauses.by[name]; known || saved.Since.IsZero() {
		return
	}
	d.pauses.by[name] = saved
	d.service.Pause(name)
	d.o.Log.Warn("this archive is paused: no run begins until it is resumed",
		"archive", name, "since", saved.Since, "by", saved.By, "reason", saved.Reason)
}

// Pause implements web.Backend.
func (d *Daemon) Pause(name string, p web.Pause) (web.Pause, error) {
	if d.managedArchive(name) == nil {
		return web.Pause{}, fmt.Errorf("%s: %w", name, web.ErrNotFound)
	}
	d.pauses.mu.Lock()
	defer d.pauses.mu.Unlock()
	if was := d.pauses.by[name]; !was.Since.IsZero() {
		return was, nil
	}
	p.Since = d.o.Now().Round(0)
	d.setPause(name, p)
	d.service.Pause(name)
	d.o.Log.Info("an archive was paused", "archive", name, "by", p.By, "reason", p.Reason)
	return p, nil
}

// Resume implements web.Backend.
func (d *Daemon) Resume(name string) error {
	if d.managedArchive(name) == nil {
		return fmt.Errorf("%s: %w", name, web.ErrNotFound)
	}
	d.pauses.mu.Lock()
	defer d.pauses.mu.Unlock()
	if was, known := d.pauses.by[name]; known && was.Since.IsZero() {
		return nil
	}
	d.setPause(name, web.Pause{})
	d.service.Resume(name)
	d.o.Log.Info("an archive was resumed", "archive", name)
	return nil
}

// setPause records a pause, or its end, in memory and in the state file, with d.pauses.mu held.
func (d *Daemon) setPause(name string, p web.Pause) {
	d.pauses.by[name] = p
	d.state.Save(pauseFile(name), p, func(err error) {
		d.o.Log.Warn("cannot save whether this archive is paused; it is lost at a restart", "archive", name, "error", err)
	})
}
