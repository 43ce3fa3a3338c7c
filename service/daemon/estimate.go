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

const (
	// maxEstimate is the time limit of an estimate. It is longer than that of a read for the page, and holds up none.
	maxEstimate = 5 * time.Minute
	// maxEstimated is the number of objects whose storage classes an estimate reads: each may cost a request.
	maxEstimated = 10_000
	// planAgain is how long the classes of a snapshot's objects are used: providers change classes once a day.
	planAgain = 24 * time.Hour
)

// estimateCache is what the restore of an archive's newest snapshot reads and takes. The zero value is empty.
type estimateCache struct {
	mu      sync.Mutex
	busy    bool      // an estimate is being made
	began   time.Time // when the last attempt began
	tried   time.Time // the same; zero: the next one is due
	made    estimate
	unknown string // why the last attempt made none; empty if it did
}

// estimate is what the restore of a snapshot reads and takes.
type estimate struct {
	snapshot int64 // 0 if there is no estimate
	archive  string
	files    int64
	bytes    int64 // plain
	plan     archive.ReadPlan
	planned  time.Time
	time     *cost.Time // nil if no rate is known
}

// begin reports whether an estimate is due, and records that it begins: at most one in ten minutes, since it costs
// requests, and the page's clients need no token.
func (e *estimateCache) begin(now time.Time) bool {
	e.mu.Lock()
	defer e.mu.Unlock()
	isRecent := !e.tried.IsZero() && now.Sub(e.tried) < listAgain && !now.Before(e.tried)
	if e.busy || isRecent {
		return false
	}
	e.busy, e.began, e.tried = true, now, now
	return true
}

// end records an estimate or, if none was made, why.
func (e *estimateCache) end(made estimate, unknown string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy, e.unknown = false, unknown; made.snapshot > 0 {
		e.made = made
	}
}

// noAnswer is why there is no estimate if the provider hangs.
const noAnswer = "the provider did not answer in time"

// last returns the last estimate, and why a later attempt made none.
func (e *estimateCache) last(now time.Time) (made estimate, unknown string) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.busy && now.Sub(e.began) > maxEstimate { // some requests cannot be cancelled
		return e.made, noAnswer
	}
	return e.made, e.unknown
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
	made, unknown := k.estimates.last(d.o.Now())
	switch {
	case made.snapshot > 0:
		return d.describeEstimate(k, &made), true
	case unknown != "":
		return web.RestoreEstimate{Snapshot: sequence, Unknown: unknown}, true
	}
	return web.RestoreEstimate{}, false
}

func (d *Daemon) describeEstimate(k *managedArchive, made *estimate) web.RestoreEstimate {
	out := web.RestoreEstimate{
		Snapshot: made.snapshot, Missing: made.plan.Missing,
		Price: "What it costs is not known: the configuration has no prices for this destination",
		Time:  "How long it takes is not known yet: a drill measures that, and so does each restore",
	}
	for i := range made.plan.Reads {
		r := &made.plan.Reads[i]
		out.Bytes, out.Requests = cost.Sum(out.Bytes, r.Bytes), cost.Sum(out.Requests, r.Requests)
		if r.Frozen {
			out.Frozen += r.Objects
		}
	}
	switch p := d.Config().PricesOf(k.settings.Destination).PriceReads(made.plan.Reads); {
	case p != nil && made.plan.ClassesUnknown:
		out.Price = "What it costs is not known: the storage classes of the objects were not read; " +
			"strongroom restore --dry-run reads those of any number"
	case p != nil:
		out.Price = "It costs " + p.String()
	}
	if made.time != nil {
		out.Time = "It " + made.time.Describe(web.Size)
	}
	return out
}

// estimate makes an estimate. It takes no turn of the page's other reads: for a large archive it takes minutes.
func (k *managedArchive) estimate(ctx context.Context, sequence int64) {
	service := ctx
	ctx, cancel := context.WithTimeout(ctx, maxEstimate)
	defer cancel()
	made, err := k.makeEstimate(ctx, sequence)
	switch {
	case err == nil:
		k.estimates.end(made, "")
	case service.Err() != nil: // the service stops
		k.estimates.end(estimate{}, "")
	case ctx.Err() != nil:
		k.estimates.end(estimate{}, noAnswer)
	default:
		k.estimates.end(estimate{}, "the archive cannot be read")
		k.d.o.Log.Warn("cannot estimate what a restore takes", "archive", k.name, "snapshot", sequence, "error", err)
	}
}

func countObjects(p *archive.ReadPlan) (n int64) {
	for i := range p.Reads {
		n += p.Reads[i].Objects
	}
	return n
}

// makeEstimate reads a snapshot's manifest and the classes of its objects, unless the last estimate has them, and the
// rate of earlier restores.
func (k *managedArchive) makeEstimate(ctx context.Context, sequence int64) (estimate, error) {
	to, err := k.open(ctx)
	if err != nil {
		return estimate{}, err
	}
	now := k.d.o.Now()
	made, _ := k.estimates.last(now)
	if made.snapshot != sequence || now.Sub(made.planned) >= planAgain || now.Before(made.planned) {
		m := k.snapshots.looked(sequence)
		if m == nil {
			if m, err = to.Snapshot(ctx, archive.Selector{Sequence: sequence}); err != nil {
				return estimate{}, err
			}
		}
		made = estimate{snapshot: sequence, archive: m.Archive, files: m.Counts.Files, bytes: m.Counts.Bytes, planned: now}
		if made.plan, err = to.RestoreReads(ctx, m, maxEstimated); err != nil {
			return estimate{}, err
		}
		if made.plan.ClassesUnknown && countObjects(&made.plan) <= maxEstimated {
			made.planned = time.Time{} // they could not be read, so the next estimate tries again
		}
	}
	measured, err := to.Measurements(ctx, made.archive, made.bytes)
	if err != nil {
		return estimate{}, err
	}
	made.time = cost.EstimateTime(measured, made.files, made.bytes)
	return made, nil
}
