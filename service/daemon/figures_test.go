package daemon

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/web"
)

// The number of snapshots is that of the last count, with the snapshots made since.
func TestSnapshotsAreCounted(t *testing.T) {
	t.Parallel()
	k := &managedArchive{}
	k.noteVerify(&archive.VerifyReport{Snapshots: 7, ReadStored: 100})
	made := func() { k.countKept(func(kept *web.Kept) { kept.Snapshots++ }) }
	made()
	if kept := k.known.kept; kept == nil || kept.Snapshots != 8 || k.known.read != 100 {
		t.Errorf("%+v, %d bytes read", kept, k.known.read)
	}
	oldest := time.Unix(1000, 0)
	verdict := func(n int64, keep bool) retention.Verdict {
		return retention.Verdict{Snapshot: retention.Snapshot{Sequence: n, Created: oldest.Add(time.Duration(n) * time.Hour)}, Keep: keep}
	}
	r := &archive.PruneReport{Verdicts: []retention.Verdict{verdict(0, false), verdict(1, true), verdict(2, false), verdict(3, true)}}
	r.Deleted.Bytes = 50
	k.notePrune(r, nil)
	made()
	if kept := k.known.kept; kept.Snapshots != 3 || !kept.Oldest.Equal(oldest.Add(time.Hour)) || k.known.pruned != 50 {
		t.Errorf("%+v, %d bytes pruned", kept, k.known.pruned)
	}
	refused := errors.New("refused")
	k.notePrune(&archive.PruneReport{}, refused)
	k.notePrune(&archive.PruneReport{Verdicts: []retention.Verdict{verdict(1, false), verdict(3, true)}}, refused)
	if k.known.kept.Snapshots != 3 {
		t.Errorf("%+v", k.known.kept)
	}
}

// A refused reload leaves the time of the configuration in force.
func TestReloadsAreRecorded(t *testing.T) {
	t.Parallel()
	now := time.Unix(1000, 0)
	d := New(&config.Config{}, Options{Now: func() time.Time { return now }})
	if s := d.Service(); !s.ConfigRead.Equal(now) || s.ReloadFailed {
		t.Errorf("at the start: %+v", s)
	}
	begin := now
	now = now.Add(time.Hour)
	d.Reloaded(errors.New("a wrong key"))
	if s := d.Service(); !s.ConfigRead.Equal(begin) || !s.ReloadFailed {
		t.Errorf("after a refusal: %+v", s)
	}
	d.Reloaded(nil)
	if s := d.Service(); !s.ConfigRead.Equal(now) || s.ReloadFailed {
		t.Errorf("after a success: %+v", s)
	}
}

// A stopped run does not change why an archive fails: the reason groups notifications.
func TestStoppedRunHasNoCause(t *testing.T) {
	t.Parallel()
	k := &managedArchive{settings: &config.Archive{}}
	run := k.withRemedy("", func(context.Context) (scheduler.Result, error) { return scheduler.Result{}, errors.New("it ended") })
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := run(ctx); err == nil || len(k.known.causes) > 0 {
		t.Errorf("%v, %v", err, k.known.causes)
	}
	if _, err := run(t.Context()); err == nil || len(k.known.causes) != 1 {
		t.Errorf("%v, %v", err, k.known.causes)
	}
}
