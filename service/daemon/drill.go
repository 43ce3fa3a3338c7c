package daemon

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/scheduler"
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
		OnDemand: d.Schedule == "",
		Run:      k.withRemedy("drill", func(ctx context.Context) (scheduler.Result, error) { return k.drill(ctx, d) }),
		Retired:  k.retired,
	}
}

// clearDrills removes the files of drills that were interrupted when the service was killed.
func clearDrills(c *config.Config) {
	for i := range c.Archives {
		if d := c.Archives[i].Drill; d != nil {
			archive.ClearDrills(d.Scratch)
		}
	}
}

// drill makes a test restore of the newest snapshot. A failed test restore is a result and is not retried: it is
// shown until a later one succeeds.
func (k *managedArchive) drill(ctx context.Context, d config.Drill) (scheduler.Result, error) {
	to, err := k.open(ctx)
	if err != nil {
		return scheduler.Result{}, err
	}
	r, err := to.Drill(ctx, d)
	switch {
	case k.isNew(err):
		return scheduler.Result{Said: "there is nothing to restore yet"}, nil
	case err != nil && !errors.Is(err, archive.ErrDrillFailed):
		return scheduler.Result{}, err
	}
	if r.Unproven != "" {
		k.d.o.Log.Warn("cannot store this drill's record in the archive", "archive", k.name, "error", r.Unproven)
	}
	if r.Left != "" {
		k.d.o.Log.Warn("cannot remove the files that this drill restored", "archive", k.name, "error", r.Left)
	}
	if r.Restored != nil && len(r.Restored.Damaged) > 0 {
		k.d.o.Log.Warn("files of this snapshot were already damaged when they were archived",
			"archive", k.name, "snapshot", r.Snapshot, "files", r.Restored.Damaged)
	}
	k.estimates.expire()
	last := web.Drill{At: r.Started.Round(0), Snapshot: r.Snapshot, Duration: r.Took}
	said := fmt.Sprintf("the test restore of snapshot %d succeeded", r.Snapshot)
	if err != nil {
		last.Error, said = err.Error(), "a test restore was made"
		k.d.o.Log.Error("the drill failed: the newest snapshot could not be restored, or the command failed",
			"archive", k.name, "snapshot", r.Snapshot, "error", err)
	}
	k.keepDrill(func(d *drills) {
		d.Last = last
		if err == nil {
			d.Proven = last.At
		}
	})
	return scheduler.Result{Said: said}, nil
}

// keepDrill records a drill's result in memory and in the state file.
func (k *managedArchive) keepDrill(note func(*drills)) {
	k.mu.Lock()
	was := k.known.drills
	note(&k.known.drills)
	drills := k.known.drills
	k.mu.Unlock()
	if drills == was {
		return
	}
	k.d.state.Save(drillFile(k.name), keptDrills{providers.Place(k.settings.Destination), drills}, func(err error) {
		k.d.o.Log.Warn("cannot save this drill's result; it is lost at a restart", "archive", k.name, "error", err)
	})
}

// drilledElsewhere records drills that were made by hand or on another host, whose results the archive stores.
// Another host may have an identity that this one must not have.
func (k *managedArchive) drilledElsewhere(ctx context.Context, to *Archive) {
	last, proven, err := to.Drills(ctx)
	if err != nil {
		k.d.o.Log.Warn("cannot read the archive's records of drills", "archive", k.name, "error", err)
		return
	}
	k.keepDrill(func(d *drills) {
		// After, not equal: the service's own time of the same drill is more exact than the record's.
		if last != nil && last.Created.After(d.Last.At) {
			d.Last = web.Drill{At: last.Created, Snapshot: last.Snapshot, Duration: time.Duration(last.DurationMS) * time.Millisecond, Error: last.Why}
		}
		if proven != nil && proven.Created.After(d.Proven) {
			d.Proven = proven.Created
		}
	})
}

// drills is the state of an archive's drills.
type drills struct {
	Last   web.Drill `json:"last"`
	Proven time.Time `json:"proven"` // when a drill last succeeded
}

// keptDrills is the content of the state file.
type keptDrills struct {
	Destination string `json:"destination"`
	Drills      drills `json:"drills"`
}
