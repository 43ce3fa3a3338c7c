package main

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A locked object cannot be deleted: prune reports each, the snapshot is gone all the same, and the
// other objects are sound.
func TestPruneOfLockedObjects(t *testing.T) {
	t.Parallel()
	whole(t)
	url := storetest.NewS3Locks(t).URL + "&lock=GOVERNANCE&lock_for=1d"
	db := t.TempDir()
	logDir(t, db, 0, 4, 300_000)
	succeed(t, "backup", "--source", db, url)
	for range 2 {
		succeed(t, "backup", "--force", "--source", db, url)
	}
	o := finish(t, program(t, "prune", "--keep-last", "1", url))
	if o.code != exitFailed || !strings.Contains(o.stderr, "could not be deleted") || !strings.Contains(o.stderr, "manifests/000/000/001.json") {
		t.Fatalf("exit code %d: %s%s", o.code, o.stdout, o.stderr)
	}
	if n := listedSnapshots(t, url); n != 1 {
		t.Fatalf("%d snapshots", n)
	}
	succeed(t, "verify", "--read-data", url)
	to := filepath.Join(t.TempDir(), "r")
	succeed(t, "restore", url, "--to", to)
	sameDir(t, to, db)
}

// In a bucket that keeps versions, a prune removes all versions, not only the listed ones.
func TestPruneOfVersions(t *testing.T) {
	t.Parallel()
	whole(t)
	server := storetest.NewS3Versions(t)
	db := t.TempDir()
	logDir(t, db, 0, 4, 300_000)
	succeed(t, "backup", "--source", db, server.URL)
	before := len(server.Keys(t, ""))
	logDir(t, db, 4, 6, 300_000)
	succeed(t, "backup", "--source", db, server.URL)
	succeed(t, "prune", "--keep-last", "1", server.URL)
	if deleted, refused := server.DeleteVersions(t); refused > 0 || deleted > before+8 {
		t.Fatalf("%d versions were left, %d refused", deleted, refused)
	}
}

