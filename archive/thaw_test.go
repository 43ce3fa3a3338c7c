package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/store"
)

// isOnce reports an error unless n objects were requested once each.
func isOnce(t *testing.T, s *icy, n int) {
	t.Helper()
	got := s.requests()
	if len(got) != n {
		t.Errorf("%d objects were requested, not %d", len(got), n)
	}
	for key, times := range got {
		if times != 1 {
			t.Errorf("%s was requested %d times", key, times)
		}
	}
}

// A restore that cannot read anything yet says what is to be thawed, requests nothing and writes nothing. What a thaw
// costs depends on the objects and the tier, so the caller decides.
func TestRestoreOfFrozenObjectsIsRefused(t *testing.T) {
	t.Parallel()
	for _, files := range []int{3, 40} { // few are requested one by one, many are listed
		db, s, a := frozenArchive(t, files)
		m := newest(t, a)
		dir := filepath.Join(t.TempDir(), "r")
		_, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{})
		frozen, ok := errors.AsType[*archive.FrozenError](err)
		if !ok || !errors.Is(err, store.ErrFrozen) || errors.Is(err, archive.ErrDamaged) {
			t.Fatalf("%v", err)
		}
		p := frozen.Plan
		if p.Objects != int64(len(db.files)) || p.Bytes != m.Counts.StoredBytes || p.Thawing != 0 || len(p.ToRequest) != 1 ||
			p.ToRequest[0].Class != "GLACIER" || p.ToRequest[0].Objects != p.Objects || p.ToRequest[0].Bytes != p.Bytes {
			t.Errorf("%d files: %+v", files, p)
		}
		for _, want := range []string{"GLACIER", "standard: up to 5 hours", "bulk: up to 12 hours", "expedited: up to 5 minutes"} {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%q is not in %v", want, err)
			}
		}
		if entries, _ := os.ReadDir(filepath.Dir(dir)); len(entries) > 0 || len(s.requests()) > 0 || s.refused > 1 {
			t.Errorf("%v were written, %v requested, %d reads tried", entries, s.requests(), s.refused)
		}
		res, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{DryRun: true})
		if err != nil || res.Thaw == nil || res.Thaw.Objects != p.Objects || res.Thaw.Bytes != p.Bytes || len(res.Thaw.Tiers) != 3 {
			t.Errorf("%+v, %v", res.Thaw, err)
		}
	}
}

// A service may refuse a read although nothing shows that the object is frozen. Without options a restore waits for no thaw
// that nothing has requested: it tries once more, and fails.
func TestRestoreOfObjectsThatAreSecretlyFrozen(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, a := frozenArchive(t, 3)
		s.class, s.hidden = func(string) string { return "STANDARD" }, true
		began := time.Now()
		_, err := a.Restore(t.Context(), newest(t, a), filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{})
		if !errors.Is(err, store.ErrFrozen) || errors.Is(err, archive.ErrDamaged) {
			t.Errorf("%v", err)
		}
		if took := time.Since(began); took > 10*time.Second || s.refused > 2*len(db.files)+1 {
			t.Errorf("%d reads in %s", s.refused, took)
		}
	})
}

// A restore requests each object once, waits as long as the thaw takes, and then reads what was archived. The time of the
// thaw is none of the restore's rate.
func TestRestoreThaws(t *testing.T) {
	t.Parallel()
	for _, files := range []int{3, 40} {
		virtually(t, func(t *testing.T) {
			db, s, a := frozenArchive(t, files)
			dir := filepath.Join(t.TempDir(), "r")
			began := time.Now()
			res, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{}})
			if err != nil {
				t.Fatal(err)
			}
			compare(t, dir, db.files)
			isOnce(t, s, len(db.files))
			if took := time.Since(began); took < s.takes || took > s.takes+30*time.Minute || res.Took > time.Minute {
				t.Errorf("it took %s and %s", took, res.Took)
			}
			if s.refused > 1 || s.lastDays != archive.DefaultThawDays {
				t.Errorf("%d reads of frozen objects, %d days", s.refused, s.lastDays)
			}
			// What is thawed is not requested again.
			if _, err := a.Restore(t.Context(), newest(t, a), dir+"2", archive.RestoreOptions{}); err != nil {
				t.Error(err)
			}
			if _, err := a.Restore(t.Context(), newest(t, a), dir+"3", archive.RestoreOptions{Thaw: &archive.ThawOptions{}}); err != nil {
				t.Error(err)
			}
			isOnce(t, s, len(db.files))
		})
	}
}

