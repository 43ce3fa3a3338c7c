package archive_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"maps"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// icy is a store whose objects must be thawed, by the clock of the test. A thaw takes takes, and its copy lasts for the
// days of the request.
type icy struct {
	*storetest.InMemory
	takes time.Duration
	// class returns the class of a key: GLACIER has all tiers, DEEP_ARCHIVE no expedited one, and INTELLIGENT shows in no
	// listing that the object is frozen. Any other class can be read.
	class    func(key string) string
	readable bool                  // Get returns frozen objects
	warm     func(key string) bool // Get returns these frozen objects; nil: none
	hidden   bool                  // Get refuses content that nothing shows to be frozen
	into     string                // the class in which Put freezes content; "" freezes nothing

	mu       sync.Mutex
	thaws    map[string]thawing
	accepted map[string]int // requests, by key
	renewed  map[string]int // of these, requests for a copy that existed
	refuse   int            // expedited requests to refuse
	fail     func(key string) error
	onGet    func(key string) // before each Get, without the lock
	refused  int              // Gets of frozen objects
	lastDays int
}

type thawing struct{ ready, until time.Time }

func newIcy(t storetest.TB) *icy {
	return &icy{
		InMemory: storetest.Memory(t), takes: 4 * time.Hour, thaws: map[string]thawing{}, accepted: map[string]int{},
		renewed: map[string]int{}, class: func(string) string { return "GLACIER" },
	}
}

func (s *icy) classOf(key string) string {
	if !isContent(key) {
		return "STANDARD"
	}
	return s.class(key)
}

func isIce(class string) bool {
	return class == "GLACIER" || class == "DEEP_ARCHIVE" || class == "INTELLIGENT"
}

// describe fills in what Stat reports.
func (s *icy) describe(o *store.Object) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.Class = s.classOf(o.Key)
	if !isIce(o.Class) {
		return
	}
	now, t := time.Now(), s.thaws[o.Key]
	switch {
	case t.ready.IsZero(), !now.Before(t.until):
		o.Frozen = o.Class
	case now.Before(t.ready):
		o.Frozen, o.Thawing = o.Class, true
	default:
		o.ThawedUntil = t.until
	}
}

func (s *icy) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	r, err := s.InMemory.Put(ctx, key, body, sums)
	if err == nil && r.Existed {
		o := store.Object{Key: key}
		s.describe(&o)
		r.Frozen = o.Frozen
	}
	return r, err
}

func (s *icy) Stat(ctx context.Context, key string) (store.Object, error) {
	if s.fail != nil {
		if err := s.fail(key); err != nil {
			return store.Object{}, err
		}
	}
	o, err := s.InMemory.Stat(ctx, key)
	if err == nil {
		s.describe(&o)
	}
	return o, err
}

func (s *icy) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for o, err := range s.InMemory.List(ctx, prefix, delimiter, after) {
			if !o.IsDir {
				o.Class = s.classOf(o.Key)
				if isIce(o.Class) && o.Class != "INTELLIGENT" {
					o.Frozen = o.Class // also if it is thawed
				}
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

func (s *icy) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if s.onGet != nil {
		s.onGet(key)
	}
	o := store.Object{Key: key}
	s.describe(&o)
	refused := o.Frozen != "" && !s.readable && (s.warm == nil || !s.warm(key))
	if refused || s.hidden && isContent(key) {
		s.mu.Lock()
		s.refused++
		s.mu.Unlock()
		return nil, fmt.Errorf("getting %s: %w", key, store.ErrFrozen)
	}
	return s.InMemory.Get(ctx, key, offset, length)
}

func (s *icy) Thaw(ctx context.Context, o store.Object, r store.ThawRequest) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	switch t := s.thaws[o.Key]; {
	case ctx.Err() != nil:
		return ctx.Err()
	case r.Tier == store.ThawExpedited && s.refuse > 0:
		s.refuse--
		return fmt.Errorf("thawing %s: %w", o.Key, store.ErrNoThawCapacity)
	case time.Now().Before(t.ready): // a request in vain
	case time.Now().Before(t.until):
		s.renewed[o.Key]++
		t.until = time.Now().AddDate(0, 0, r.Days)
		s.thaws[o.Key] = t
	default:
		ready := time.Now().Add(s.takes)
		s.thaws[o.Key] = thawing{ready, ready.AddDate(0, 0, r.Days)}
	}
	s.accepted[o.Key]++
	s.lastDays = r.Days
	return nil
}

func (s *icy) ThawTimes(class string) []store.ThawTime {
	times := []store.ThawTime{
		{Tier: store.ThawStandard, Longest: 5 * time.Hour, CopyClass: "STANDARD"},
		{Tier: store.ThawBulk, Longest: 12 * time.Hour, CopyClass: "STANDARD"},
		{Tier: store.ThawExpedited, Longest: 5 * time.Minute, CopyClass: "STANDARD"},
	}
	if class == "DEEP_ARCHIVE" {
		times = times[:2]
		times[0].Longest = 12 * time.Hour
	}
	return times
}

func (s *icy) MayBeFrozen(class string) bool { return isIce(class) }
func (s *icy) FrozenClass() string           { return s.into }

// requests returns how many requests to thaw were accepted, by key.
func (s *icy) requests() map[string]int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return maps.Clone(s.accepted)
}

// expire ends all temporary copies but those of some keys.
func (s *icy) expire(but ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for key := range s.thaws {
		keep := false
		for _, k := range but {
			keep = keep || k == key
		}
		if !keep {
			delete(s.thaws, key)
		}
	}
}

// frozenArchive returns an archive with one snapshot of some files, all frozen.
func frozenArchive(t *testing.T, files int) (*database, *icy, *archive.Archive) {
	t.Helper()
	db := newDatabase(t, t.TempDir(), 41)
	db.fill(files, 300_000) // too large for bundles
	s := newIcy(t)
	s.class = func(string) string { return "STANDARD" }
	mustBackup(t, archive.New(s, archive.Options{}), db)
	s.class = func(string) string { return "GLACIER" }
	return db, s, archive.New(s, archive.Options{Transfers: 4})
}

// freezeOne makes all objects of a snapshot readable but one, which lies between those that a sample of sixteen has.
func freezeOne(s *icy, m *manifest.Manifest) string {
	keys := make([]string, 0, len(m.Files))
	for i := range m.Files {
		keys = append(keys, m.Files[i].Parts[0].Object)
	}
	slices.Sort(keys)
	s.class = func(key string) string {
		if key == keys[1] {
			return "GLACIER"
		}
		return "STANDARD"
	}
	return keys[1]
}
