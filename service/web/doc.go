// Package web serves the service's state: a status page, a JSON API, Prometheus metrics and two health checks. It
// does not depend on archives, providers or schedules: a Backend supplies plain values.
//
//	s, err := web.New(backend, web.Options{Listen: "127.0.0.1:8470", Token: token, Log: log})
//	l, err := s.Listen(ctx)
//	err = s.Serve(ctx, l) // until ctx ends
//
// # Defences
//
// The page can start runs, pause an archive and accept a guard's finding, and it shows names from a file system. So it
// trusts neither the client nor the values that it shows:
//
//   - Only a bearer token starts a run, pauses an archive or accepts anything. It is not a cookie, so another site
//     cannot send it. Requests that a browser marks as cross-site are refused, too.
//   - The Host of each request must be a configured one. Otherwise another site could point its name at the
//     service (DNS rebinding).
//   - A page loads and runs only the files below assets/.
//   - Bodies, headers and times are bounded, and so are connections and the requests that are answered at once. A
//     connection without a request makes room for others. Health checks and metrics have a reserve.
//   - Without a token the service listens on loopback only.
//
// Reading needs no token. Where names and sizes of files are secret, put a proxy with a login in front.
//
// # Metrics
//
// metrics.go has the metrics of backups and of the service, metrics_tasks.go those of the tasks beside
// them: verify, prune and drill. A new metric belongs into docs/alerts.md, and into the alerts and
// the dashboard below deploy/ if an operator acts on it; tests in deploy/ compare them.
package web

import (
	"context"
	"errors"
)

// Backend supplies the values. Its methods must be safe for concurrent use. Neither side changes a returned value
// later.
//
// Error texts are shown on the page and in the API: they state a remedy and contain no credentials.
type Backend interface {
	// Archives returns the state of all archives, in the order of the configuration. It is called for every page and every
	// scrape, so it must answer from memory.
	Archives() []Archive

	// Archive returns the state of one archive, also from memory. It returns ErrNotFound if there is none.
	Archive(name string) (Archive, error)

	// Snapshots returns the snapshots of an archive, newest last. It may read from the provider. Clients need no
	// token for it, so values that do not change should be cached. It returns ErrNotFound if there is no such
	// archive. With any other error, the snapshots are those of the last successful read.
	Snapshots(ctx context.Context, name string) ([]Snapshot, error)

	// Snapshot returns one snapshot with a range of its files in order of name. It returns ErrNotFound if there is no
	// such archive or snapshot. As for Snapshots, clients need no token. It copies no files beyond the range.
	Snapshot(ctx context.Context, name string, sequence int64, files Range) (SnapshotFiles, error)

	// Diff returns the difference between two snapshots of an archive, with at most this number of names for each
	// kind. It returns ErrNotFound if the archive or one of the snapshots does not exist.
	Diff(ctx context.Context, name string, from, to int64, names int) (Diff, error)

	// Trigger requests a run of a task, such as TaskBackup, and does not wait for it. It returns ErrNotFound if there is
	// no such archive, ErrBusy during a run, ErrPaused if the archive is paused, and ErrNoTask if the configuration lacks
	// what the task needs.
	Trigger(name, task string) (runID string, err error)

	// Pause lets no run of an archive begin until Resume, also after a restart. A run in progress continues. It sets the
	// pause's time. If the archive is paused already, it changes nothing and returns that pause. It returns ErrNotFound
	// if there is no such archive. It returns after seconds at the latest: with any other error nothing has changed, such
	// as when the pause cannot be saved.
	Pause(name string, p Pause) (Pause, error)

	// Resume ends a pause, if there is one. Its errors are those of Pause.
	Resume(name string) error

	// Confirm accepts, once, a guard's finding in an archive's last run. It requests a run with that confirmation
	// and does not wait for it. It returns ErrNotFound if there is no such archive, ErrMalformed if the text is not
	// a confirmation, and ErrNotPending if no guard waits for this confirmation.
	Confirm(name, confirmation string) (runID string, err error)
}

// The errors of a Backend, for errors.Is. Any other error is a failure behind the Backend.
var (
	ErrNotFound = errors.New("not found")
	ErrBusy     = errors.New("a run is in progress; try again after it has ended")

	ErrPaused = errors.New("the archive is paused; resume it first")
	ErrNoTask = errors.New("the configuration of this archive lacks the section for this task: " +
		"a drill needs drill, and a prune needs retention")

	ErrMalformed  = errors.New("not a confirmation")
	ErrNotPending = errors.New("nothing waits for this confirmation: " +
		"it was used, or the archive or the finding has changed since")
)
