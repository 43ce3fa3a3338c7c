package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A restoreTarget is a directory into which several restores go at once.
type restoreTarget struct {
	dir     string
	existed bool
	tried   []*manifest.Manifest // that restores began with
	done    *manifest.Manifest   // that one reported as restored
}

// restores has two processes restore, of the same snapshot or of two, into one directory, which
// all restores of the piece share.
func (w *theatre) restores(o *oracle, i int) {
	if w.target == nil {
		w.target = &restoreTarget{dir: filepath.Join(w.t.TempDir(), "r"), existed: w.rand.IntN(2) == 0}
		if w.target.existed {
			mkdir(w.t, w.target.dir)
		}
	}
	which := int64(w.rand.IntN(3))
	for k := range int64(2) {
		if w.rand.IntN(3) == 0 {
			which += k
		}
		number := which
		w.start(fmt.Sprintf("restore %d.%d", i, k), func(ctx context.Context, p *party) error {
			x := w.open(p, o)
			m, err := x.Snapshot(ctx, archive.Selector{Sequence: number})
			if err != nil {
				return err
			}
			w.mu.Lock()
			w.target.tried = append(w.target.tried, m)
			w.mu.Unlock()
			_, err = x.Restore(ctx, m, w.target.dir, archive.RestoreOptions{})
			if err == nil {
				w.say("%s has snapshot %d", p.name, m.Sequence)
				w.mu.Lock()
				w.target.done = m
				w.mu.Unlock()
			}
			return w.allowed(err)
		})
	}
}

// allowed fails the test if a restore ends with an error that nothing in the piece explains.
func (w *theatre) allowed(err error) error {
	for _, known := range []error{
		archive.ErrOccupied, archive.ErrNoSnapshot, archive.ErrNoArchive, store.ErrGone, storetest.ErrInjected, errCrashed,
	} {
		if err == nil || w.damaged || errors.Is(err, known) {
			return err
		}
	}
	w.fatal("a restore ends with %v", err)
	return nil
}

// checkRestored checks that the target is whole or marked as incomplete, and that an undisturbed
// restore makes it whole: the newest of those that began goes on where any was interrupted.
func (w *theatre) checkRestored(o *oracle) {
	t := w.target
	if t == nil {
		return
	}
	w.checkTarget()
	x := archive.New(o.store, archive.Options{})
	var latest int64 // that was tried
	for _, m := range t.tried {
		latest = max(latest, m.Sequence)
	}
	goesOn := false
	for _, m := range t.tried {
		if _, there := o.valid[m.Sequence]; !there || !isSame(w.t, x, m) {
			continue
		}
		goesOn = goesOn || m.Sequence == latest
		_, err := x.Restore(context.Background(), m, t.dir, archive.RestoreOptions{})
		switch {
		case err == nil:
			t.done = m
		case !errors.Is(err, archive.ErrOccupied) || !t.existed && t.done == nil:
			w.fatal("an undisturbed restore of snapshot %d: %v", m.Sequence, err)
		}
		w.checkTarget()
	}
	if goesOn && t.done == nil {
		w.fatal("no undisturbed restore succeeds, not even that of snapshot %d", latest)
	}
}

// isSame reports whether an archive has this snapshot. An older copy of it, on another disk, may have another snapshot
// of that number by now.
func isSame(t testing.TB, a *archive.Archive, m *manifest.Manifest) bool {
	t.Helper()
	there, err := a.Snapshot(t.Context(), archive.Selector{Sequence: m.Sequence})
	return err == nil && reflect.DeepEqual(there, m)
}

// checkTarget checks that a directory without a marker holds the whole of a snapshot and nothing
// else: of the reported one, if one was reported.
func (w *theatre) checkTarget() {
	t := w.target
	entries, err := os.ReadDir(t.dir)
	_, marked := os.Stat(filepath.Join(t.dir, archive.IncompleteMarker))
	switch {
	case t.done != nil:
		if why := differs(t.dir, t.done); why != "" {
			w.fatal("snapshot %d was reported as restored: %s", t.done.Sequence, why)
		}
		return
	case errors.Is(err, fs.ErrNotExist) && !t.existed:
		return
	case err == nil && t.existed && (len(entries) == 0 || marked == nil):
		return
	case err != nil:
		w.fatal("the target: %v", err)
	}
	for _, m := range t.tried {
		if differs(t.dir, m) == "" {
			return
		}
	}
	w.fatal("the target has no marker, and is no snapshot as a whole: %v", entries)
}

// differs describes a difference between a directory and a snapshot; empty: none.
func differs(dir string, m *manifest.Manifest) string {
	want := map[string]manifest.Hash{}
	for i := range m.Files {
		want[m.Files[i].Name] = m.Files[i].SHA256
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		name, _ := filepath.Rel(dir, path)
		b, err := os.ReadFile(path)
		if err == nil && manifest.Sum(b) != want[filepath.ToSlash(name)] {
			err = fmt.Errorf("%s is not as archived", name)
		}
		delete(want, filepath.ToSlash(name))
		return err
	})
	if err != nil {
		return err.Error()
	}
	if len(want) > 0 {
		return fmt.Sprintf("%d files are not there", len(want))
	}
	return ""
}