// A restore that is killed while it waits goes on by the same call. The provider remembers what was requested, so that
// nothing is requested and paid for twice.
func TestThawGoesOnAfterAKill(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, a := frozenArchive(t, 10)
		dir := filepath.Join(t.TempDir(), "r")
		o := archive.RestoreOptions{Thaw: &archive.ThawOptions{Tier: store.ThawBulk}}
		for _, after := range []time.Duration{0, time.Millisecond, time.Hour, 90 * time.Minute} {
			ctx, cancel := context.WithTimeout(t.Context(), after)
			_, err := a.Restore(ctx, newest(t, a), dir, o)
			cancel()
			if !errors.Is(err, context.DeadlineExceeded) {
				t.Fatalf("after %s: %v", after, err)
			}
			if _, err := os.Stat(dir); err == nil {
				t.Error("the target exists")
			}
		}
		isOnce(t, s, len(db.files))
		_, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{})
		if frozen, ok := errors.AsType[*archive.FrozenError](err); !ok || frozen.Plan.Thawing != int64(len(db.files)) ||
			len(frozen.Plan.ToRequest) > 0 || !strings.Contains(err.Error(), "under way") {
			t.Errorf("%v", err)
		}
		if _, err := a.Restore(t.Context(), newest(t, a), dir, o); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
		isOnce(t, s, len(db.files))
	})
}

// A copy that ends before it is read is thawed again, and so is one that ends while files are read. What is restored
// already is not requested again.
func TestThawsThatEnd(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, _ := frozenArchive(t, 6)
		a := archive.New(s, archive.Options{Transfers: 1})
		var gets atomic.Int32
		s.onGet = func(key string) {
			if isContent(key) && gets.Add(1) == 4 { // the first one was refused
				s.expire()
			}
		}
		dir := filepath.Join(t.TempDir(), "r")
		if _, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{Days: 1}}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
		once, twice := 0, 0
		for _, n := range s.requests() {
			if n == 1 {
				once++
			}
			if n == 2 {
				twice++
			}
		}
		if once != 2 || twice != len(db.files)-2 {
			t.Errorf("%v", s.requests())
		}
	})
	virtually(t, func(t *testing.T) { // copies that end within hours are kept longer, by one cheap request
		db, s, a := frozenArchive(t, 4)
		o := archive.RestoreOptions{Thaw: &archive.ThawOptions{Days: 1}}
		if err := a.Thaw(t.Context(), newest(t, a), nil, *o.Thaw); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Hour)
		if _, err := a.Restore(t.Context(), newest(t, a), filepath.Join(t.TempDir(), "r"), o); err != nil {
			t.Fatal(err)
		}
		if len(s.renewed) != len(db.files) {
			t.Errorf("%v", s.renewed)
		}
	})
}

// A service without capacity accepts a request later. If it never does, the error says which tier to choose, and
// another tier is not taken unasked: it costs another price.
func TestThawWithoutCapacity(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, a := frozenArchive(t, 3)
		s.takes, s.refuse = time.Minute, 8
		o := archive.RestoreOptions{Thaw: &archive.ThawOptions{Tier: store.ThawExpedited}}
		dir := filepath.Join(t.TempDir(), "r")
		if _, err := a.Restore(t.Context(), newest(t, a), dir, o); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
		isOnce(t, s, len(db.files))
	})
	virtually(t, func(t *testing.T) {
		_, s, a := frozenArchive(t, 3)
		s.refuse = 1 << 30
		o := archive.RestoreOptions{Thaw: &archive.ThawOptions{Tier: store.ThawExpedited}}
		began := time.Now()
		_, err := a.Restore(t.Context(), newest(t, a), filepath.Join(t.TempDir(), "r"), o)
		if !errors.Is(err, store.ErrNoThawCapacity) || !strings.Contains(err.Error(), "expedited") || time.Since(began) > time.Hour {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// A tier that a class does not have is refused before the first request, also if other objects have it.
func TestThawWithAnAbsentTier(t *testing.T) {
	t.Parallel()
	_, s, a := frozenArchive(t, 3)
	m := newest(t, a)
	deep := m.Files[1].Parts[0].Object
	s.class = func(key string) string {
		if key == deep {
			return "DEEP_ARCHIVE"
		}
		return "GLACIER"
	}
	dir := filepath.Join(t.TempDir(), "r")
	res, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{DryRun: true})
	if err != nil || len(res.Thaw.ToRequest) != 2 || len(res.Thaw.Tiers) != 2 || res.Thaw.Tiers[0].Longest != 12*time.Hour {
		t.Fatalf("%+v, %v", res.Thaw, err)
	}
	for _, tier := range []store.ThawTier{store.ThawExpedited, "fast"} {
		_, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{Tier: tier}})
		if !errors.Is(err, archive.ErrNoThaw) || !strings.Contains(err.Error(), "standard") || len(s.requests()) > 0 {
			t.Errorf("%s: %v, %v", tier, err, s.requests())
		}
	}
}

