package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// stateLimit is the time after which a state directory counts as hanging.
const stateLimit = 10 * time.Second

// checkState reports what is wrong with the state directory.
func checkState(ctx context.Context, dir string, e *encoding.Encoder, report func(storecheck.Finding)) {
	findings, err := disk.Within(ctx, filepath.Join(dir, "writer.json"), stateLimit, func() (all []storecheck.Finding, _ error) {
		if f, ok := stateFinding(dir, e); ok {
			all = append(all, f)
		}
		if f, ok := unwritableFinding(dir); ok {
			all = append(all, f)
		}
		return all, nil
	})
	if err != nil {
		findings = []storecheck.Finding{storecheck.Fail("repair its disk, or set state_dir, or STRONGROOM_STATE_DIR, "+
			"to another directory", "the state directory cannot be used, so no backup could: %v", err)}
		findings[0].Probe = "state"
	}
	for _, f := range findings {
		report(f)
	}
}

// stateFinding returns a note if the archive is encrypted and no state directory outlives a
// restart of this host. A backup needs the local state to adopt the encrypted objects of an
// interrupted run.
func stateFinding(dir string, e *encoding.Encoder) (storecheck.Finding, bool) {
	if e == nil || len(e.Recipients()) == 0 {
		return storecheck.Finding{}, false
	}
	why := "there is no state directory"
	if dir != "" {
		if !isTemporary(dir) {
			return storecheck.Finding{}, false
		}
		why = "the state directory " + dir + " is temporary"
	}
	return storecheck.Finding{
		Probe: "state", Result: storecheck.Note,
		Detail: why + ": an interrupted first backup of this encrypted archive would start again from the beginning",
		Advice: "set state_dir, or STRONGROOM_STATE_DIR, to a directory that outlives a restart",
	}, true
}

// unwritableFinding returns a note if the state directory, or the one where it would be made, cannot
// be written to. Backups work, but this host does not remember what it has seen.
func unwritableFinding(dir string) (storecheck.Finding, bool) {
	if dir == "" {
		return storecheck.Finding{}, false
	}
	for unix.Access(dir, unix.F_OK) == unix.ENOENT && dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
	}
	err := unix.Access(dir, unix.W_OK|unix.X_OK)
	if err == nil {
		return storecheck.Finding{}, false
	}
	return storecheck.Finding{
		Probe: "state", Result: storecheck.Note,
		Detail: fmt.Sprintf("the state directory cannot be written to: %s: %v; "+
			"this host could not report that the archive or its newest snapshot is gone", dir, err),
		Advice: "set state_dir, or STRONGROOM_STATE_DIR, to a directory that the user that runs strongroom may write to",
	}, true
}

// isTemporary reports whether a directory, which need not exist, is below one that a restart may
// empty.
func isTemporary(dir string) bool {
	real := realPath(dir)
	for _, temp := range []string{os.TempDir(), "/tmp", "/dev/shm", "/run", "/var/run"} {
		if rel, err := filepath.Rel(realPath(temp), real); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return true
		}
	}
	return false
}

// realPath resolves the symbolic links in the part of a path that exists.
func realPath(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	for head, tail := path, ""; ; head, tail = filepath.Dir(head), filepath.Join(filepath.Base(head), tail) {
		if found, err := filepath.EvalSymlinks(head); err == nil {
			return filepath.Join(found, tail)
		}
		if head == filepath.Dir(head) {
			return path
		}
	}
}
