package restorer

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/restoredir"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// Drill implements the method of archive.Archive.
func Drill(ctx context.Context, a *repo.Repo, m *manifest.Manifest, o values.DrillOptions) (*values.DrillReport, error) {
	defer a.Begin()()
	r := &values.DrillReport{Snapshot: m.Sequence, Started: time.Now()}
	if o.Scratch == "" {
		o.Scratch = os.TempDir()
	}
	if err := a.CheckScratch(o.Scratch); err != nil {
		return r, fmt.Errorf("drill: %w", err)
	}
	if err := a.Holds(ctx, m); err != nil {
		return r, fmt.Errorf("drill: %w", err)
	}
	removeDeadDrills(o.Scratch)
	if err := checkDatabaseDisk(o.Database, o.Scratch, m.Counts.Bytes); err != nil {
		return r, fmt.Errorf("drill: %w", err)
	}
	dir, err := newDrillDir(o.Scratch)
	if err != nil {
		return r, fmt.Errorf("drill: %w", err)
	}
	defer func() {
		if err := dir.remove(); err != nil {
			r.Left = err.Error()
		}
	}()
	isRestored, failed := drill(ctx, a, m, filepath.Join(dir.path, "restored"), &o, r)
	r.Took = time.Since(r.Started)
	if ctx.Err() != nil {
		return r, fmt.Errorf("drill: %w", context.Cause(ctx))
	}
	if err, ok := errors.AsType[*inconclusive](failed); ok {
		return r, fmt.Errorf("drill: %w", err.error)
	}
	proof := manifest.Proof{
		Archive: m.Archive, Kind: manifest.ProofDrill, Created: r.Started, DurationMS: r.Took.Milliseconds(), Tool: o.Tool,
		Outcome: manifest.OutcomeOK, Snapshot: m.Sequence, Command: o.Command,
	}
	if failed != nil {
		proof.Outcome, proof.Why = manifest.OutcomeFailed, failed.Error()
	}
	if measured, ok := measure(r.Restored, m, cost.Drill, r.Started); ok && isRestored {
		proof.RestoredFiles, proof.RestoredBytes, proof.RestoreMS = measured.Files, measured.Bytes, measured.MS
	}
	if _, err := a.Findings.PutProof(ctx, &proof); err != nil {
		r.Unproven = err.Error()
	}
	if failed != nil {
		return r, fmt.Errorf("snapshot %d: %w: %w", m.Sequence, values.ErrDrillFailed, failed)
	}
	return r, nil
}

// drill restores and checks a snapshot. Only if all files were restored, the time shows a rate.
func drill(
	ctx context.Context, a *repo.Repo, m *manifest.Manifest, to string, o *values.DrillOptions, r *values.DrillReport,
) (isRestored bool, err error) {
	r.Restored, err = restoreAs(ctx, a, m, to, cost.Drill, values.RestoreOptions{Thaw: o.Thaw})
	switch {
	case err == nil:
	case errors.Is(err, values.ErrDamaged), errors.Is(err, values.ErrNoIdentity):
		return false, err
	default:
		return false, &inconclusive{err}
	}
	if o.Check != nil {
		return true, o.Check(ctx, to)
	}
	if damaged := r.Restored.Damaged; len(damaged) > 0 {
		return true, fmt.Errorf("%s (one of %d damaged files) was damaged when it was archived, "+
			"and no check shows that the database opens anyway", damaged[0], len(damaged))
	}
	return true, nil
}

// inconclusive is an error that shows nothing about the snapshot.
type inconclusive struct{ error }

// checkDatabaseDisk returns an error if a drill would take disk space that the database needs.
func checkDatabaseDisk(database, scratch string, need int64) error {
	if database == "" || !encoding.SameDisk(scratch, database) {
		return nil
	}
	if free := freeAt(scratch); free >= 0 && free-need < source.MinFree {
		return fmt.Errorf("%w: the snapshot needs %d MiB, and %s, on the disk of the database in %s, has %d MiB free "+
			"and must keep %d MiB free; choose a scratch directory on another disk",
			restoredir.ErrNoSpace, (need+1<<20-1)>>20, scratch, database, free>>20, source.MinFree>>20)
	}
	return nil
}

// Drills implements the method of archive.Archive.
func Drills(ctx context.Context, a *repo.Repo) (last, proven *manifest.Proof, err error) {
	defer a.Begin()()
	all, err := a.Findings.Proofs(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, o := range slices.Backward(all[manifest.ProofDrill]) {
		p, err := a.Findings.ReadProof(ctx, o.Key, manifest.ProofDrill)
		switch {
		case err != nil:
			return nil, nil, err
		case p == nil:
			continue
		case last == nil:
			last = p
		}
		if p.Outcome == manifest.OutcomeOK {
			return last, p, nil
		}
	}
	return last, nil, nil
}

// A drillDir is a directory for one drill. A running drill holds a lock on a file in it.
type drillDir struct {
	path string
	lock *os.File
}

const drillPrefix = "strongroom-drill-"

func newDrillDir(scratch string) (*drillDir, error) {
	path, err := os.MkdirTemp(scratch, drillPrefix)
	if err != nil {
		return nil, fmt.Errorf("making a directory to restore to: %w", err)
	}
	d := &drillDir{path: path}
	if d.lock, err = os.OpenFile(filepath.Join(path, "lock"), os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o600); err == nil {
		err = unix.Flock(int(d.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	}
	if err != nil {
		return nil, fmt.Errorf("locking the directory to restore to: %w", errors.Join(err, d.remove()))
	}
	return d, nil
}

func (d *drillDir) remove() error {
	if d.lock != nil {
		defer d.lock.Close()
	}
	return os.RemoveAll(d.path)
}

// ClearDrills removes the directories that killed drills left below a directory (empty: os.TempDir). Drill does so
// before it begins. A service with a drill each week should also do so when it starts, since a whole snapshot may be
// left there. The directories of running drills stay.
func ClearDrills(scratch string) {
	if scratch == "" {
		scratch = os.TempDir()
	}
	removeDeadDrills(scratch)
}

// removeDeadDrills removes the directories of this user that no running drill has locked. A directory less than a minute
// old stays, since it may not be locked yet. One of another user is none of this user's drills: others may write to a
// scratch directory, and choose names there.
func removeDeadDrills(scratch string) {
	entries, err := os.ReadDir(scratch)
	if err != nil {
		return
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil || !e.IsDir() || !strings.HasPrefix(e.Name(), drillPrefix) || !isOwn(info) ||
			time.Since(info.ModTime()) < time.Minute {
			continue
		}
		path := filepath.Join(scratch, e.Name())
		lock, err := disk.OpenNoWait(filepath.Join(path, "lock"), os.O_RDWR|unix.O_NOFOLLOW)
		if err != nil {
			continue
		}
		if unix.Flock(int(lock.Fd()), unix.LOCK_EX|unix.LOCK_NB) == nil {
			os.RemoveAll(path)
		}
		lock.Close()
	}
}

// isOwn reports whether a file belongs to the user of this process.
func isOwn(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == os.Geteuid()
}
