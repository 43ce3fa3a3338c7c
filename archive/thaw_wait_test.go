package archive_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// mute is a service that accepts requests to thaw and never shows one under way.
type mute struct {
	*icy
	readsFrom time.Time // from when on objects can be read all the same; zero: never

	warm *atomic.Int32 // how many more Gets of content succeed until a rule of the bucket freezes it; nil: none
}

func (s *mute) isWarm() bool { return s.warm != nil && s.warm.Load() > 0 }

func (s *mute) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := s.icy.Stat(ctx, key)
	if isContent(key) && !s.isWarm() {
		o.Frozen, o.Thawing, o.ThawedUntil = "GLACIER", false, time.Time{}
	}
	return o, err
}

func (s *mute) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if s.warm != nil && isContent(key) && s.warm.Add(-1) >= 0 || !s.readsFrom.IsZero() && time.Now().After(s.readsFrom) {
		return s.InMemory.Get(ctx, key, offset, length)
	}
	if isContent(key) {
		return nil, store.ErrFrozen
	}
	return s.icy.Get(ctx, key, offset, length)
}

// A service that accepts requests and never shows a thaw is requested a few times, since each request may cost.
func TestThawThatNeverShows(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, s, _ := frozenArchive(t, 2)
		a := archive.New(&mute{icy: s}, archive.Options{})
		began := time.Now()
		_, err := a.Restore(t.Context(), newest(t, a), filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{Thaw: &archive.ThawOptions{}})
		if !errors.Is(err, store.ErrFrozen) || !strings.Contains(err.Error(), "accepted 3 requests") || time.Since(began) > 6*time.Hour {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
		for key, n := range s.requests() {
			if n > 3 {
				t.Errorf("%s was requested %d times", key, n)
			}
		}
	})
	virtually(t, func(t *testing.T) { // what can be read is thawed, whatever its attributes are
		db, s, _ := frozenArchive(t, 2)
		a := archive.New(&mute{icy: s, readsFrom: time.Now().Add(3 * time.Minute)}, archive.Options{})
		dir := filepath.Join(t.TempDir(), "r")
		if _, err := a.Restore(t.Context(), newest(t, a), dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{}}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
		isOnce(t, s, 2)
	})
}

// So does whatever meets what was frozen since the run began: the first error of a thaw is the last, and is reported.
func TestLateThawThatNeverShows(t *testing.T) {
	t.Parallel()
	thaw := &archive.ThawOptions{}
	for name, read := range map[string]func(*testing.T, *archive.Archive) error{
		"reencrypt": func(t *testing.T, a *archive.Archive) error {
			to := archive.New(storetest.Memory(t), archive.Options{})
			_, err := archive.Reencrypt(t.Context(), a, to, archive.CopyOptions{Thaw: thaw})
			return err
		},
		"copy": func(t *testing.T, a *archive.Archive) error {
			to := archive.New(storetest.Memory(t), archive.Options{})
			_, err := archive.Copy(t.Context(), a, to, archive.CopyOptions{Thaw: thaw})
			return err
		},
		"restore": func(t *testing.T, a *archive.Archive) error {
			_, err := a.Restore(t.Context(), newest(t, a), filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{Thaw: thaw})
			return err
		},
		"drill": func(t *testing.T, a *archive.Archive) error {
			_, err := a.Drill(t.Context(), newest(t, a), archive.DrillOptions{Scratch: t.TempDir(), Thaw: thaw})
			return err
		},
		"verify": func(t *testing.T, a *archive.Archive) error {
			_, err := a.Verify(t.Context(), archive.VerifyOptions{ReadData: true, Thaw: thaw})
			return err
		},
	} {
		for _, gets := range []int32{1, 2, 4, 5, 6, 7, 8} {
			t.Run(fmt.Sprint(name, " ", gets), func(t *testing.T) {
				t.Parallel()
				virtually(t, func(t *testing.T) {
					db := newDatabase(t, t.TempDir(), 50)
					s := &mute{icy: newIcy(t), warm: &atomic.Int32{}}
					s.class = func(string) string { return "STANDARD" }
					a := archive.New(s, archive.Options{Transfers: 1})
					for range 3 { // one file of several parts
						db.grow(300_000)
						mustBackup(t, a, db)
					}
					s.class = func(string) string { return "GLACIER" }
					s.warm.Store(gets)
					err := read(t, a)
					if s.warm.Load() < 0 && (!errors.Is(err, store.ErrFrozen) || !strings.Contains(err.Error(), "accepted 3 requests")) {
						t.Errorf("%v", err)
					}
					for key, n := range s.requests() {
						if n > 3 {
							t.Errorf("%s was requested %d times", key, n)
						}
					}
				})
			})
		}
	}
}

