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

// ErrNoSource means that the archive was opened without a directory of log files, so it makes no snapshots.
var ErrNoSource = errors.New("the archive was opened without a directory of log files")

// Archive is the archive of one directory. Its methods are safe for concurrent use.
type Archive struct {
	archive *archive.Archive
	bucket  providers.Bucket
	release func()
	dir     string
	options options
	backups sync.Mutex // held during a backup: two to one archive would race

	mu      sync.Mutex
	service *scheduler.Service // nil before the first Start
	files   int64
	last    time.Duration
}

// Open returns the archive at a URL, for the log files in a directory. It sends no request: the first backup creates the
// archive. Without a directory ("") the archive can be read, and Backup returns ErrNoSource. docs/providers.md lists the
// forms of the URL. The caller calls Close.
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
	bucket, err := providers.Open(ctx, url, providers.Options{Transfers: o.archive.Transfers, Log: o.archive.Log})
	if err != nil {
		return nil, err
	}
	if o.stateDir != "" {
		o.archive.State = &archive.LocalState{Dir: o.stateDir, Place: providers.Place(url), Former: providers.Redact(url)}
	}
	a := &Archive{archive: archive.New(bucket, o.archive), bucket: bucket, release: func() {}, dir: dir, options: o}
	if h, ok := bucket.(store.Holder); ok {
		a.release = h.Hold() // the URL may name another directory later, if a disk is unmounted
	}
	return a, nil
}

// Close stops the schedule and closes the archive.
func (a *Archive) Close() error {
	err := a.Stop()
	a.release()
	return errors.Join(err, a.bucket.Close())
}

// Backup makes a snapshot of the closed log files, and sends what the archive does not have. If nothing has changed since
// the newest snapshot, it makes none, and Committed of the result is false. It waits for another backup of this Archive.
// A second process that backs up to the same archive gets an error that wraps archive.ErrLostRace.
func (a *Archive) Backup(ctx context.Context) (*archive.BackupResult, error) {
	src, err := a.source()
	if err != nil {
		return nil, err
	}
	a.backups.Lock()
	defer a.backups.Unlock()
	began := time.Now()
	res, err := a.archive.Backup(ctx, src, archive.BackupOptions{Node: a.options.node, Tool: a.options.tool})
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last = time.Since(began)
	if res != nil {
		a.files += int64(res.Sent)
	}
	return res, err
}

// source opens the directory of the log files, and detects its layout if none was given.
func (a *Archive) source() (*source.Directory, error) {
	if a.dir == "" {
		return nil, ErrNoSource
	}
	layout, err := a.layout()
	if err != nil {
		return nil, err
	}
	return source.Open(a.dir, layout)
}

func (a *Archive) layout() (source.Layout, error) {
	if a.options.layout.Name == "" {
		return source.Detect(a.dir)
	}
	return source.NewLayout(a.options.layout)
}

// List returns the snapshots, the oldest first.
func (a *Archive) List(ctx context.Context) ([]archive.Snapshot, error) {
	return a.archive.List(ctx, 0)
}

// Restore writes the newest snapshot to a directory that is empty or does not exist yet, and checks each file against its
// hash. After a failure the same call continues.
func (a *Archive) Restore(ctx context.Context, to string) (*archive.RestoreResult, error) {
	return a.RestoreSnapshot(ctx, archive.Selector{}, to, archive.RestoreOptions{})
}

// RestoreSnapshot is Restore for any snapshot and with any options.
func (a *Archive) RestoreSnapshot(ctx context.Context, which archive.Selector, to string, o archive.RestoreOptions) (*archive.RestoreResult, error) {
	m, err := a.archive.SnapshotFor(ctx, which, o.Include)
	if err != nil {
		return nil, err
	}
	return a.archive.Restore(ctx, m, to, o)
}

// Verify checks the archive. The zero VerifyOptions compare it with its manifests by listings; ReadData reads everything
// back. What is wrong with the archive is in the report. An error means that the check did not end.
func (a *Archive) Verify(ctx context.Context, o archive.VerifyOptions) (*archive.VerifyReport, error) {
	return a.archive.Verify(ctx, o)
}