// An outage of the network ends no wait of hours, unless it lasts.
func TestThawOutlivesFailures(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, a := frozenArchive(t, 4)
		began := time.Now()
		s.fail = func(string) error {
			if since := time.Since(began); since > time.Hour && since < 2*time.Hour {
				return store.ErrTransient
			}
			return nil
		}
		dir := filepath.Join(t.TempDir(), "r")
		if _, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{}}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
	})
	virtually(t, func(t *testing.T) {
		_, s, a := frozenArchive(t, 4)
		began := time.Now()
		s.fail = func(string) error {
			if time.Since(began) > time.Hour {
				return store.ErrTransient
			}
			return nil
		}
		o := archive.RestoreOptions{Thaw: &archive.ThawOptions{}}
		if _, err := a.Restore(t.Context(), newest(t, a), filepath.Join(t.TempDir(), "r"), o); !errors.Is(err, store.ErrTransient) {
			t.Errorf("%v", err)
		}
	})
}

// Some objects of an archive are frozen, and listings do not show which: those of an intelligent tier. Only these are
// thawed. A restore that meets one unexpectedly keeps what it has restored.
func TestThawOfSomeObjects(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, a := frozenArchive(t, 40)
		m := newest(t, a)
		cold := map[string]bool{m.Files[7].Parts[0].Object: true, m.Files[30].Parts[0].Object: true}
		s.class = func(key string) string {
			if cold[key] {
				return "INTELLIGENT"
			}
			return "STANDARD"
		}
		dir := filepath.Join(t.TempDir(), "r")
		res, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{DryRun: true})
		if err != nil || res.Thaw == nil || res.Thaw.Objects != 2 {
			t.Fatalf("%+v, %v", res.Thaw, err)
		}
		_, err = a.Restore(t.Context(), m, dir, archive.RestoreOptions{})
		if frozen, ok := errors.AsType[*archive.FrozenError](err); !ok || frozen.Plan.Objects != 2 {
			t.Fatalf("%v", err)
		}
		if _, err = a.Restore(t.Context(), m, dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{}}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
		isOnce(t, s, 2)
	})
}

// A restored file is not thawed again, although its copy has ended since.
func TestThawOmitsWhatIsRestored(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, a := frozenArchive(t, 6)
		m := newest(t, a)
		dir := t.TempDir()
		for i := range 4 {
			write(t, dir, m.Files[i].Name, string(db.files[m.Files[i].Name]))
		}
		o := archive.RestoreOptions{Overwrite: true, Thaw: &archive.ThawOptions{}}
		if _, err := a.Restore(t.Context(), m, dir, o); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
		isOnce(t, s, len(db.files)-4)
	})
}

// Some services report a class of that name, and return the content all the same: MinIO of objects in a remote tier. A
// restore of these thaws nothing.
func TestRestoreOfFrozenObjectsThatCanBeRead(t *testing.T) {
	t.Parallel()
	db, s, a := frozenArchive(t, 5)
	s.readable = true
	dir := filepath.Join(t.TempDir(), "r")
	if _, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{}); err != nil {
		t.Fatal(err)
	}
	compare(t, dir, db.files)
	if _, err := a.Restore(t.Context(), newest(t, a), dir+"2", archive.RestoreOptions{Thaw: &archive.ThawOptions{}}); err != nil {
		t.Fatal(err)
	}
	if len(s.requests()) > 0 {
		t.Errorf("%v", s.requests())
	}
}

// byteless is a store whose reads of one byte fail some times.
type byteless struct {
	*icy
	left atomic.Int32
	err  error
}

func (s *byteless) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if isContent(key) && length == 1 && s.left.Add(-1) >= 0 {
		return nil, s.err
	}
	return s.icy.Get(ctx, key, offset, length)
}

