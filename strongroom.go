// Package strongroom archives the closed log files of a log-structured database in a bucket, from within a program:
//
//	a, err := strongroom.Open(ctx, "s3://backups/orders?region=eu-central-1", "/var/lib/orders")
//	if err != nil {
//		return err
//	}
//	defer a.Close()
//	if err := a.Start("*/15 * * * *"); err != nil {
//		return err
//	}
//	defer a.Stop()
//
// An archive is the same as that of the command strongroom: either can make, verify and restore what the other made.
//
// The package contains the SDKs of all providers, since a URL may name any of them. A program that needs one provider
// takes package archive and that provider's package, such as providers/s3, and stays smaller.
package strongroom

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// Errors of this package, for errors.Is. Packages archive and store have those of the operations, such as
// archive.ErrDamaged.
var (
	// ErrNoSource means that the archive was opened without a directory of log files, so it makes no snapshots.
	ErrNoSource = errors.New("the archive was opened without a directory of log files")
	// ErrClosed means that Close was called before an operation, or while it ran.
	ErrClosed = errors.New("the archive is closed")
	// ErrRunning means that the schedule is running, or that a run from before the last Stop has not ended.
	ErrRunning = scheduler.ErrRunning
	// ErrStopTimeout means that a run or another operation did not end within scheduler.Grace. It keeps running.
	ErrStopTimeout = scheduler.ErrStopTimeout
	// ErrOverlap means that the log files, or the target of a restore, lie within the archive's directory or around it.
	ErrOverlap = archive.ErrOverlap
	// ErrBadTarget means that a restore cannot write to a directory: it has no name, or is in the local state.
	ErrBadTarget = archive.ErrBadTarget
)

// Archive is the archive of one directory. Its methods are safe for concurrent use, also during and after Close.
// Operations run concurrently, except that one backup waits for another one.
type Archive struct {
	archive *archive.Archive
	bucket  providers.Bucket
	release func()
	dir     string
	options options
	backups chan struct{} // has an element during a backup: two to one archive would race

	life    context.Context //nolint:containedctx // ends with Close, and all operations with it
	end     context.CancelCauseFunc
	running sync.WaitGroup // the operations; none is added after closed is set
	ended   chan struct{}  // closed when the bucket is closed, which sets closeErr
	closing error          // of the bucket

	mu      sync.Mutex
	closed  bool
	service *scheduler.Service // nil before the first Start
	files   int64
	last    time.Duration
}

// Open returns the archive at a URL, for the log files in a directory. It sends no request: the first backup creates
// the archive. Without a directory ("") the archive can be read, and Backup returns ErrNoSource. docs/providers.md
// lists the forms of the URL. ctx is for reading local configuration only. The caller calls Close. Errors: ErrOverlap,
// and those of a malformed URL.
func Open(ctx context.Context, url, dir string, with ...Option) (*Archive, error) {
	o := options{tool: "strongroom library"}
	for _, set := range with {
		set(&o)
	}
	if o.node == "" && dir != "" {
		host, err := os.Hostname()
		if err != nil {
			return nil, fmt.Errorf("reading the name of this host, for the snapshots; or give one with WithNode: %w", err)
		}
		o.node = host
	}
	if dir != "" {
		if err := archive.CheckOverlap("the source", dir, providers.LocalDir(url)); err != nil {
			return nil, err
		}
	}
	bucket, err := providers.Open(ctx, url, providers.Options{Transfers: o.archive.Transfers, Log: o.archive.Log})
	if err != nil {
		return nil, err
	}
	if o.stateDir != "" {
		o.archive.State = &archive.LocalState{Dir: o.stateDir, Place: providers.Place(url), Former: providers.FormerPlace(url)}
	}
	return newArchive(bucket, dir, o), nil
}

func newArchive(bucket providers.Bucket, dir string, o options) *Archive {
	a := &Archive{
		archive: archive.New(bucket, o.archive), bucket: bucket, release: func() {}, dir: dir, options: o,
		backups: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	a.life, a.end = context.WithCancelCause(context.Background())
	if h, ok := bucket.(store.Holder); ok {
		a.release = h.Hold() // the URL may name another directory later, if a disk is unmounted
	}
	return a
}

// Backup makes a snapshot of the closed log files, and sends what the archive does not have. If nothing has changed
// since the newest snapshot, it makes none, and Committed of the result is false. It waits for another backup of this
// Archive, until ctx ends. A second process that backs up to the same archive gets an error that wraps
// archive.ErrLostRace.
func (a *Archive) Backup(ctx context.Context) (*archive.BackupResult, error) {
	return during(ctx, a, func(ctx context.Context) (*archive.BackupResult, error) {
		if a.dir == "" {
			return nil, ErrNoSource
		}
		select {
		case a.backups <- struct{}{}:
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for another backup of this archive: %w", context.Cause(ctx))
		}
		defer func() { <-a.backups }()
		src, err := source.OpenWith(a.dir, a.options.layout)
		if err != nil {
			return nil, err
		}
		began := time.Now()
		res, err := a.archive.Backup(ctx, src, archive.BackupOptions{Node: a.options.node, Tool: a.options.tool})
		a.count(res, time.Since(began))
		return res, err
	})
}

func (a *Archive) count(res *archive.BackupResult, took time.Duration) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = took
	if res != nil {
		a.files += int64(res.Sent)
	}
}

// List returns the snapshots, the oldest first.
func (a *Archive) List(ctx context.Context) ([]archive.Snapshot, error) { return a.list(ctx, 0) }

// list returns the last snapshots, the oldest first; 0 returns all.
func (a *Archive) list(ctx context.Context, last int) ([]archive.Snapshot, error) {
	return during(ctx, a, func(ctx context.Context) ([]archive.Snapshot, error) { return a.archive.List(ctx, last) })
}

// Restore writes the newest snapshot to a directory that is empty or does not exist yet, and checks each file against its
// hash. After a failure the same call continues. Errors: ErrBadTarget, ErrOverlap, and those of archive.Restore.
func (a *Archive) Restore(ctx context.Context, to string) (*archive.RestoreResult, error) {
	return a.RestoreSnapshot(ctx, archive.Selector{}, to, archive.RestoreOptions{})
}

// RestoreSnapshot is Restore for any snapshot and with any options.
func (a *Archive) RestoreSnapshot(
	ctx context.Context, which archive.Selector, to string, o archive.RestoreOptions,
) (*archive.RestoreResult, error) {
	return during(ctx, a, func(ctx context.Context) (*archive.RestoreResult, error) {
		if err := a.archive.CheckTarget(to); err != nil { // before any request
			return nil, fmt.Errorf("restore: %w", err)
		}
		m, err := a.archive.SnapshotFor(ctx, which, o.Include)
		if err != nil {
			return nil, err
		}
		return a.archive.Restore(ctx, m, to, o)
	})
}

// Verify checks the archive. The zero VerifyOptions compare it with its manifests by listings; ReadData reads everything
// back. What is wrong with the archive is in the report. An error means that the check did not end.
func (a *Archive) Verify(ctx context.Context, o archive.VerifyOptions) (*archive.VerifyReport, error) {
	return during(ctx, a, func(ctx context.Context) (*archive.VerifyReport, error) { return a.archive.Verify(ctx, o) })
}