// The service shows the findings of a verify by hand, too: at its start, and after its next run.
func TestServiceHearsOfDamage(t *testing.T) {
	t.Parallel()
	whole(t)
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	logDir(t, dir, 0, 3, 20_000)
	succeed(t, "backup", "--source", dir, "file://"+to)
	stored, err := filepath.Glob(filepath.Join(to, "data/00000001.jdb/*"))
	if err != nil || len(stored) != 1 {
		t.Fatalf("%v, %v", stored, err)
	}
	lose := func() {
		t.Helper()
		if err := os.Remove(stored[0]); err != nil {
			t.Fatal(err)
		}
		if o := finish(t, program(t, "verify", "file://"+to)); o.code != exitDamaged {
			t.Fatalf("exit code %d: %s%s", o.code, o.stdout, o.stderr)
		}
	}
	lose()
	s := serve(t, "archives:\n"+inDir("orders", dir, to, `    schedule: "@every 2s"
`))
	s.until("the damage to be shown", func() bool { return s.archive("orders").State == "damaged" })
	succeed(t, "verify", "--repair", "--source", dir, "file://"+to)
	s.until("the repair to be shown", func() bool { return s.archive("orders").State == "ok" })
	lose()
	s.until("new damage to be shown", func() bool { return s.archive("orders").State == "damaged" })
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

// The service prunes and drills on schedule, and shows when a restore was last proven. A
// drill that fails is shown.
func TestServicePrunesAndDrills(t *testing.T) {
	t.Parallel()
	whole(t)
	dir, to, scratch := t.TempDir(), filepath.Join(t.TempDir(), "archive"), t.TempDir()
	bad := filepath.Join(scratch, "bad")
	logDir(t, dir, 0, 3, 20_000)
	for range 3 {
		succeed(t, "backup", "--force", "--source", dir, "file://"+to)
	}
	s := serve(t, "archives:\n"+inDir("orders", dir, to, `    schedule: "@every 1h"
    retention: {last: 1, schedule: "@every 2s"}
    drill: {schedule: "@every 2s", scratch: `+scratch+`, command: "test -f {dir}/00000002.jdb && ! test -e `+bad+`"}
    verify: {schedule: "@every 2s", sample: 50%}
`))
	s.until("a prune", func() bool { _, err := os.Stat(filepath.Join(to, "manifests/000/000/001.json")); return err != nil })
	if n := listedSnapshots(t, "file://"+to); n != 1 {
		t.Errorf("%d snapshots", n)
	}
	s.until("a drill", func() bool { return s.metric("proven_restore_timestamp_seconds", `archive="orders"`) > 0 })
	s.until("all to be read back", func() bool { return s.metric("verification_read_ever_ratio", `archive="orders"`) == 1 })
	if _, page := s.get("/archives/orders"); !strings.Contains(page, "Last proven restore") || !strings.Contains(page, "all data was read back within") {
		t.Error("the page does not show it")
	}
	if err := os.WriteFile(bad, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	s.until("a drill that fails", func() bool { return s.archive("orders").State == "damaged" })
	if _, page := s.get("/"); !strings.Contains(page, "the last test restore failed") {
		t.Error("the page does not show that the drill failed")
	}
	if err := os.Remove(bad); err != nil {
		t.Fatal(err)
	}
	s.until("one that goes well again", func() bool { return s.archive("orders").State == "ok" })
	if err := os.Rename(scratch, scratch+".away"); err != nil {
		t.Fatal(err)
	}
	s.until("a drill that cannot be made", func() bool { return s.metric("task_failures_in_row", `archive="orders",task="drill"`) > 0 })
	if _, page := s.get("/"); s.archive("orders").State != "ok" || !strings.Contains(page, "Test restore could not be done") || !strings.Contains(page, "The archive needs attention") {
		t.Errorf("%s, and the page does not show that no drill could be made", s.archive("orders").State)
	}
	if err := os.Rename(scratch+".away", scratch); err != nil {
		t.Fatal(err)
	}
	s.until("a drill that can", func() bool { return s.metric("task_failures_in_row", `archive="orders",task="drill"`) == 0 })
	if err := os.Rename(to, to+".away"); err != nil { // as when a disk is not mounted any more
		t.Fatal(err)
	}
	s.until("it to be missed", func() bool { return s.archive("orders").State == "damaged" })
	if err := os.Rename(to+".away", to); err != nil {
		t.Fatal(err)
	}
	s.until("it to be found again", func() bool { return s.archive("orders").State == "ok" })
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	if left, err := filepath.Glob(filepath.Join(scratch, "strongroom-drill-*")); err != nil || len(left) > 0 {
		t.Errorf("%v is left: %v", left, err)
	}
}

// The files of a drill that was killed with the service do not stay until the next one.
func TestServiceClearsAfterAKilledDrill(t *testing.T) {
	t.Parallel()
	dir, scratch := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 1000)
	dead, old := filepath.Join(scratch, "strongroom-drill-dead"), time.Now().Add(-time.Hour)
	if err := errors.Join(os.MkdirAll(filepath.Join(dead, "restored.strongroom-partial"), 0o700), os.WriteFile(filepath.Join(dead, "lock"), nil, 0o600), os.Chtimes(dead, old, old)); err != nil {
		t.Fatal(err)
	}
	s := serve(t, "archives:\n"+inDir("orders", dir, filepath.Join(t.TempDir(), "archive"), `    schedule: "@every 1h"
    drill: {schedule: "@weekly", scratch: `+scratch+`}
`))
	s.until("it to be gone", func() bool { _, err := os.Stat(dead); return errors.Is(err, os.ErrNotExist) })
	s.stop()
}

// A drill by hand, or on another host, is shown as well: it is in the archive.
func TestServiceShowsDrillsOfOthers(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	logDir(t, dir, 0, 2, 1000)
	succeed(t, "backup", "--source", dir, "file://"+to)
	succeed(t, "drill", "file://"+to)
	s := serve(t, "archives:\n"+inDir("orders", dir, to, `    schedule: "@every 1h"
    verify: {schedule: "@every 1s"}
`))
	proven := func() float64 { return s.metric("proven_restore_timestamp_seconds", `archive="orders"`) }
	s.until("the drill before the start", func() bool { return proven() > 0 })
	first := proven()
	succeed(t, "drill", "file://"+to)
	s.until("the drill after it", func() bool { return proven() > first })
	if d := program(t, "drill", "--command", "false", "file://"+to); finish(t, d).code != 3 {
		t.Fatal("it went well")
	}
	s.until("the drill that failed", func() bool { return s.archive("orders").State == "damaged" })
	s.stop()
}
