package archive_test

import (
	"context"
	"errors"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// locking is a store that locks, as S3 does, up to a step that the test moves on.
type locking struct {
	store.Store
	t testing.TB

	mu      sync.Mutex
	off     bool
	step    int            // of time
	renewed int            // the step of the last renewal: where locks end
	ends    map[string]int // key → step; what is not there has no lock
	locked  []string       // by Lock
	asked   int
	fails   error // of Lock
	ignores bool  // locks nothing that is put
}

func (l *locking) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	stored, err := l.Store.Put(ctx, key, body, sums)
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && !stored.Existed && !l.off && !l.ignores {
		l.ends[key] = l.renewed
	}
	return stored, err
}

func (l *locking) RenewLock() (time.Time, bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.renewed = l.step
	return time.Unix(int64(l.step), 0), !l.off
}

func (l *locking) Locked(_ context.Context, key string) (bool, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.asked++
	end, ok := l.ends[key]
	return ok && end >= l.renewed, nil
}

func (l *locking) Lock(_ context.Context, key string) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.fails != nil {
		return l.fails
	}
	l.locked = append(l.locked, key)
	l.ends[key] = max(l.ends[key], l.renewed)
	return nil
}

// backup makes a snapshot and checks that all it needs is locked as long as it is. It
// gives the keys that had to be locked once more.
func (l *locking) backup(db *database) []string {
	l.t.Helper()
	l.locked, l.asked = nil, 0
	a := archive.New(l, archive.Options{})
	m := mustBackup(l.t, a, db).Snapshot
	s := newest(l.t, a)
	if s.Sequence != m.Sequence {
		l.t.Fatalf("snapshot %d is not %d", s.Sequence, m.Sequence)
	}
	needs := map[string]bool{manifest.ArchiveKey: true}
	for _, f := range s.Files {
		for _, p := range f.Parts {
			needs[p.Object] = true
		}
	}
	for _, p := range s.Pages {
		needs[p.Object] = true
	}
	end, ok := l.ends[manifest.ManifestKey(s.Sequence)]
	for key := range needs {
		if is, locked := l.ends[key]; locked != ok || is < end {
			l.t.Errorf("snapshot %d is locked until %d (%v) and needs %s, locked until %d (%v)", s.Sequence, end, ok, key, is, locked)
		}
	}
	slices.Sort(l.locked)
	return l.locked
}

func newLocking(t *testing.T, store store.Store) *locking {
	return &locking{Store: store, t: t, ends: map[string]int{}}
}

// Objects that a snapshot reuses are locked as long as its manifest. That costs nothing until the
// end time of locks moves on.
func TestCommitLocksWhatItReuses(t *testing.T) {
	t.Parallel()
	for _, files := range []int{5, 400} { // without and with pages
		db := newDatabase(t, t.TempDir(), 70)
		l := newLocking(t, storetest.Memory(t))
		db.fill(files, 500)
		if got := l.backup(db); len(got) != 0 || l.asked != 1 { // for archive.json, as a proof
			t.Errorf("the first snapshot locked %q once more", got)
		}
		db.flip(300_000)
		db.flip(10)
		if got := l.backup(db); len(got) != 0 || l.asked != 1 {
			t.Errorf("in the same step %q were locked once more, %d read", got, l.asked)
		}
		first := l.ends
		l.step++
		db.flip(10)
		got := l.backup(db)
		if !slices.Contains(got, manifest.ArchiveKey) || len(got) < 2 {
			t.Errorf("in the next step only %q were locked once more", got)
		}
		for _, key := range got {
			if _, old := first[key]; !old {
				t.Errorf("%s is new and was locked once more", key)
			}
		}
		db.flip(10)
		if got := l.backup(db); len(got) != 0 {
			t.Errorf("in the same step again %q were locked once more", got)
		}
	}
}

// Turned on for an archive that was made without, locks cover every object that the next snapshot
// needs. A store that does not lock gets no lock request.
func TestLockTurnedOnLater(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 71)
	l := newLocking(t, storetest.Memory(t))
	l.off = true
	for range 2 {
		db.fill(len(db.files)+20, 300)
		if got := l.backup(db); len(got) != 0 || l.asked != 0 || len(l.ends) != 0 {
			t.Fatalf("%q were locked, %d read", got, l.asked)
		}
	}
	l.off = false
	db.flip(10)
	if got := l.backup(db); len(got) < 3 {
		t.Errorf("only %q were locked", got)
	}
}

// A run that lasts into the next step, and one that adopts what another had stored steps
// before, lock that as well.
func TestLockOfWhatARunStored(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 72)
	memory := storetest.Memory(t)
	l := newLocking(t, memory)
	db.fill(30, 300)
	slow := &slowStore{Store: l.Store, before: func(key string) {
		if strings.HasPrefix(key, manifest.DataPrefix) || strings.HasPrefix(key, manifest.BundlesPrefix) {
			l.mu.Lock()
			l.step++
			l.mu.Unlock()
		}
	}}
	l.Store = slow
	if got := l.backup(db); len(got) == 0 {
		t.Error("nothing was locked once more")
	}

	db.fill(60, 300)
	db.flip(300_000)
	db.flip(10)
	broken := errors.New("broken")
	slow.before = func(key string) {
		if strings.HasPrefix(key, manifest.ManifestsPrefix) {
			panic(broken)
		}
	}
	func() {
		defer func() {
			if r := recover(); r != broken {
				t.Fatalf("the run was not interrupted: %v", r)
			}
		}()
		_, _ = archive.New(l, archive.Options{}).Backup(t.Context(), db.source(), options)
	}()
	slow.before = nil
	stored := maps.Clone(l.ends)
	l.step++
	got := l.backup(db)
	adopted := 0
	for _, key := range got {
		if k, ok := manifest.ParseObjectKey(key); ok && k.Sequence == 2 && stored[key] > 0 {
			adopted++
		}
	}
	if adopted == 0 {
		t.Errorf("of what was adopted nothing was locked once more: %q", got)
	}
}

// slowStore calls before ahead of each Put.
type slowStore struct {
	store.Store
	before func(key string)
}

func (s *slowStore) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if s.before != nil {
		s.before(key)
	}
	return s.Store.Put(ctx, key, body, sums)
}

// A backup that cannot lock makes no snapshot: that would promise a protection that it does not
// have.
func TestLockFails(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 73)
	l := newLocking(t, storetest.Memory(t))
	db.fill(5, 300)
	l.backup(db)
	l.step++
	l.fails = errors.New("denied")
	db.flip(10)
	a := archive.New(l, archive.Options{})
	if _, err := a.Backup(t.Context(), db.source(), options); !errors.Is(err, l.fails) {
		t.Errorf("%v", err)
	}
	if n := len(mustList(t, a)); n != 1 {
		t.Errorf("%d snapshots", n)
	}
	l.fails = nil
	l.backup(db)
}
