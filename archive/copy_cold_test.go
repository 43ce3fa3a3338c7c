package archive_test

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// newColdTarget returns a store whose settings freeze log content.
func newColdTarget(t *testing.T) *icy {
	s := newIcy(t)
	s.into = "GLACIER"
	return s
}

// A copy to a class from which objects must be thawed reads none of them, neither in later copies nor after an
// interruption. A restore of the copy thaws it.
func TestCopyToAFrozenClass(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 43)
		db.fill(3, 300_000)
		db.fill(30, 1000) // in bundles
		from := archive.New(storetest.Memory(t), archive.Options{})
		mustBackup(t, from, db)
		cold := newColdTarget(t)
		to := archive.New(cold, archive.Options{})
		if _, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		db.fill(34, 300_000)
		mustBackup(t, from, db)
		sent := len(cold.Keys("data/"))
		r, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{})
		if err != nil || len(r.Snapshots) != 1 || r.Objects == 0 || r.Objects > 10 || len(cold.Keys("data/")) == sent {
			t.Fatalf("%+v, %v", r, err)
		}
		for range 2 {
			if r, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{}); err != nil || r.Objects+r.Adopted > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
		}
		if cold.refused > 0 || len(cold.requests()) > 0 {
			t.Errorf("%d reads of frozen objects, %v thawed", cold.refused, cold.requests())
		}
		report, err := to.Verify(t.Context(), archive.VerifyOptions{Checksums: true})
		if err != nil || len(report.Problems) > 0 || report.Frozen == 0 || report.Compared == 0 || report.ReadObjects > 0 {
			t.Errorf("%+v, %v", report, err)
		}
		dir := filepath.Join(t.TempDir(), "r")
		if _, err := to.Restore(t.Context(), newest(t, to), dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{}}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
	})
}

// stoppingPut is a store that stops the caller after some Puts.
type stoppingPut struct {
	*icy
	left atomic.Int32
	stop context.CancelFunc
}

func (s *stoppingPut) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	r, err := s.icy.Put(ctx, key, body, sums)
	if isContent(key) && err == nil && !r.Existed && s.left.Add(-1) == 0 {
		s.stop()
	}
	return r, err
}

// An interrupted copy to a frozen class goes on. What it has sent is compared by its checksum, since it cannot be read
// back, and is not sent again; bundles, whose checksum no manifest has, are compared with the source.
func TestInterruptedCopyToAFrozenClass(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 44)
	db.fill(5, 300_000)
	db.fill(40, 1000)
	from := archive.New(storetest.Memory(t), archive.Options{})
	mustBackup(t, from, db)
	cold := newColdTarget(t)
	for n := int32(1); ; n++ {
		ctx, cancel := context.WithCancel(t.Context())
		s := &stoppingPut{icy: cold, stop: cancel}
		s.left.Store(1)
		r, err := archive.Copy(ctx, from, archive.New(s, archive.Options{Transfers: 1}), archive.CopyOptions{})
		cancel()
		if err == nil {
			if r.Adopted == 0 || r.Uncompared != r.Adopted || !isWarned(r, "were not compared") {
				t.Errorf("%+v", r)
			}
			break
		}
		if !errors.Is(err, context.Canceled) || n > 20 {
			t.Fatalf("attempt %d: %v", n, err)
		}
	}
	if cold.refused > 0 {
		t.Errorf("%d reads of frozen objects", cold.refused)
	}
	report, err := archive.New(cold, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{Checksums: true})
	if err != nil || len(report.Problems) > 0 {
		t.Errorf("%+v, %v", report, err)
	}
}

// isWarned reports whether a warning of a copy has a text.
func isWarned(r *archive.CopyReport, text string) bool {
	return slices.ContainsFunc(r.Warnings, func(w string) bool { return strings.Contains(w, text) })
}

// forging is a store that reports the CRC-32C of another object for one of its objects: who may create objects can make
// one with any CRC-32C, and an MD5 of their choice.
type forging struct {
	*icy
	key string
	crc manifest.CRC32C
}

func (s *forging) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := s.icy.Stat(ctx, key)
	if key == s.key && err == nil {
		o.CRC32C = &s.crc
	}
	return o, err
}

