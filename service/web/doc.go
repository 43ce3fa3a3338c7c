// Package web shows what the service knows: a status page for people, a JSON API,
// Prometheus metrics and two health checks. It knows nothing of archives, providers or
// schedules: a Backend hands it plain values.
//
//	s, err := web.New(backend, web.Options{Listen: "127.0.0.1:8470", Token: token, Log: log})
//	l, err := s.Listen(ctx)
//	err = s.Serve(ctx, l) // until ctx ends
//
// # What it defends against
//
// The page can start a backup, accept what a guard found, and shows names that came from a
// file system, so it trusts neither who asks nor what is shown. Only a bearer token starts a
// run or accepts anything, and it is no cookie, so no other site can send it along; what a
// browser says is cross-site is refused besides. The Host of each request must be one that the service is known
// under, or another site's name could be pointed at it (DNS rebinding). No page loads or
// runs anything but the two files below assets/. Bodies, headers and times are bounded.
// Beyond loopback it does not listen without a token.
//
// Reading needs no token: put a proxy with a login before it where names and sizes of
// files are a secret.
package web

import (
	"context"
	"errors"
)

// Backend is where the values come from. Its methods are called by many goroutines at
// once. What it hands out is not changed afterwards, by either side.
//
// The texts of its errors are shown to people and in the API: they say what to do, and
// hold no credentials.
type Backend interface {
	// Archives returns the state of all archives, in the order in which they are
	// shown. It is asked for every page and every scrape: it answers from memory.
	Archives() []Archive

	// Snapshots returns the snapshots of an archive, newest last. It may read from the
	// provider, but nobody has to prove who they are before it is called: what does not
	// change should be kept. ErrNotFound: there is no such archive. With another error, what
	// it returns is what was so when the provider last answered.
	Snapshots(ctx context.Context, name string) ([]Snapshot, error)

	// Snapshot returns one snapshot with its files, by name. ErrNotFound: there is no such
	// archive or snapshot. What is said of Snapshots holds here too.
	Snapshot(ctx context.Context, name string, sequence int64) (SnapshotFiles, error)

	// Diff returns what became different from one snapshot to another of an archive.
	// ErrNotFound: there is no such archive, or not both snapshots.
	Diff(ctx context.Context, name string, from, to int64) (Diff, error)

	// Trigger asks for a run now and does not wait for it. ErrNotFound: there is no
	// such archive. ErrBusy: one runs.
	Trigger(name string) (runID string, err error)

	// Confirm accepts, once, what a guard found in an archive's last run, and requests a run
	// that goes on with that. It does not wait for the run. ErrNotFound: there is no such
	// archive. ErrMalformed: this cannot be a confirmation. ErrNotPending: no guard waits for
	// exactly this one.
	Confirm(name, confirmation string) (runID string, err error)
}

// What a Backend's errors are, by errors.Is. Every other one is a failure behind it.
var (
	ErrNotFound = errors.New("there is no such thing")
	ErrBusy     = errors.New("a run goes on already; ask again when it has ended")

	ErrMalformed  = errors.New("this is no confirmation")
	ErrNotPending = errors.New("nothing waits for this confirmation: " +
		"it was used, or the archive or the finding has changed since")
)
