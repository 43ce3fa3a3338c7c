package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/statefile"
	"github.com/strongroom-dev/strongroom/service/web"
)

func (k *managedArchive) drillJob(one *config.Archive) scheduler.Job {
	k.use()
	d := *one.Drill
	return scheduler.Job{
		Name:     k.name,
		Task:     "drill",
		Schedule: schedule(d.Schedule, one.Location()),
		Version:  fmt.Sprintf("%s %+v", k.version, d),
		Jitter:   one.Jitter,
		Run:      func(ctx context.Context) (scheduler.Result, error) { return k.drill(ctx, d) },
		Retired:  k.retired,
	}
}

// clearDrills removes what is left of drills of a service that was killed in the middle of one.
func clearDrills(c *config.Config) {
	for i := range c.Archives {
		if d := c.Archives[i].Drill; d != nil {
			archive.ClearDrills(d.Scratch)
		}
	}
}

// drill restores the newest snapshot on trial. That it fails is a result, and no reason to
// try again: it is shown until one goes well.
func (k *managedArchive) drill(ctx context.Context, d config.Drill) (scheduler.Result, error) {
	to, err := k.open(ctx)
	if err != nil {
		return scheduler.Result{}, err
	}
	r, err := to.Drill(ctx, d)
	switch {
	case (errors.Is(err, archive.ErrNoArchive) || errors.Is(err, archive.ErrNoSnapshot)) && !k.hadProblem():
		return scheduler.Result{Said: "there is nothing to restore on trial yet"}, nil
	case err != nil && !errors.Is(err, archive.ErrDrillFailed):
		return scheduler.Result{}, err
	}
	if r.Unproven != "" {
		k.d.o.Log.Warn("how this drill went is not kept in the archive", "archive", k.name, "error", r.Unproven)
	}
	if r.Left != "" {
		k.d.o.Log.Warn("what a drill restored could not be removed", "archive", k.name, "error", r.Left)
	}
	if r.Restored != nil && len(r.Restored.Damaged) > 0 {
		k.d.o.Log.Warn("files of this snapshot were damaged when they were archived", "archive", k.name, "snapshot", r.Snapshot, "files", r.Restored.Damaged)
	}
	last := web.Drill{At: r.Started.Round(0), Snapshot: r.Snapshot, Duration: r.Took}
	said := fmt.Sprintf("snapshot %d was restored on trial", r.Snapshot)
	if err != nil {
		last.Error, said = err.Error(), "a drill was made"
		k.d.o.Log.Error("the drill failed: the newest snapshot could not be restored, or did not stand the command", "archive", k.name, "snapshot", r.Snapshot, "error", err)
	}
	k.keepDrill(func(d *drills) {
		d.Last = last
		if err == nil {
			d.Proven = last.At
		}
	})
	return scheduler.Result{Said: said}, nil
}

// keepDrill notes how a drill went.
func (k *managedArchive) keepDrill(note func(*drills)) {
	k.mu.Lock()
	was := k.known.drills
	note(&k.known.drills)
	drills := k.known.drills
	k.mu.Unlock()
	if drills == was {
		return
	}
	if err := writeDrills(k.d.drillFile(k.name), k.settings.Destination, &drills); err != nil {
		k.d.o.Log.Warn("how this drill went is not remembered after a restart", "archive", k.name, "error", err)
	}
}

// drilledElsewhere takes note of drills that were made by hand, or on another host, where an
// identity may be that this one must not have: the archive keeps how they went.
func (k *managedArchive) drilledElsewhere(ctx context.Context, to *Archive) {
	last, proven, err := to.Drills(ctx)
	if err != nil {
		k.d.o.Log.Warn("how drills went that were made elsewhere is not known", "archive", k.name, "error", err)
		return
	}
	k.keepDrill(func(d *drills) {
		// Of its own a service knows the time more finely than a proof has it.
		if last != nil && last.Created.After(d.Last.At) {
			d.Last = web.Drill{At: last.Created, Snapshot: last.Snapshot, Duration: time.Duration(last.DurationMS) * time.Millisecond, Error: last.Why}
		}
		if proven != nil && proven.Created.After(d.Proven) {
			d.Proven = proven.Created
		}
	})
}

// drills is what is known of them.
type drills struct {
	Last   web.Drill `json:"last"`
	Proven time.Time `json:"proven"` // when one last went well
}

// keptDrills is what is kept of them across restarts.
type keptDrills struct {
	Destination string `json:"destination"`
	Drills      drills `json:"drills"`
}

func (d *Daemon) drillFile(name string) string {
	if d.o.Dir == "" {
		return ""
	}
	return filepath.Join(d.o.Dir, name+"+drilled.json")
}

func readDrills(file, destination string) (drills, error) {
	var kept keptDrills
	if file == "" {
		return drills{}, nil
	}
	if err := statefile.Read(file, &kept); err != nil || kept.Destination != destination {
		return drills{}, err
	}
	return kept.Drills, nil
}

func writeDrills(file, destination string, d *drills) error {
	if file == "" {
		return nil
	}
	return statefile.Write(file, keptDrills{destination, *d})
}
