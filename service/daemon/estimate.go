package daemon

import (
	"cmp"
	"context"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/service/web"
)

var _ web.RestoreEstimator = (*Daemon)(nil)

// estimateCache is what the restore of an archive's newest snapshot reads and takes. The zero value is empty.
type estimateCache struct {
	mu    sync.Mutex
	busy  bool      // an estimate is being made
	tried time.Time // when the last attempt began; zero: the next one is due
	made  estimate
}

// estimate is what the restore of a snapshot reads and takes.
type estimate struct {
	snapshot int64 // 0 if there is no estimate
	reads    []cost.Read
	time     *cost.Time // nil if no rate is known
}

// begin reports whether an estimate is due, and records that it begins: at most one in ten minutes, since it lists the
// archive's objects, and the page's clients need no token.
func (e *estimateCache) begin(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	isRecent := !e.tried.IsZero() && now.Sub(e.tried) < listAgain && !now.Before(e.tried)
	if e.busy || isRecent {
		return false
	}
	e.busy, e.tried = true, now
	return true
}

// end records an estimate, unless none was made.
func (e *estimateCache) end(made estimate) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.busy = false
	if made.snapshot > 0 {
		e.made = made
	}
}

// expire makes the next estimate due: a drill has shown another rate.
func (e *estimateCache) expire() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.tried = time.Time{}
}

// RestoreEstimate implements web.RestoreEstimator.
func (d *Daemon) RestoreEstimate(name string, sequence int64) (web.RestoreEstimate, bool) {
	k := d.managedArchive(name)
	if k == nil {
		return web.RestoreEstimate{}, false
	}
	if k.estimates.begin(d.o.Now()) {
		d.mu.Lock()
		ctx := cmp.Or(d.running, context.Background())
		d.mu.Unlock()
		go k.estimate(ctx, sequence)
	}
	k.estimates.mu.Lock()
	made := k.estimates.made
	k.estimates.mu.Unlock()
	if made.snapshot == 0 {
		return web.RestoreEstimate{}, false
	}
	out := web.RestoreEstimate{Snapshot: made.snapshot, Price: "What it costs is not known: the configuration has no prices for this destination"}
	for i := range made.reads {
		r := &made.reads[i]
		out.Bytes, out.Requests = out.Bytes+r.Bytes, out.Requests+r.Requests
		if r.Frozen {
			out.Frozen += r.Objects
		}
	}
	if p := d.Config().PricesOf(k.settings.Destination).PriceReads(made.reads); p != nil {
		out.Price = "It costs " + p.String()
	}
	out.Time = "How long it takes is not known yet: a drill measures that, and so does each restore"
	if made.time != nil {
		out.Time = "It " + made.time.Describe(web.Size)
	}
	return out, true
}

// estimate reads a snapshot's manifest, the classes of its objects, and the rate of earlier restores.
func (k *managedArchive) estimate(ctx context.Context, sequence int64) {
	ctx, cancel := context.WithTimeout(ctx, maxLook)
	defer cancel()
	var made estimate
	defer func() { k.estimates.end(made) }()
	found := make(chan estimate, 1) // what look calls may outlive it
	to, err := k.open(ctx)
	if err == nil {
		err = k.snapshots.look(ctx, func(ctx context.Context) error {
			e, err := to.estimate(ctx, sequence)
			found <- e
			return err
		})
	}
	if err != nil {
		if ctx.Err() != nil { // the service stops, or the provider does not answer, which its runs report
			return
		}
		k.d.o.Log.Warn("cannot estimate what a restore takes", "archive", k.name, "snapshot", sequence, "error", err)
		return
	}
	made = <-found
}

func (a *Archive) estimate(ctx context.Context, sequence int64) (estimate, error) {
	m, err := a.Snapshot(ctx, archive.Selector{Sequence: sequence})
	if err != nil {
		return estimate{}, err
	}
	measured, err := a.Measurements(ctx, m.Archive)
	if err != nil {
		return estimate{}, err
	}
	reads, _, err := a.RestoreReads(ctx, m)
	return estimate{sequence, reads, cost.EstimateTime(measured, m.Counts.Files, m.Counts.Bytes)}, err
}
