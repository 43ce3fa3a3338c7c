package main

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
)

// withoutTail is an archive in a configuration, without the file that is being written.
func withoutTail(source, destination, more string) string {
	return "  - name: orders\n    source: {dir: " + source + ", tail: exclude}\n    destination: file://" + destination + "\n" + more
}

// forgeEmpty creates manifests without files, as a user who may create objects and nothing else.
func forgeEmpty(t testing.TB, archive string, after, n int64) {
	t.Helper()
	key := func(n int64) string { return filepath.Join(archive, filepath.FromSlash(manifest.ManifestKey(n))) }
	b, err := os.ReadFile(key(after))
	if err != nil {
		t.Fatal(err)
	}
	m, err := manifest.DecodeManifest(b, after)
	if err != nil {
		t.Fatal(err)
	}
	m.Files, m.ConsistentThrough, m.Counts = nil, nil, manifest.Counts{}
	for range n {
		m.Parent = &manifest.Ref{Sequence: m.Sequence, SHA256: manifest.Sum(b)}
		m.Sequence++
		if b, err = m.Encode(); err == nil {
			err = os.WriteFile(key(m.Sequence), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// Twelve empty manifests that an attacker created do not make a scheduled prune remove one
// snapshot of the true history.
func TestServicePrunesPastForgeries(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	logDir(t, dir, 0, 4, 20_000)
	for range 6 {
		succeed(t, "backup", "--force", "--no-tail", "--source", dir, "file://"+to)
	}
	forgeEmpty(t, to, 6, 12)
	s := serve(t, "archives:\n"+withoutTail(dir, to, `    schedule: "@every 1h"
    retention: {last: 10, daily: 14, schedule: "@every 1s"}
`))
	s.wait("the archive was pruned", "orders")
	s.stop()
	if n := listedSnapshots(t, "file://"+to); n < 18 {
		t.Errorf("%d snapshots are left", n)
	}
	o := succeed(t, "prune", "--dry-run", "--keep-last", "1", "file://"+to)
	for _, want := range []string{"hollow: no files", "note: 12 snapshots are hollow"} {
		if !strings.Contains(o.stdout, want) {
			t.Errorf("%q is not in\n%s", want, o.stdout)
		}
	}
	restored := filepath.Join(t.TempDir(), "r")
	succeed(t, "restore", "file://"+to+"@6", "--to", restored)
}

// A scheduled prune of a long history stops, is shown and reported as a failure, and removes
// nothing; backups go on. Once the configuration lets it, it goes on, too.
func TestServiceStopsALargePrune(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	logDir(t, dir, 0, 3, 20_000)
	for range 14 {
		succeed(t, "backup", "--force", "--source", dir, "file://"+to)
	}
	with := func(limit string) string {
		return "archives:\n" + inDir("orders", dir, to, `    schedule: "@every 1s"
    retention: {last: 2, schedule: "@every 1s"`+limit+`}
`)
	}
	s := serve(t, with(""))
	s.until("the prune to fail", func() bool { return s.metric("task_failures_in_row", `archive="orders",task="prune"`) > 1 })
	if _, page := s.get("/archives/orders"); !strings.Contains(page, "12 of the 14 snapshots") {
		t.Error("the page does not show what would go")
	}
	logDir(t, dir, 3, 4, 20_000)
	s.until("a backup", func() bool { _, err := os.Stat(filepath.Join(to, "manifests/000/000/015.json")); return err == nil })
	if n := listedSnapshots(t, "file://"+to); n < 15 {
		t.Errorf("%d snapshots are left", n)
	}
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write(strings.Replace(string(config), `@every 1s"}`, `@every 1s", prune_limit: off}`, 1))
	s.signal(syscall.SIGHUP)
	s.wait("the archive was pruned", "orders")
	s.stop()
	if n := listedSnapshots(t, "file://"+to); n != 2 {
		t.Errorf("%d snapshots are left", n)
	}
}

// The service begins the ledger of a new archive with its first snapshot. So the first prune on
// schedule does not stop, whatever was made before it.
func TestServiceBeginsTheLedger(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	logDir(t, dir, 0, 3, 20_000)
	s := serve(t, "archives:\n"+inDir("orders", dir, to, `    schedule: "@every 1h"
    retention: {last: 1, schedule: "0 0 1 1 *"}
`))
	s.until("a record of the ledger", func() bool { _, err := os.Stat(filepath.Join(to, "ledger/000/000/001.json")); return err == nil })
	s.stop()
	for range 12 {
		succeed(t, "backup", "--force", "--source", dir, "file://"+to)
	}
	succeed(t, "prune", "--limit", "--keep-last", "1", "file://"+to)
	if n := listedSnapshots(t, "file://"+to); n != 1 {
		t.Errorf("%d snapshots are left", n)
	}
}

// Without a schedule of prunes the service writes no record.
func TestServiceWithoutPrunesBeginsNoLedger(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	logDir(t, dir, 0, 3, 20_000)
	s := serve(t, "archives:\n"+inDir("orders", dir, to, `    schedule: "@every 1h"
    retention: {last: 1, schedule: off}
`))
	s.wait("a snapshot was made", "orders")
	s.stop()
	if _, err := os.Stat(filepath.Join(to, "ledger")); !os.IsNotExist(err) {
		t.Error(err)
	}
}