// A thaw that is under way for ever ends with an error, some time after the longest time that the service documents.
func TestThawThatNeverEnds(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, s, a := frozenArchive(t, 2)
		s.takes = 10_000 * time.Hour
		began := time.Now()
		_, err := a.Restore(t.Context(), newest(t, a), filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{Thaw: &archive.ThawOptions{}})
		took := time.Since(began)
		if !errors.Is(err, store.ErrFrozen) || took < 10*time.Hour || took > 3*24*time.Hour || !strings.Contains(err.Error(), "data/") {
			t.Errorf("after %s: %v", took, err)
		}
		isOnce(t, s, 2)
	})
}

// failing is a service whose requests to thaw fail some times.
type failing struct {
	*icy
	left  atomic.Int32
	stats atomic.Int32 // requests for attributes that fail
	err   error
}

func (s *failing) Thaw(ctx context.Context, o store.Object, r store.ThawRequest) error {
	if s.left.Add(-1) >= 0 {
		return s.err
	}
	return s.icy.Thaw(ctx, o, r)
}

// A failure that may pass ends a thaw neither at its first request nor before it.
func TestThawBeginsInSpiteOfFailures(t *testing.T) {
	t.Parallel()
	for _, stats := range []int32{0, 3} {
		virtually(t, func(t *testing.T) {
			db, s, _ := frozenArchive(t, 4)
			f := &failing{icy: s, err: store.ErrTransient}
			a := archive.New(f, archive.Options{Transfers: 2})
			m := newest(t, a)
			f.left.Store(3)
			f.stats.Store(stats)
			s.fail = func(key string) error {
				if isContent(key) && f.stats.Add(-1) >= 0 {
					return store.ErrTransient
				}
				return nil
			}
			if err := a.Thaw(t.Context(), m, nil, archive.ThawOptions{}); err != nil {
				t.Fatal(err)
			}
			isOnce(t, s, len(db.files))
		})
	}
	virtually(t, func(t *testing.T) { // a denied request is final, and is reported at once
		_, s, _ := frozenArchive(t, 4)
		denied := errors.New("access denied")
		f := &failing{icy: s, err: denied}
		f.left.Store(1 << 20)
		a := archive.New(f, archive.Options{})
		began := time.Now()
		if err := a.Thaw(t.Context(), newest(t, a), nil, archive.ThawOptions{}); !errors.Is(err, denied) || time.Since(began) > time.Minute {
			t.Errorf("after %s: %v", time.Since(began), err)
		}
	})
}

// slow is a service with the class DEEP_ARCHIVE, whose bulk tier takes 48 hours.
type slow struct{ *icy }

func (*slow) ThawTimes(string) []store.ThawTime {
	return []store.ThawTime{
		{Tier: store.ThawStandard, Longest: 12 * time.Hour, CopyClass: "STANDARD"},
		{Tier: store.ThawBulk, Longest: 48 * time.Hour, CopyClass: "STANDARD"},
	}
}

// Copies must last until the last object is thawed and read. Else they would be thawed, and paid for, again and again.
func TestThawDays(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		_, s, _ := frozenArchive(t, 2)
		a := archive.New(&slow{s}, archive.Options{})
		m := newest(t, a)
		for _, days := range []int{-1, 1, 2, 366, 1 << 40} {
			err := a.Thaw(t.Context(), m, nil, archive.ThawOptions{Tier: store.ThawBulk, Days: days})
			if !errors.Is(err, archive.ErrNoThaw) || len(s.requests()) > 0 {
				t.Errorf("%d days: %v, %v", days, err, s.requests())
			}
			if days == 2 && err != nil && !strings.Contains(err.Error(), "at least 3 days") {
				t.Error(err)
			}
		}
		if err := a.Thaw(t.Context(), m, nil, archive.ThawOptions{Tier: store.ThawBulk}); err != nil || s.lastDays != 4 {
			t.Errorf("%d days, %v", s.lastDays, err)
		}
		s.expire()
		if err := a.Thaw(t.Context(), m, nil, archive.ThawOptions{Days: 1}); err != nil || s.lastDays != 1 {
			t.Errorf("%d days, %v", s.lastDays, err)
		}
	})
}

// Of two classes, the store returns the objects of one all the same. The others are thawed.
func TestThawOfOneOfTwoClasses(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db, s, a := frozenArchive(t, 4)
		m := newest(t, a)
		warm := m.Files[0].Parts[0].Object
		s.class = func(key string) string {
			if key < m.Files[2].Parts[0].Object {
				return "DEEP_ARCHIVE" // the first one that is examined
			}
			return "GLACIER"
		}
		s.warm = func(key string) bool { return s.class(key) == "DEEP_ARCHIVE" }
		if !s.warm(warm) {
			t.Fatal("the keys are not in order")
		}
		dir := filepath.Join(t.TempDir(), "r")
		_, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{})
		if frozen, ok := errors.AsType[*archive.FrozenError](err); !ok || frozen.Plan.Objects != 2 {
			t.Fatalf("%v", err)
		}
		if _, err := a.Restore(t.Context(), m, dir, archive.RestoreOptions{Thaw: &archive.ThawOptions{Tier: store.ThawExpedited}}); err != nil {
			t.Fatal(err)
		}
		compare(t, dir, db.files)
		isOnce(t, s, 2)
	})
}
