package archive_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// deaf is a store that ignores the end of a context, as a file system does. It ends one itself at
// its nth operation.
type deaf struct {
	store.Store
	left atomic.Int64
	end  context.CancelCauseFunc
}

var errStop = errors.New("stop")

func (d *deaf) tick() {
	if d.left.Add(-1) == 0 {
		d.end(errStop)
	}
}

func (d *deaf) Get(_ context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	d.tick()
	return d.Store.Get(context.Background(), key, offset, length)
}

func (d *deaf) Put(_ context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	d.tick()
	return d.Store.Put(context.Background(), key, body, sums)
}

// An interrupted operation reports that, also when all its parts ended well: no backup without some
// of its files, no restore of half a set, no verification of half an archive.
func TestInterruptedBetweenFiles(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 60)
	db.fill(12, 300_000) // too large to be bundled
	store := storetest.Memory(t)
	mustBackup(t, archive.New(store, archive.Options{}), db)
	for n := int64(1); n <= 20; n++ {
		ctx, cancel := context.WithCancelCause(context.Background())
		d := &deaf{Store: store, end: cancel}
		a := archive.New(d, archive.Options{Transfers: 2})
		m, err := a.Snapshot(ctx, archive.Selector{})
		if err != nil {
			t.Fatal(err)
		}
		d.left.Store(n)
		dir := filepath.Join(t.TempDir(), "r")
		if res, err := a.Restore(ctx, m, dir, archive.RestoreOptions{}); err == nil {
			compare(t, dir, db.files)
		} else if (!errors.Is(err, errStop) && !errors.Is(err, context.Canceled)) || res.Fetched+res.Skipped > 12 {
			t.Fatalf("restore: %+v, %v", res, err)
		} else if err := restoreNewest(archive.New(store, archive.Options{}), dir); err != nil {
			t.Fatalf("the rerun: %v", err)
		}
		compare(t, dir, db.files)

		ctx, d.end = context.WithCancelCause(context.Background())
		d.left.Store(n)
		if r, err := a.Verify(ctx, archive.VerifyOptions{ReadData: true}); err == nil && r.ReadBytes != m.Counts.Bytes {
			t.Fatalf("verify read %d bytes of %d and is content", r.ReadBytes, m.Counts.Bytes)
		} else if err != nil && !errors.Is(err, errStop) && !errors.Is(err, context.Canceled) {
			t.Fatalf("verify: %v", err)
		}

		empty := storetest.Memory(t)
		ctx, cancel = context.WithCancelCause(context.Background())
		d = &deaf{Store: empty, end: cancel}
		d.left.Store(n)
		if res, err := archive.New(d, archive.Options{Transfers: 2}).Backup(ctx, db.source(), options); err == nil && res.Snapshot.Counts.Files != 12 {
			t.Fatalf("backup: %+v", res.Snapshot)
		} else if err != nil && !errors.Is(err, errStop) && !errors.Is(err, context.Canceled) {
			t.Fatalf("backup: %v", err)
		}
		mustBackup(t, archive.New(empty, archive.Options{}), db)
		mustRestore(t, archive.New(empty, archive.Options{}), 0, filepath.Join(t.TempDir(), "r"), db.files)
	}
}
