package main

import (
	"os"
	"path/filepath"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// stateFinding reports that no state directory outlives a restart of this host, where an archive
// is encrypted: only the local state lets a backup go on with encrypted objects that an
// interrupted one has stored.
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
		Detail: why + ": after an interruption, a first backup of this encrypted archive would start over",
		Advice: "set state_dir, or STRONGROOM_STATE_DIR, to a directory that outlives a restart",
	}, true
}

// isTemporary reports whether a directory, which may have to be made, lies where a restart may
// take it away.
func isTemporary(dir string) bool {
	real := realPath(dir)
	for _, temp := range []string{os.TempDir(), "/tmp", "/dev/shm", "/run", "/var/run"} {
		if rel, err := filepath.Rel(realPath(temp), real); err == nil && rel != ".." && !strings.HasPrefix(rel, "../") {
			return true
		}
	}
	return false
}

// realPath follows the links of a path as far as it exists.
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
