package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A service that takes what is to be locked and does not lock it gets no archive.
func TestBackupRefusesAStoreThatDoesNotLock(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 21)
	db.fill(3, 100)
	bucket := storetest.Memory(t)
	l := &locking{Store: bucket, t: t, ends: map[string]int{}, ignores: true}
	if _, err := archive.New(l, archive.Options{}).Backup(t.Context(), db.source(), options); !errors.Is(err, store.ErrWeakStore) {
		t.Fatal(err)
	}
	if s, err := archive.New(bucket, archive.Options{}).List(t.Context(), 0); len(s) > 0 {
		t.Fatalf("there are snapshots: %+v, %v", s, err)
	}
}

// A service that checks nothing is refused again and again: what it took the time before
// does not count.
func TestBackupRefusesAStoreThatDoesNotCheck(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 22)
	db.fill(3, 100)
	bucket := storetest.Memory(t)
	for range 3 {
		if _, err := archive.New(&unchecking{bucket}, archive.Options{}).Backup(t.Context(), db.source(), options); !errors.Is(err, store.ErrWeakStore) {
			t.Fatal(err)
		}
	}
	if n := len(bucket.Snapshot().Keys("")); n != 1 {
		t.Errorf("%d objects were made: %q", n, bucket.Snapshot().Keys(""))
	}
}

// A service compares checksums and keeps none, as with checksum=md5. An earlier run began the archive and failed for
// another reason. The next run continues: its advice, to write checksum=md5, would be a dead end otherwise.
func TestBackupContinuesWhereNoChecksumIsKept(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 23)
	db.fill(3, 100)
	bucket := storetest.Memory(t)
	if _, err := archive.New(&unchecking{bucket}, archive.Options{}).Backup(t.Context(), db.source(), options); !errors.Is(err, store.ErrWeakStore) {
		t.Fatal(err)
	}
	if _, err := archive.New(&forgetful{&unchecking{bucket}}, archive.Options{}).Backup(t.Context(), db.source(), options); err != nil {
		t.Error(err)
	}
}

// Before the first snapshot in a store that no adapter was tested for, a backup and a copy run all trials, and refuse a
// store that fails one. With one snapshot there, they do not run again.
func TestFirstSnapshotInAnUnprovenStore(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	db := newDatabase(t, t.TempDir(), 24)
	db.fill(3, 100)
	origin := storetest.Memory(t)
	mustBackup(t, archive.New(origin, archive.Options{}), db)
	to := func(u *unproven) (*archive.Archive, *unproven) {
		u.InMemory = storetest.Memory(t)
		u.TolerateMismatch = true // a trial puts a wrong checksum
		return archive.New(u, archive.Options{}), u
	}

	a, bad := to(&unproven{winners: 2})
	_, err := archive.Copy(t.Context(), archive.New(origin, archive.Options{}), a, archive.CopyOptions{})
	if !errors.Is(err, store.ErrWeakStore) || !strings.Contains(err.Error(), "create-only: of 16 writers") {
		t.Errorf("a copy into a store that overwrites: %v", err)
	}
	if keys := bad.Keys(""); !slices.Equal(keys, []string{manifest.ArchiveKey}) {
		t.Errorf("the refused copy left %q", keys)
	}

	a, _ = to(&unproven{err: store.ErrTransient})
	_, err = a.Backup(t.Context(), db.source(), options)
	if !errors.Is(err, store.ErrTransient) || errors.Is(err, store.ErrWeakStore) {
		t.Errorf("a backup, with a trial that broke: %v", err)
	}

	a, good := to(&unproven{winners: 1})
	mustBackup(t, a, db)
	races := good.races.Load()
	db.grow(10)
	db.flip(10)
	mustBackup(t, a, db)
	if races == 0 || good.races.Load() != races {
		t.Errorf("%d races, and %d more with the second snapshot", races, good.races.Load()-races)
	}
}

// unproven is a store that may create an object twice.
type unproven struct {
	*storetest.InMemory
	winners int
	err     error
	races   atomic.Int64
}

func (u *unproven) CreateAtOnce(context.Context, string, [][]byte) (int, error) {
	u.races.Add(1)
	return u.winners, u.err
}

// forgetful is a service that compares checksums and reports none later.
type forgetful struct{ *unchecking }

func (f *forgetful) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	return f.InMemory.Put(ctx, key, body, sums)
}

func (f *forgetful) PutWithWrongChecksum(context.Context, string, []byte) error {
	return store.ErrMismatch
}

// unchecking is a service behind an adapter that notices by the answer to a Put that nothing was
// checked. It can report that only after the object exists.
type unchecking struct{ *storetest.InMemory }

var _ store.FaultProbe = (*unchecking)(nil)

func (u *unchecking) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	stored, err := u.InMemory.Put(ctx, key, body, sums)
	if err == nil && !stored.Existed {
		err = store.ErrWeakStore
	}
	return stored, err
}

func (u *unchecking) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := u.InMemory.Stat(ctx, key)
	o.CRC32C = nil
	return o, err
}

func (u *unchecking) PutWithWrongChecksum(ctx context.Context, key string, content []byte) error {
	_, err := u.InMemory.Put(ctx, key, bytes.NewReader(content), storetest.SumsOf(content))
	return err
}

func (u *unchecking) DeleteVersion(ctx context.Context, key, version string) error {
	return u.Delete(ctx, []store.Object{{Key: key, Version: version}})
}

func (u *unchecking) PutOverExisting(context.Context, string, []byte) error { return store.ErrExists }
