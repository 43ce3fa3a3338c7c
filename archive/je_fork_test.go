package archive_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/je"
	"github.com/strongroom-dev/strongroom/source/jetest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A jeHost is a host with a real JE, its state directory and an archive of one snapshot.
type jeHost struct {
	*crashed
	store *storetest.InMemory
	tail  int // number of the newest file in the snapshot
}

// newJEHost copies an environment and makes a snapshot of the copy.
func newJEHost(t *testing.T, env string) *jeHost {
	t.Helper()
	h := &jeHost{crashed: &crashed{jeLog: &jeLog{t: t, dir: filepath.Join(t.TempDir(), "env"), now: time.Now()}}, store: storetest.Memory(t)}
	copyDir(t, env, h.dir)
	h.archive = archive.New(h.store, archive.Options{State: &archive.LocalState{Dir: t.TempDir()}})
	h.jeLog.backup(h.archive, plain)
	h.tail = h.newest()
	return h
}

// entryStart is the offset of an entry at about a fraction of a log file.
func (h *jeHost) entryStart(n int, part, of int64) int64 {
	h.t.Helper()
	starts := entriestest.Starts(h.t, je.NewReader, &entriestest.LogFile{Name: name(n), Bytes: h.content(n)[:h.whole(n)]})
	return int64(starts[int64(len(starts))*part/of])
}

func (h *jeHost) truncate(n int, size int64) {
	h.t.Helper()
	if err := os.Truncate(h.path(n), size); err != nil {
		h.t.Fatal(err)
	}
}

// goOn lets JE recover and write more records.
func (h *jeHost) goOn(records int, seed int64) { jetest.Write(h.t, h.dir, records, seed) }

// wholeEnvironment makes log files with a real JE, which has died: two closed files, and one that is half full.
func wholeEnvironment(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "env")
	jetest.Write(t, dir, 14_000, 1)
	jetest.Crash(t, dir, 500, 2)
	return dir
}

// A real JE that recovers from a crash, a power loss or a move is the same database. A backup that stopped there would
// stop whenever it is needed most. Only where archived entries are gone the snapshot that has them is held.
func TestSoundChangesOfJEAreNoFork(t *testing.T) {
	t.Parallel()
	env := wholeEnvironment(t)
	for _, test := range []struct {
		what   string
		change func(h *jeHost)
		back   bool // archived entries are gone
	}{
		{"kill -9, and it goes on", func(h *jeHost) { jetest.Crash(h.t, h.dir, 300, 3) }, false},
		{"a clean restart", func(h *jeHost) { jetest.Count(h.t, h.dir) }, false},
		{"goes on until the file is closed", func(h *jeHost) { h.goOn(9_000, 3) }, false},
		{"kill -9 within an entry", func(h *jeHost) {
			whole := h.content(h.tail)[:h.whole(h.tail)]
			h.set(h.tail, append(whole, whole[h.entryStart(h.tail, 1, 2):][:20]...))
			h.goOn(300, 3)
		}, false},
		{"garbage after the end", func(h *jeHost) {
			h.set(h.tail, append(h.content(h.tail)[:h.whole(h.tail)], make([]byte, 9000)...))
			h.goOn(300, 3)
		}, false},
		{"moved to another disk", func(h *jeHost) {
			to := filepath.Join(h.t.TempDir(), "moved")
			copyDir(h.t, h.dir, to)
			h.dir = to
			h.goOn(300, 3)
		}, false},
		{"restored from the newest snapshot", func(h *jeHost) {
			h.restore(archive.Selector{})
			h.goOn(300, 3)
		}, false},
		{"power loss at the end of an entry", func(h *jeHost) {
			h.truncate(h.tail, h.entryStart(h.tail, 2, 3))
			h.goOn(300, 3)
		}, true},
		{"power loss within an entry", func(h *jeHost) {
			h.truncate(h.tail, h.entryStart(h.tail, 2, 3)+17)
			h.goOn(300, 3)
		}, true},
		{"power loss, before JE starts", func(h *jeHost) { h.truncate(h.tail, h.entryStart(h.tail, 2, 3)+17) }, true},
		{"power loss that leaves zeros", func(h *jeHost) {
			b := h.content(h.tail)
			clear(b[h.entryStart(h.tail, 2, 3)+5:])
			h.set(h.tail, b)
			h.goOn(300, 3)
		}, true},
		{"power loss, closed since", func(h *jeHost) {
			h.truncate(h.tail, h.entryStart(h.tail, 1, 3))
			h.goOn(14_000, 3)
		}, true},
		{"all but the header is lost", func(h *jeHost) { h.truncate(h.tail, 38); h.goOn(300, 3) }, true},
		{"the content is lost", func(h *jeHost) { h.truncate(h.tail, 0); h.goOn(300, 3) }, true},
		{"the name is lost", func(h *jeHost) { removeFile(h.t, h.path(h.tail)); h.goOn(300, 3) }, true},
	} {
		t.Run(test.what, func(t *testing.T) {
			t.Parallel()
			h := newJEHost(t, env)
			test.change(h)
			if test.back {
				wentBack(t, h.archive, h.jeLog)
			} else {
				goesOnQuietly(t, h.archive, h.jeLog)
			}
			if res := h.jeLog.backup(h.archive, plain); res.Committed || len(res.Warnings) > 0 {
				t.Errorf("the next run: committed %v, warnings %q", res.Committed, res.Warnings)
			}
		})
	}
}