// A frozen object under a key of the copy can be forged. It counts as not compared, and a warning names it. A verify that
// reads it finds it.
func TestCopyWarnsOfFrozenObjectsThatExist(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 47)
		db.fill(3, 300_000)
		from := archive.New(storetest.Memory(t), archive.Options{})
		mustBackup(t, from, db)
		part := newest(t, from).Files[0].Parts[0]
		cold := &forging{icy: newColdTarget(t), key: part.Object, crc: part.Stored.CRC32C}
		cold.Replace(part.Object, make([]byte, part.Stored.Size))
		to := archive.New(cold, archive.Options{})
		r, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{})
		if err != nil || r.Uncompared != 1 || !isWarned(r, part.Object) {
			t.Fatalf("%+v, %v", r, err)
		}
		report, err := to.Verify(t.Context(), archive.VerifyOptions{ReadData: true, Thaw: &archive.ThawOptions{}})
		if err != nil || len(report.Problems) != 1 || report.Problems[0].Object != part.Object {
			t.Errorf("%+v, %v", report, err)
		}
		if r, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{}); err != nil || r.Uncompared+len(r.Warnings) > 0 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// A copy thaws what its sample of the source has missed, in the same run: one object of forty, which lies between those
// that are examined. Without a tier, the error names it.
func TestCopyThawsWhatTheSampleMissed(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, from := frozenArchive(t, 40)
		one := freezeOne(s, newest(t, from))
		to := archive.New(storetest.Memory(t), archive.Options{})
		_, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{})
		if frozen, ok := errors.AsType[*archive.FrozenError](err); !ok || frozen.Plan.Objects != 1 {
			t.Fatalf("%v", err)
		}
		if _, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{Thaw: &archive.ThawOptions{}}); err != nil {
			t.Fatal(err)
		}
		if got := s.requests(); len(got) != 1 || got[one] != 1 {
			t.Errorf("%v", got)
		}
		dir := filepath.Join(t.TempDir(), "r")
		if _, err := to.Restore(t.Context(), newest(t, to), dir, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
	})
}

// A copy whose source's thawed objects end while it reads them thaws them again.
func TestCopyOutlivesThawsThatEnd(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, s, _ := frozenArchive(t, 6)
		from := archive.New(s, archive.Options{Transfers: 1})
		var gets atomic.Int32
		s.onGet = func(key string) {
			if isContent(key) && gets.Add(1) == 4 {
				s.expire()
			}
		}
		to := archive.New(storetest.Memory(t), archive.Options{Transfers: 1})
		r, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{Thaw: &archive.ThawOptions{}})
		if err != nil || r.Objects != 6 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// An object with other content under a key of the copy is reported, although it cannot be read.
func TestCopyFindsForeignFrozenObjects(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 45)
	db.fill(3, 300_000)
	from := archive.New(storetest.Memory(t), archive.Options{})
	mustBackup(t, from, db)
	cold := newColdTarget(t)
	part := newest(t, from).Files[0].Parts[0]
	cold.Replace(part.Object, make([]byte, part.Stored.Size))
	_, err := archive.Copy(t.Context(), from, archive.New(cold, archive.Options{}), archive.CopyOptions{})
	if !errors.Is(err, store.ErrExists) || !strings.Contains(err.Error(), part.Object) || cold.refused > 0 {
		t.Errorf("%v, %d reads", err, cold.refused)
	}
}

// A backup compares what it stores by reading it back, so an address that freezes it is refused before anything is
// written. A check says what the address is good for.
func TestBackupToAFrozenClassIsRefused(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 46)
	db.fill(3, 1000)
	cold := newColdTarget(t)
	a := archive.New(cold, archive.Options{})
	if _, err := a.Backup(t.Context(), db.source(), options); !errors.Is(err, archive.ErrFreezes) || !strings.Contains(err.Error(), "GLACIER") {
		t.Errorf("%v", err)
	}
	if f, ok := a.Preflight(t.Context()); !ok || f.Result != storecheck.Note || !strings.Contains(f.Detail, "GLACIER") {
		t.Errorf("%+v, %v", f, ok)
	}
	if keys := cold.Keys(""); len(keys) > 0 {
		t.Errorf("%q were written", keys)
	}
}

// A copy of a frozen archive thaws it first, or names what must be thawed.
func TestCopyOfAFrozenArchive(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, from := frozenArchive(t, 4)
		to := archive.New(storetest.Memory(t), archive.Options{})
		_, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{})
		if frozen, ok := errors.AsType[*archive.FrozenError](err); !ok || frozen.Plan.Objects != int64(len(db.files)) {
			t.Fatalf("%v", err)
		}
		if _, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{Thaw: &archive.ThawOptions{}}); err != nil {
			t.Fatal(err)
		}
		isOnce(t, s, len(db.files))
		dir := filepath.Join(t.TempDir(), "r")
		if _, err := to.Restore(t.Context(), newest(t, to), dir, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
	})
}
