package daemon

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/internal/advice"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/web"
	"github.com/strongroom-dev/strongroom/store"
)

// managedArchive manages one archive. It is safe for concurrent use.
type managedArchive struct {
	d        *Daemon
	config   *config.Config
	settings *config.Archive
	name     string
	version  string
	share    *transferShare

	opening   chan struct{}  // has an element while the archive is opened
	snapshots *snapshotCache // for the page and the API
	estimates estimateCache  // for the page
	refusals  *refusals      // findings of guards, and operators' confirmations

	ledgerBegun atomic.Bool // the ledger has a record that a prune wrote

	mu      sync.Mutex
	archive *Archive // nil until it is opened
	jobs    int      // the number of jobs that may still use it
	known   archiveFacts
	seen    polled
	closed  bool
}

// archiveFacts is the state of an archive that is not the scheduler's.
type archiveFacts struct {
	loaded       bool // the archive's newest snapshot has been read since the start
	layout       string
	recoverable  web.Point
	damaged      []string
	leftOut      web.LeftOut
	verification web.Verification       // the service's last one
	heard        archive.VerifyFindings // of the last verification on any host
	drills       drills
	causes       map[string]string        // of the last failure by task, as causeOf returns them
	spent        map[string]web.Histogram // durations by task; the empty task is the backup
	newest       web.Contents
	kept         *web.Kept // nil until the snapshots were counted; it is replaced and never changed
	tailLeftOut  int
	pruned, read int64 // stored bytes since the start
}

// newManagedArchive returns a managedArchive. It takes over the state of its predecessor was, if that has the same
// destination; nil if there is none. Otherwise it has the state that was saved.
func (d *Daemon) newManagedArchive(c *config.Config, one *config.Archive, version string, was *managedArchive, saved savedState) *managedArchive {
	k := &managedArchive{
		d: d, config: c, settings: one, name: one.Name, version: version, share: d.transfers.share(),
		snapshots: newSnapshotCache(), opening: make(chan struct{}, 1),
	}
	k.refusals = d.refusalsOf(one, was, saved.refused)
	if was != nil && was.settings.Destination == one.Destination {
		was.mu.Lock()
		k.known = was.known
		was.mu.Unlock()
		k.known.loaded = false // the archive is opened again
		return k
	}
	if saved.verified.Destination == providers.Place(one.Destination) {
		k.known.verification = saved.verified.Found
	}
	if saved.drilled.Destination == providers.Place(one.Destination) {
		k.known.drills = saved.drilled.Drills
	}
	return k
}

// open opens the archive, unless it is open. It waits for another opening of it until ctx ends.
func (k *managedArchive) open(ctx context.Context) (*Archive, error) {
	select {
	case k.opening <- struct{}{}:
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting until the archive is open: %w", context.Cause(ctx))
	}
	defer func() { <-k.opening }()
	k.mu.Lock()
	to, closed := k.archive, k.closed
	k.mu.Unlock()
	if to != nil {
		return to, nil
	}
	if closed {
		return nil, errors.New("the archive was removed from the configuration")
	}
	to, err := k.d.o.Open(ctx, k.config, k.settings, k.share)
	if err != nil {
		return nil, fmt.Errorf("opening the archive: %w", err)
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.archive = to
	return to, nil
}

func (k *managedArchive) close() error {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.closed = true
	if k.archive == nil {
		return nil
	}
	err := k.archive.Close()
	k.archive = nil
	if err != nil {
		return fmt.Errorf("closing %s: %w", k.name, err)
	}
	return nil
}

// retired records that a job does not use the archive any more. After the last job it closes the archive.
func (k *managedArchive) retired() {
	k.mu.Lock()
	k.jobs--
	last := k.jobs == 0
	k.mu.Unlock()
	if !last {
		return
	}
	if err := k.close(); err != nil {
		k.d.o.Log.Warn("cannot close an archive that was removed or replaced", "archive", k.name, "error", err)
	}
}

// schedule parses a schedule that the configuration has already checked.
func schedule(expr string, location *time.Location) config.Schedule {
	if expr == "" {
		return config.Schedule{}
	}
	s, err := config.ParseSchedule(expr, location)
	if err != nil {
		return config.Schedule{}
	}
	return s
}

func (k *managedArchive) backupJob(one *config.Archive) scheduler.Job {
	k.use()
	s := schedule(one.Schedule, one.Location())
	if one.Group != "" {
		s = s.Aligned() // the destinations are due at the same time, independent of earlier runs
	}
	return scheduler.Job{
		Name:     k.name,
		Schedule: s,
		Together: one.Group,
		Version:  k.version,
		Jitter:   one.Jitter,
		OnDemand: one.Schedule == "",
		OnClose:  s.OnClose(),
		Run:      k.withRemedy("", k.backup),
		Last:     k.last,
		Look:     k.look,
		Hints: func(ctx context.Context) <-chan struct{} {
			if !s.OnClose() || k.d.o.Hints == nil {
				return nil
			}
			return k.d.o.Hints(ctx, one.Source.Dir)
		},
		Retired: k.retired,
	}
}

func (k *managedArchive) use() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.jobs++
}