// A read that fails does not prove that a class must be thawed: nothing is requested, and the error is the failure.
func TestFailedReadsProveNoClass(t *testing.T) {
	t.Parallel()
	denied := errors.New("access denied")
	for _, c := range []struct {
		err   error
		times int32
	}{{store.ErrTransient, 1}, {store.ErrTransient, 5}, {denied, 5}} {
		virtually(t, func(t *testing.T) {
			_, s, _ := frozenArchive(t, 5)
			s.readable = true
			f := &byteless{icy: s, err: c.err}
			for _, o := range []*archive.ThawOptions{nil, {}} {
				a := archive.New(f, archive.Options{Transfers: 1})
				m := newest(t, a)
				f.left.Store(c.times)
				dir := filepath.Join(t.TempDir(), "r")
				if _, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{Thaw: o}); err != nil {
					t.Errorf("%v %d: %v", c.err, c.times, err)
				}
			}
			a := archive.New(f, archive.Options{Transfers: 1})
			m := newest(t, a)
			f.left.Store(c.times)
			err := a.Thaw(t.Context(), m, nil, archive.ThawOptions{})
			if isFinal := errors.Is(c.err, denied); isFinal != (err != nil) || isFinal && !errors.Is(err, denied) {
				t.Errorf("%v %d: %v", c.err, c.times, err)
			}
			if len(s.requests()) > 0 {
				t.Errorf("%v %d: %v", c.err, c.times, s.requests())
			}
		})
	}
}

// A target that the restore would refuse is refused before anything is thawed: a thaw takes hours, and costs.
func TestThawIsNotInVain(t *testing.T) {
	t.Parallel()
	_, s, a := frozenArchive(t, 3)
	dir := t.TempDir()
	write(t, dir, "other", "x")
	_, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{}})
	if !errors.Is(err, archive.ErrOccupied) || len(s.requests()) > 0 {
		t.Errorf("%v, %v", err, s.requests())
	}
}

// cat, drill and verify thaw as restore does. Without a tier, cat and drill name what must be thawed, and verify counts
// it as present and not as read.
func TestOtherReadsThaw(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, a := frozenArchive(t, 5)
		m := newest(t, a)
		f := m.Files[1]
		var out bytes.Buffer
		err := a.Cat(t.Context(), m, f.Name, &out)
		if frozen, ok := errors.AsType[*archive.FrozenError](err); !ok || frozen.Plan.Objects != 1 || out.Len() > 0 {
			t.Fatalf("%v", err)
		}
		if err := a.Thaw(t.Context(), m, []string{f.Name}, archive.ThawOptions{}); err != nil {
			t.Fatal(err)
		}
		isOnce(t, s, 1)
		if err := a.Cat(t.Context(), m, f.Name, &out); err != nil || !bytes.Equal(out.Bytes(), db.files[f.Name]) {
			t.Errorf("%v", err)
		}
		if err := a.Thaw(t.Context(), m, []string{"no such file"}, archive.ThawOptions{}); !errors.Is(err, archive.ErrNoFile) {
			t.Errorf("%v", err)
		}

		o := archive.DrillOptions{Scratch: t.TempDir()}
		r, err := a.Drill(t.Context(), m, o)
		if !errors.As(err, new(*archive.FrozenError)) || errors.Is(err, archive.ErrDrillFailed) {
			t.Errorf("%+v, %v", r, err)
		}
		o.Thaw = &archive.ThawOptions{}
		if _, err := a.Drill(t.Context(), m, o); err != nil {
			t.Error(err)
		}
		isOnce(t, s, len(db.files))

		s.expire()
		v := archive.VerifyOptions{ReadData: true}
		report, err := a.Verify(t.Context(), v)
		if err != nil || report.Unthawed != len(db.files) || report.ReadObjects > 0 || report.Frozen != len(db.files) {
			t.Errorf("%+v, %v", report, err)
		}
		v.Thaw = &archive.ThawOptions{}
		report, err = a.Verify(t.Context(), v)
		if err != nil || report.Unthawed > 0 || report.ReadObjects != len(db.files) || len(report.Problems) > 0 {
			t.Errorf("%+v, %v", report, err)
		}
	})
}

// Small files in a bundle are thawed by one request, and billed for the whole bundle.
func TestThawOfBundles(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 42)
		db.fill(40, 1000)
		s := newIcy(t)
		s.class = func(string) string { return "STANDARD" }
		mustBackup(t, archive.New(s, archive.Options{}), db)
		s.class = func(string) string { return "GLACIER" }
		a := archive.New(s, archive.Options{})
		m := newest(t, a)
		o := archive.RestoreOptions{Include: []string{m.Files[3].Name}, DryRun: true}
		dir := filepath.Join(t.TempDir(), "r")
		res, err := a.Restore(t.Context(), m, dir, o)
		if err != nil || res.Thaw == nil || res.Thaw.Objects != 1 || res.Thaw.Bytes <= res.Reads[0].Bytes {
			t.Fatalf("%+v of %+v, %v", res.Thaw, res.Reads, err)
		}
		if _, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{}}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
		keys := slices.DeleteFunc(s.Keys(""), func(key string) bool { return !isContent(key) })
		isOnce(t, s, len(keys))
	})
}
