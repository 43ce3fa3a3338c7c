package archive_test

import (
	"errors"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// clone copies a log to another directory, as a clone of the host has it. It writes other entries from here on.
func (l *jeLog) clone(seed byte) *jeLog {
	l.t.Helper()
	c := *l
	c.dir, c.rand, c.open = l.t.TempDir(), rand.NewChaCha8([32]byte{seed}), cloneLog(l.open)
	copyDir(l.t, l.dir, c.dir)
	c.now = l.now.Add(time.Hour)
	return &c
}

func cloneLog(l *entriestest.JELog) *entriestest.JELog {
	c := *l
	c.Bytes = slices.Clone(l.Bytes)
	return &c
}

// copyDir copies the files of a directory, with their times.
func copyDir(t testing.TB, from, to string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
	files, err := os.ReadDir(from)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		info, err := f.Info()
		if err == nil {
			err = os.Chtimes(to+"/"+f.Name(), info.ModTime(), info.ModTime())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// replaceBy puts the files of another directory in place of a log's, as a restore in place does.
func (l *jeLog) replaceBy(dir string) {
	l.t.Helper()
	err := os.RemoveAll(l.dir)
	if err == nil {
		err = os.Mkdir(l.dir, 0o755)
	}
	if err != nil {
		l.t.Fatal(err)
	}
	copyDir(l.t, dir, l.dir)
}

// isHeld reports why a snapshot is held.
func isHeld(t testing.TB, a *archive.Archive, n int64) string {
	t.Helper()
	all, err := a.List(t.Context(), 0)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(s archive.Snapshot) bool { return s.Sequence == n })
	if i < 0 {
		t.Fatalf("there is no snapshot %d", n)
	}
	return all[i].Held
}

// refusesFork checks that a backup refuses a source as forked, names what it found, and writes nothing.
func refusesFork(t testing.TB, store *storetest.InMemory, a *archive.Archive, l *jeLog, messages ...string) {
	t.Helper()
	before := store.Keys("")
	_, err := a.Backup(t.Context(), l.source(plain), options)
	r, ok := errors.AsType[*archive.Refusal](err)
	if !ok || r.Guard != manifest.GuardFork || !errors.Is(err, archive.ErrForked) {
		t.Fatalf("%v, want a fork", err)
	}
	for _, s := range messages {
		if !strings.Contains(err.Error(), s) {
			t.Errorf("%v does not name %q", err, s)
		}
	}
	if after := store.Keys(""); !slices.Equal(before, after) {
		t.Fatalf("a refused backup wrote: %q, and before %q", after, before)
	}
}

// acceptsFork checks that an accepted fork is recorded, and that the newest snapshot of the other history is held.
func acceptsFork(t testing.TB, a *archive.Archive, l *jeLog, g manifest.Guard) {
	t.Helper()
	base := newest(t, a).Sequence
	o := options
	o.Accept = []manifest.Guard{g}
	if _, err := a.Backup(t.Context(), l.source(plain), o); err != nil {
		t.Fatal(err)
	}
	m := newest(t, a)
	if m.ForkedFrom == nil || m.ForkedFrom.Sequence != base || !slices.Equal(m.Accepted, o.Accept) || m.RewoundFrom != nil {
		t.Fatalf("snapshot %d: forked from %v, accepted %q", m.Sequence, m.ForkedFrom, m.Accepted)
	}
	if isHeld(t, a, base) == "" {
		t.Fatalf("snapshot %d, the last of the other history, is not held", base)
	}
	mustVerify(t, a)
}

// wentBack checks that a backup is made with a warning, and that the base with the lost end is held.
func wentBack(t testing.TB, a *archive.Archive, l *jeLog, messages ...string) {
	t.Helper()
	base := newest(t, a).Sequence
	res := l.backup(a, plain)
	m := newest(t, a)
	if !res.Committed || m.RewoundFrom == nil || m.RewoundFrom.Sequence != base || m.ForkedFrom != nil || len(m.Accepted) > 0 {
		t.Fatalf("snapshot %d: rewound from %v, forked from %v, accepted %q; warnings %q",
			m.Sequence, m.RewoundFrom, m.ForkedFrom, m.Accepted, res.Warnings)
	}
	for _, s := range messages {
		if !slices.ContainsFunc(res.Warnings, func(w string) bool { return strings.Contains(w, s) }) {
			t.Errorf("warnings %q, none has %q", res.Warnings, s)
		}
	}
	if isHeld(t, a, base) == "" {
		t.Fatalf("snapshot %d, which has the lost end, is not held", base)
	}
	mustVerify(t, a)
}

// goesOnQuietly checks that a backup is made as of a sound database.
func goesOnQuietly(t testing.TB, a *archive.Archive, l *jeLog) *archive.BackupResult {
	t.Helper()
	res := l.backup(a, plain)
	m := newest(t, a)
	if !res.Committed || m.RewoundFrom != nil || m.ForkedFrom != nil || len(res.Warnings) > 0 {
		t.Fatalf("snapshot %d: rewound from %v, forked from %v, warnings %q", m.Sequence, m.RewoundFrom, m.ForkedFrom, res.Warnings)
	}
	return res
}