// backup makes one snapshot.
func (k *managedArchive) backup(ctx context.Context) (scheduler.Result, error) {
	to, err := k.open(ctx)
	if err != nil {
		return scheduler.Result{}, err
	}
	var res *archive.BackupResult
	err = k.guarded(ctx, "", func(accepted archive.Acceptance) (err error) {
		res, err = to.Backup(ctx, accepted)
		return err
	})
	if err != nil {
		return scheduler.Result{}, err
	}
	k.noteFindings(res.Findings)
	r := scheduler.Result{Files: int64(res.Sent), Bytes: res.SentBytes}
	if res.Committed {
		r.Snapshot = res.Snapshot.Sequence
		k.snapshots.add(res.Snapshot)
		k.countKept(func(kept *web.Kept) { kept.Snapshots++ })
		if r.Snapshot == 1 {
			k.noteListed([]web.Snapshot{{Sequence: 1, Created: res.Snapshot.Created}})
		}
		k.beginLedger(ctx, to, r.Snapshot)
	}
	if res.Snapshot != nil {
		k.found(res.Snapshot, slices.Concat(res.Damaged, res.LeftOut))
		k.mu.Lock()
		k.known.tailLeftOut = len(res.LeftOut)
		k.mu.Unlock()
	}
	k.omits(res.Omitted)
	return r, nil
}

// last reads the newest snapshot, which also gives the archive's state before the first run.
func (k *managedArchive) last(ctx context.Context) (time.Time, error) {
	to, err := k.open(ctx)
	if err != nil {
		return time.Time{}, err
	}
	m, err := to.Newest(ctx)
	if err == nil {
		err = to.CheckID(ctx) // without it the next run fails, and shows that more may be gone
	}
	if err == nil {
		k.drilledElsewhere(ctx, to)
	}
	switch {
	case errors.Is(err, archive.ErrNoArchive) || errors.Is(err, archive.ErrNoSnapshot) || errors.Is(err, archive.ErrDamaged) || errors.Is(err, store.ErrGone):
		k.load()
		return time.Time{}, nil // a new one is due
	case err != nil:
		return time.Time{}, err
	}
	var damaged []string
	for i := range m.Files {
		if m.Files[i].Damaged() {
			damaged = append(damaged, m.Files[i].Name)
		}
	}
	k.found(&m.Summary, damaged)
	k.mu.Lock()
	k.known.leftOut = leftOutOf(&m.Summary)
	k.mu.Unlock()
	found, err := to.LastFindings(ctx, m.Archive)
	if err != nil {
		k.d.o.Log.Warn("cannot read the archive's last verification record", "archive", k.name, "error", err)
	}
	k.noteFindings(found)
	return m.Created, nil
}

// found records the state of the newest snapshot.
func (k *managedArchive) found(s *manifest.Summary, damaged []string) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known.loaded, k.known.layout, k.known.damaged = true, s.Layout, damaged
	k.known.recoverable = web.Point{At: s.Created}
	k.known.newest = web.Contents{Files: s.Counts.Files, Bytes: s.Counts.Bytes, StoredBytes: s.Counts.StoredBytes}
	k.seen = polled{} // what is pending has changed
	if p := s.ConsistentThrough; p != nil {
		k.known.recoverable.File, k.known.recoverable.Size = p.Name, p.Size
	}
}

func (k *managedArchive) load() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known.loaded = true
}

// withRemedy adds the commands that help to the errors of a job, for the page, the API and the notifications. It
// records the cause of the error.
func (k *managedArchive) withRemedy(
	task string, run func(context.Context) (scheduler.Result, error),
) func(context.Context) (scheduler.Result, error) {
	return func(ctx context.Context) (scheduler.Result, error) {
		r, err := run(ctx)
		if err != nil && ctx.Err() == nil { // a stopped run gives no information about the archive
			k.noteCause(task, causeOf(k.settings, err))
		}
		return r, advice.Add(err)
	}
}
