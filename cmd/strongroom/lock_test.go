package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/store/storetest"
)

// copyOf copies the files of a directory.
func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// attack acts as a thief of credentials that may do everything, but not bypass locks: it deletes
// each version by its id, hides each key behind a delete marker, and puts something else in its
// place.
func attack(t *testing.T, server *storetest.Server, locked bool) {
	t.Helper()
	if locked {
		before := server.Keys(t, "")
		oldest := func(key string) string {
			ids := server.Versions(t, key)
			if len(ids) == 0 {
				return ""
			}
			return ids[len(ids)-1]
		}
		was := map[string]string{}
		for _, key := range before {
			was[key] = oldest(key)
		}
		if _, refused := server.DeleteVersions(t); refused != len(before) {
			t.Errorf("the server refused to delete %d versions, want one of each of the %d objects", refused, len(before))
		}
		for key, id := range was {
			if now := oldest(key); now != id {
				t.Errorf("the oldest version of %s was %s and is %q", key, id, now)
			}
		}
	}
	for i, key := range server.Keys(t, "") {
		if i%2 == 0 {
			server.Intrude(t, key, "intruder")
		}
		server.Hide(t, key)
		if i%3 == 0 {
			server.Intrude(t, key, "another intruder")
		}
	}
}

// A locked snapshot can neither be deleted nor altered, and list, verify, restore and the next
// backup read the stored content, whatever was put on top of it.
func TestObjectLock(t *testing.T) {
	t.Parallel()
	whole(t)
	server := storetest.NewS3Locks(t)
	survives(t, server, server.URL+"&lock=GOVERNANCE&lock_for=", true)
}

// The same in a bucket that keeps versions and locks nothing, if no version is deleted.
func TestVersions(t *testing.T) {
	t.Parallel()
	whole(t)
	server := storetest.NewS3Versions(t)
	survives(t, server, server.URL, false)
}

func survives(t *testing.T, server *storetest.Server, url string, locked bool) {
	db := t.TempDir()
	want := map[int]string{}
	backup := func(snapshot, from, to, size int, period string) string {
		t.Helper()
		at := url
		if locked {
			at += period
		}
		logDir(t, db, from, to, size)
		succeed(t, "backup", "--source", db, at)
		want[snapshot] = copyOf(t, db)
		return at
	}
	at := backup(1, 0, 40, 2000, "1d") // bundled
	before := server.Keys(t, "")
	at2 := backup(2, 40, 43, 300_000, "30d")
	if locked {
		locksReach(t, server, 30*24*time.Hour, before)
	}
	check := func(at string) {
		t.Helper()
		if o := succeed(t, "list", at); strings.Count(o.stdout, "\n") < len(want) {
			t.Errorf("listed\n%s", o.stdout)
		}
		succeed(t, "verify", at, "--read-data")
		for n, dir := range want {
			to := filepath.Join(t.TempDir(), "restored")
			succeed(t, "restore", fmt.Sprintf("%s@%d", at, n), "--to", to)
			sameDir(t, to, dir)
		}
	}
	check(at)
	for range 2 {
		attack(t, server, locked)
		check(at2)
	}
	backup(3, 43, 46, 300_000, "60d")
	check(at2)
	attack(t, server, locked)
	check(at)
	if locked {
		locksReach(t, server, 60*24*time.Hour, before)
	}
}

// locksReach checks that what an earlier snapshot had stored, its manifest excepted, is
// locked for so long by now.
func locksReach(t *testing.T, server *storetest.Server, least time.Duration, keys []string) {
	t.Helper()
	for _, key := range keys {
		if strings.HasPrefix(key, "manifests/") {
			continue
		}
		if until, _ := server.LockedUntil(t, key); time.Until(until) < least-time.Hour {
			t.Errorf("%s is locked until %v only", key, until)
		}
	}
}
