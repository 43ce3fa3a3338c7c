package archive_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A restore, a drill and a verify thaw in the same run what their sample or listing has missed.
func TestReadsThawWhatTheSampleMissed(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, a := frozenArchive(t, 40)
		m := newest(t, a)
		one := freezeOne(s, m)
		dir := filepath.Join(t.TempDir(), "r")
		if _, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{}}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
		s.expire()
		if _, err := a.Drill(t.Context(), m, archive.DrillOptions{Scratch: t.TempDir(), Thaw: &archive.ThawOptions{}}); err != nil {
			t.Error(err)
		}
		s.expire()
		if got := s.requests(); len(got) != 1 || got[one] != 2 {
			t.Errorf("%v", got)
		}
		// A rule freezes objects after the listing. Without a tier, they count as not read.
		freeze := s.class
		s.class = func(string) string { return "STANDARD" }
		s.onGet = func(key string) {
			if isContent(key) {
				s.mu.Lock()
				s.class = freeze
				s.mu.Unlock()
			}
		}
		r, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true, Thaw: &archive.ThawOptions{}})
		if err != nil || r.Unthawed > 0 || len(r.Problems) > 0 || r.ReadObjects != 40 {
			t.Errorf("%+v, %v", r, err)
		}
		if got := s.requests(); len(got) != 1 || got[one] != 3 {
			t.Errorf("%v", got)
		}
	})
}

// A verify whose thawed objects end while it reads them thaws them again, also of files with several parts.
func TestVerifyOutlivesThawsThatEnd(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, s, _ := frozenArchive(t, 6)
		a := archive.New(s, archive.Options{Transfers: 1})
		var gets atomic.Int32
		s.onGet = func(key string) {
			if isContent(key) && gets.Add(1) == 4 {
				s.expire()
			}
		}
		r, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true, Thaw: &archive.ThawOptions{}})
		if err != nil || r.Unthawed > 0 || r.ReadObjects != 6 {
			t.Errorf("%+v, %v", r, err)
		}
	})
}

// losing is a store whose Puts of manifests fail, as in a run that is killed before its end.
type losing struct {
	*icy
	fails bool
}

func (s *losing) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if s.fails && strings.HasPrefix(key, "manifests/") {
		return store.PutResult{}, errors.New("killed")
	}
	return s.icy.Put(ctx, key, body, sums)
}

// An interrupted backup has left objects, and a rule of the bucket freezes them. The next one cannot compare them, so it
// stores their content under other keys, and warns.
func TestBackupPassesFrozenOrphans(t *testing.T) {
	t.Parallel()
	for _, size := range []int{300_000, 1000} { // as data objects, and in bundles
		db := newDatabase(t, t.TempDir(), 48)
		db.fill(20, size)
		s := &losing{icy: newIcy(t)}
		s.class = func(string) string { return "STANDARD" }
		a := archive.New(s, archive.Options{})
		mustBackup(t, a, db)
		before := s.Keys("")
		db.fill(40, size)
		s.fails = true
		if _, err := a.Backup(t.Context(), db.source(), options); err == nil {
			t.Fatal("it was not interrupted")
		}
		s.fails = false
		orphans := map[string]bool{}
		for _, key := range s.Keys("") {
			orphans[key] = !slices.Contains(before, key)
		}
		s.class = func(key string) string {
			if orphans[key] {
				return "GLACIER"
			}
			return "STANDARD"
		}
		res, err := archive.New(s, archive.Options{}).Backup(t.Context(), db.source(), options)
		if err != nil || res.Adopted > 0 {
			t.Fatalf("%+v, %v", res, err)
		}
		if s.refused == 0 || !strings.Contains(strings.Join(res.Warnings, "\n"), "must be thawed before they can be read") {
			t.Errorf("%d reads, %q", s.refused, res.Warnings)
		}
		dir := filepath.Join(t.TempDir(), "r")
		if _, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
	}
}

// blind is a store whose listings and attributes cannot be read, but its content can.
type blind struct{ *icy }

func (s *blind) List(context.Context, string, string, string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) { yield(store.Object{}, errors.New("denied")) }
}

func (s *blind) Stat(context.Context, string) (store.Object, error) {
	return store.Object{}, errors.New("denied")
}

// A dry run that cannot read the storage classes reports that, and not that nothing must be thawed.
func TestDryRunWithoutClasses(t *testing.T) {
	t.Parallel()
	for _, files := range []int{3, 40} {
		_, s, a := frozenArchive(t, files)
		m := newest(t, a)
		dry := archive.RestoreOptions{DryRun: true}
		dir := filepath.Join(t.TempDir(), "r")
		res, err := archive.New(&blind{s}, archive.Options{}).Restore(t.Context(), m, dir, dry)
		if err != nil || res.ThawUnknown == "" || !res.ClassesUnknown {
			t.Errorf("%+v, %v", res, err)
		}
		if res, err := a.Restore(t.Context(), m, dir, dry); err != nil || res.ThawUnknown != "" || res.Thaw == nil {
			t.Errorf("%+v, %v", res, err)
		}
	}
}

// A repair neither deletes an object that it cannot read nor takes content from one. The problem states why it failed.
func TestRepairOfFrozenObjects(t *testing.T) {
	t.Parallel()
	for _, isSource := range []bool{false, true} {
		virtually(t, func(t *testing.T) {
			_, s, from := frozenArchive(t, 3)
			freeze := s.class
			s.class = func(string) string { return "STANDARD" }
			warm := storetest.Memory(t)
			if _, err := archive.Copy(t.Context(), from, archive.New(warm, archive.Options{}), archive.CopyOptions{}); err != nil {
				t.Fatal(err)
			}
			part := newest(t, from).Files[1].Parts[0]
			broken, bucket, good := archive.New(s, archive.Options{}), s.InMemory, archive.New(warm, archive.Options{})
			if isSource {
				broken, bucket, good = good, warm, broken
			}
			bucket.Replace(part.Object, make([]byte, part.Stored.Size))
			s.class = freeze
			r, err := broken.Verify(t.Context(), archive.VerifyOptions{Checksums: true, Repair: &archive.RepairFrom{Copies: []*archive.Archive{good}}})
			if err != nil || len(r.Problems) != 1 || len(r.Repaired) > 0 || !strings.Contains(r.Problems[0].RepairError, "thawed") {
				t.Fatalf("source: %v: %+v, %v", isSource, r, err)
			}
			if len(s.requests()) > 0 || !slices.Contains(bucket.Keys(""), part.Object) {
				t.Errorf("%v were requested, and %q are left", s.requests(), bucket.Keys(""))
			}
		})
	}
}

// A prune deletes frozen objects and reads none.
func TestPruneOfFrozenObjects(t *testing.T) {
	t.Parallel()
	_, s, a := frozenArchive(t, 3)
	s.class = func(string) string { return "STANDARD" }
	other := newDatabase(t, t.TempDir(), 49)
	other.fill(3, 350_000)
	o := options
	o.Acceptance = acceptAll
	if _, err := a.Backup(t.Context(), other.source(), o); err != nil {
		t.Fatal(err)
	}
	s.class = func(string) string { return "GLACIER" }
	before := len(s.Keys("data/"))
	if _, err := a.Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}}); err != nil {
		t.Fatal(err)
	}
	if after := len(s.Keys("data/")); after >= before || s.refused > 0 || len(s.requests()) > 0 {
		t.Errorf("%d objects, and %d before; %d reads", after, before, s.refused)
	}
}