// A real JE that goes on from an earlier state, or twice, has two histories. Each of these would push the other out of
// the archive.
func TestForksOfJE(t *testing.T) {
	t.Parallel()
	env := wholeEnvironment(t)
	for what, fork := range map[string]func(h *jeHost){
		"a clone on the same host": func(h *jeHost) {
			twin := filepath.Join(h.t.TempDir(), "twin")
			copyDir(h.t, h.dir, twin)
			h.goOn(300, 3)
			h.jeLog.backup(h.archive, plain)
			h.dir = twin
			h.goOn(400, 4)
		},
		"a second node under the same name": func(h *jeHost) {
			twin := filepath.Join(h.t.TempDir(), "twin")
			copyDir(h.t, h.dir, twin)
			h.goOn(300, 3)
			h.jeLog.backup(h.archive, plain)
			h.dir = twin
			h.archive = archive.New(h.store, archive.Options{State: &archive.LocalState{Dir: h.t.TempDir()}})
			h.goOn(400, 4)
		},
		"restored in place to an older snapshot": func(h *jeHost) {
			h.goOn(300, 3)
			h.jeLog.backup(h.archive, plain)
			h.restore(archive.Selector{Sequence: 1})
			h.goOn(400, 4)
		},
		"restored in place, and closed since": func(h *jeHost) {
			h.goOn(300, 3)
			h.jeLog.backup(h.archive, plain)
			h.restore(archive.Selector{Sequence: 1})
			h.goOn(9_000, 4)
		},
		"both have closed the file": func(h *jeHost) {
			twin := filepath.Join(h.t.TempDir(), "twin")
			copyDir(h.t, h.dir, twin)
			h.goOn(9_000, 3)
			h.jeLog.backup(h.archive, plain)
			h.dir = twin
			h.goOn(20_000, 4)
		},
		"copied back in place, and past the archive's end": func(h *jeHost) {
			older := filepath.Join(h.t.TempDir(), "older")
			copyDir(h.t, h.dir, older)
			h.goOn(9_000, 3)
			h.jeLog.backup(h.archive, plain)
			h.replaceBy(older)
			h.goOn(20_000, 4)
		},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			h := newJEHost(t, env)
			fork(h)
			refusesFork(t, h.store, h.archive, h.jeLog, name(h.tail))
			acceptsFork(t, h.archive, h.jeLog, manifest.GuardFork)
		})
	}
}

// restore restores a snapshot into the environment's directory, as after a loss of the disk.
func (h *jeHost) restore(which archive.Selector) {
	h.t.Helper()
	m, err := h.archive.Snapshot(h.t.Context(), which)
	if err == nil {
		err = os.RemoveAll(h.dir)
	}
	if err == nil {
		_, err = h.archive.Restore(h.t.Context(), m, h.dir, archive.RestoreOptions{})
	}
	if err != nil {
		h.t.Fatal(err)
	}
}
