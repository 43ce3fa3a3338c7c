package archive_test

import (
	"context"
	"errors"
	"io"
	"os"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A power loss takes what the page cache had, and was archived. The database goes on from before: with a warning, and
// the snapshot with the lost end is held.
func TestRewound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		what    string
		loss    func(l *jeLog, short *entriestest.JELog)
		message string
	}{
		{"shorter", func(l *jeLog, short *entriestest.JELog) { l.set(3, short.Bytes) }, "00000003.jdb went back"},
		{"half an entry", func(l *jeLog, short *entriestest.JELog) { l.set(3, l.open.Bytes[:len(short.Bytes)+20]) }, "00000003.jdb went back"},
		{"and goes on", func(l *jeLog, short *entriestest.JELog) { l.open = short; l.write(50, 3000) }, "00000003.jdb went back"},
		{"and is closed since", func(l *jeLog, short *entriestest.JELog) { l.open = short; l.write(50, 3000); l.fill(3) }, "00000003.jdb went back"},
		{"and was closed at once", func(l *jeLog, short *entriestest.JELog) { l.open = short; l.set(3, short.Bytes); l.flip() }, "00000003.jdb went back"},
		{"gone", func(l *jeLog, _ *entriestest.JELog) { removeFile(l.t, l.path(3)) }, "00000003.jdb, which was being written at snapshot 1, is gone"},
		{"emptied", func(l *jeLog, _ *entriestest.JELog) { l.set(3, nil) }, "00000003.jdb, which was being written at snapshot 1, is gone"},
		{"begun again", func(l *jeLog, _ *entriestest.JELog) {
			removeFile(l.t, l.path(3))
			l.open = entriestest.NewJE(jeVersion, 3, 7)
			l.write(70)
		}, "none of its entries is the same"},
	} {
		for _, state := range []bool{true, false} {
			t.Run(test.what, func(t *testing.T) {
				t.Parallel()
				l := newJELog(t, 65)
				l.fill(3)
				l.write(400)
				short := cloneLog(l.open)
				l.write(600, 20)
				o, st := archive.Options{}, storetest.Memory(t)
				if state {
					o.State = &archive.LocalState{Dir: t.TempDir()}
				}
				a := archive.New(st, o)
				l.backup(a, plain)
				test.loss(l, short)
				wentBack(t, archive.New(st, o), l, test.message)
				if res := l.backup(archive.New(st, o), plain); res.Committed || len(res.Warnings) > 0 {
					t.Errorf("the next run: committed %v, warnings %q", res.Committed, res.Warnings)
				}
			})
		}
	}
}

func removeFile(t testing.TB, path string) {
	t.Helper()
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// A manifestFails is a store that fails before the manifest with a number is created.
type manifestFails struct {
	store.Store
	key string
}

func (m manifestFails) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if key == m.key {
		return store.PutResult{}, storetest.ErrInjected
	}
	return m.Store.Put(ctx, key, body, sums)
}

// A run that ends just before its commit has held the base already: no moment exists in which the new snapshot is there
// and a prune may remove the one with the lost end.
func TestHoldComesBeforeTheSnapshot(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 74)
	l.fill(2)
	l.write(100)
	short := cloneLog(l.open)
	l.write(200)
	st := storetest.Memory(t)
	a := archive.New(st, archive.Options{})
	l.backup(a, plain)
	l.open = short
	l.write(50)
	failing := archive.New(manifestFails{st, manifest.ManifestKey(2)}, archive.Options{})
	if _, err := failing.Backup(t.Context(), l.source(plain), options); !errors.Is(err, storetest.ErrInjected) {
		t.Fatal(err)
	}
	if newest(t, a).Sequence != 1 || isHeld(t, a, 1) == "" {
		t.Fatal("the base is not held before the new snapshot exists")
	}
	wentBack(t, a, l)
}

// A hold by hand keeps its reason.
func TestForkKeepsTheReasonOfAHold(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 75)
	l.fill(2)
	l.write(100)
	short := cloneLog(l.open)
	l.write(200)
	a := archive.New(storetest.Memory(t), archive.Options{})
	l.backup(a, plain)
	if _, err := a.Hold(t.Context(), archive.Selector{}, "before the upgrade"); err != nil {
		t.Fatal(err)
	}
	l.open = short
	l.write(50)
	wentBack(t, a, l)
	if why := isHeld(t, a, 1); why != "before the upgrade" {
		t.Errorf("held: %q", why)
	}
}
