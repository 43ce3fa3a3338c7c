package daemon

import (
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/service/statefile"
	"github.com/strongroom-dev/strongroom/service/web"
)

var _ web.ServiceBackend = (*Daemon)(nil)

// reloads is the state of the configuration.
type reloads struct {
	read   time.Time // when the one in force was read
	failed bool
}

// Reloaded records the result of a reload of the configuration, for the metrics.
func (d *Daemon) Reloaded(err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.reloads.failed = err != nil
	if err == nil {
		d.reloads.read = d.o.Now()
	}
}

// Service implements web.ServiceBackend.
func (d *Daemon) Service() web.Service {
	d.mu.Lock()
	r := d.reloads
	d.mu.Unlock()
	slots, used, waiting := d.transfers.load()
	return web.Service{
		ConfigRead: r.read, ReloadFailed: r.failed, StateFailed: statefile.Failures(),
		Slots: slots, SlotsInUse: used, SlotsWaiting: waiting,
	}
}

// undelivered returns the failed attempts to deliver notifications, by archive.
func (d *Daemon) undelivered() map[string]int64 {
	d.mu.Lock()
	defer d.mu.Unlock()
	all := map[string]int64{}
	for name, t := range d.notifiers {
		all[name] = t.Failures()
	}
	return all
}

// countKept changes the number of snapshots, if it is known.
func (k *managedArchive) countKept(change func(*web.Kept)) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known.kept != nil {
		kept := *k.known.kept
		change(&kept)
		k.known.kept = &kept
	}
}

// noteListed counts the snapshots of a listing, unless they were counted before or the listing may lack some.
func (k *managedArchive) noteListed(all []web.Snapshot) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.known.kept != nil || len(all) == 0 || len(all) >= maxListed {
		return
	}
	k.known.kept = &web.Kept{Snapshots: int64(len(all)), Oldest: all[0].Created}
}

// notePrune records what a prune deleted, and what it left. A prune that failed before it removed a snapshot has only a
// plan.
func (k *managedArchive) notePrune(r *archive.PruneReport, err error) {
	if err != nil && len(r.Removed) == 0 {
		r.Verdicts = nil
	}
	kept := web.Kept{}
	for i := range r.Verdicts {
		if v := &r.Verdicts[i]; v.Keep {
			kept.Snapshots++
			if kept.Oldest.IsZero() || v.Created.Before(kept.Oldest) {
				kept.Oldest = v.Created
			}
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known.pruned += r.Deleted.Bytes
	if kept.Snapshots > 0 {
		k.known.kept = &kept
	}
}

// noteVerify records what a verification read and counted.
func (k *managedArchive) noteVerify(r *archive.VerifyReport) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.known.read += r.ReadStored
	kept := web.Kept{Snapshots: int64(r.Snapshots)}
	if was := k.known.kept; was != nil {
		kept.Oldest = was.Oldest
	}
	k.known.kept = &kept
}
