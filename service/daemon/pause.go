package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/service/statefile"
	"github.com/strongroom-dev/strongroom/service/web"
)

// saveTimeout is how long Pause and Resume wait for the state directory. A working disk needs milliseconds.
const saveTimeout = 5 * time.Second

// pauses are the pauses of archives by name. They survive reloads and restarts. Its methods are safe for concurrent
// use.
type pauses struct {
	changing sync.Mutex // held by Pause and Resume, also while they wait for the disk

	// mu is held only for moments. Never wait for it with the lock of an archive: who holds it waits for the scheduler.
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
		"archive", name, "since", saved.Since, "by", saved.By, "reason", saved.Reason,
		"file", filepath.Join(d.o.Dir, pauseFile(name)))
}

// Pause implements web.Backend.
func (d *Daemon) Pause(name string, p web.Pause) (web.Pause, error) {
	if d.managedArchive(name) == nil {
		return web.Pause{}, fmt.Errorf("%s: %w", name, web.ErrNotFound)
	}
	d.pauses.changing.Lock()
	defer d.pauses.changing.Unlock()
	was, err := d.presentPause(name)
	if err != nil {
		return web.Pause{}, fmt.Errorf("%s is not paused: %w", name, err)
	}
	if !was.Since.IsZero() {
		return was, nil
	}
	p.Since = d.o.Now().Round(0)
	if err := d.setPause(name, was, p); err != nil {
		return web.Pause{}, fmt.Errorf("%s is not paused, since a restart would lose that: %w", name, err)
	}
	d.o.Log.Info("an archive was paused", "archive", name, "by", p.By, "reason", p.Reason)
	return p, nil
}

// Resume implements web.Backend.
func (d *Daemon) Resume(name string) error {
	if d.managedArchive(name) == nil {
		return fmt.Errorf("%s: %w", name, web.ErrNotFound)
	}
	d.pauses.changing.Lock()
	defer d.pauses.changing.Unlock()
	was, err := d.presentPause(name)
	if err != nil {
		return fmt.Errorf("%s is not resumed: %w", name, err)
	}
	if was.Since.IsZero() {
		return nil
	}
	if err := d.setPause(name, was, web.Pause{}); err != nil {
		return fmt.Errorf("%s is not resumed, since a restart would pause it again: %w", name, err)
	}
	d.o.Log.Info("an archive was resumed", "archive", name)
	return nil
}

// presentPause returns the pause of an archive, with d.pauses.changing held. A start may not have read the file, since
// the disk hung.
func (d *Daemon) presentPause(name string) (web.Pause, error) {
	d.pauses.mu.Lock()
	was, known := d.pauses.by[name]
	d.pauses.mu.Unlock()
	if known {
		return was, nil
	}
	var saved web.Pause
	err := d.state.Read(pauseFile(name), &saved)
	switch {
	case errors.Is(err, statefile.ErrUnreadable):
		saved = unknownPause(d.o.Now(), err)
	case err != nil:
		return web.Pause{}, err
	}
	d.restorePause(name, saved)
	return d.pauses.get(name), nil
}

// unknownPause is the pause of an archive whose file exists and cannot be read: an operator may work on its source.
func unknownPause(now time.Time, err error) web.Pause {
	return web.Pause{
		Since: now.Round(0), By: "strongroom",
		Reason: "the file with its pause cannot be read, so whether it is paused is unknown; " +
			"resume it after any work on its source or bucket: " + err.Error(),
	}
}

// setPause saves a pause, or its end, and then puts it into force, with d.pauses.changing held. After an error nothing
// has changed.
func (d *Daemon) setPause(name string, was, p web.Pause) error {
	ctx, cancel := context.WithTimeout(context.Background(), saveTimeout)
	defer cancel()
	err := d.state.SaveNow(ctx, pauseFile(name), p)
	if errors.Is(err, statefile.ErrHangs) { // the disk may write p once it responds
		d.state.Save(pauseFile(name), was, func(err error) {
			d.o.Log.Warn("cannot save whether this archive is paused",
				"archive", name, "paused", !was.Since.IsZero(), "error", err)
		})
	}
	if err != nil {
		return err
	}
	d.pauses.mu.Lock()
	defer d.pauses.mu.Unlock()
	d.pauses.by[name] = p
	if p.Since.IsZero() {
		d.service.Resume(name)
	} else {
		d.service.Pause(name)
	}
	return nil
}
