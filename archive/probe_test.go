package archive_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storecheck"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A weak store does one thing that no store should.
type weak struct {
	*storetest.InMemory
	put    func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error)
	get    func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error)
	stat   func(ctx context.Context, key string) (store.Object, error)
	list   func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error]
	delete func(ctx context.Context, objects []store.Object) error
	accept store.Guarantee
}

func (w *weak) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if w.put != nil {
		return w.put(ctx, key, body, sums)
	}
	return w.InMemory.Put(ctx, key, body, sums)
}

func (w *weak) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if w.get != nil {
		return w.get(ctx, key, offset, length)
	}
	return w.InMemory.Get(ctx, key, offset, length)
}

func (w *weak) Stat(ctx context.Context, key string) (store.Object, error) {
	if w.stat != nil {
		return w.stat(ctx, key)
	}
	return w.InMemory.Stat(ctx, key)
}

func (w *weak) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	if w.list != nil {
		return w.list(ctx, prefix, delimiter, after)
	}
	return w.InMemory.List(ctx, prefix, delimiter, after)
}

func (w *weak) Delete(ctx context.Context, objects []store.Object) error {
	if w.delete != nil {
		return w.delete(ctx, objects)
	}
	return w.InMemory.Delete(ctx, objects)
}

func (w *weak) Waives(p store.Guarantee) bool { return p == w.accept }

func newWeak(t *testing.T) *weak {
	m := storetest.Memory(t)
	m.TolerateMismatch = true
	return &weak{InMemory: m}
}

// A serviced store has an adapter with its own checks, and a service that may have none.
type serviced struct {
	*weak
	wrong, over error // what comes of the trials
}

func (s *serviced) PutWithWrongChecksum(ctx context.Context, key string, content []byte) error {
	if s.wrong == nil {
		s.InMemory.Put(ctx, key, bytes.NewReader(content), storetest.SumsOf(content))
	}
	return s.wrong
}

func (s *serviced) DeleteVersion(ctx context.Context, key, version string) error {
	return s.Delete(ctx, []store.Object{{Key: key, Version: version}})
}

func (s *serviced) PutOverExisting(context.Context, string, []byte) error { return s.over }

// A check that only the adapter makes does not count.
func TestProbeAsksTheService(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	for _, c := range []struct {
		wrong, over error
		failed      string
	}{
		{store.ErrMismatch, store.ErrExists, ""},
		{nil, store.ErrExists, "checksums"},
		{store.ErrMismatch, nil, "large objects"},
	} {
		for name, f := range probe(t, &serviced{newWeak(t), c.wrong, c.over}) {
			if want := name == c.failed; want != (f.Result == storecheck.Failed) {
				t.Errorf("%v, %v: %+v", c.wrong, c.over, f)
			}
		}
	}
}

// overwrites makes the store one that ignores conditions.
func (w *weak) overwrites() {
	w.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
		w.InMemory.Delete(ctx, store.AnyVersion(key))
		return w.InMemory.Put(ctx, key, body, sums)
	}
}

// overwritesLate replaces only what has been read since it was made.
func overwritesLate(w *weak) {
	var read sync.Map
	w.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
		read.Store(key, true)
		return w.InMemory.Get(ctx, key, offset, length)
	}
	w.stat = func(ctx context.Context, key string) (store.Object, error) {
		read.Store(key, true)
		return w.InMemory.Stat(ctx, key)
	}
	w.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
		if _, ok := read.Load(key); ok {
			w.InMemory.Delete(ctx, store.AnyVersion(key))
		}
		return w.InMemory.Put(ctx, key, body, sums)
	}
}

func probe(t *testing.T, s store.Store) map[string]storecheck.Finding {
	t.Helper()
	found := map[string]storecheck.Finding{}
	if err := storecheck.Probe(t.Context(), s, func(f storecheck.Finding) { found[f.Probe] = f }); err != nil {
		t.Fatal(err)
	}
	return found
}

// Each defect is found by the probe that is meant for it, and by no other; without any, all is well
// and no object is left.
func TestProbe(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name   string
		make   func(w *weak)
		result storecheck.Outcome
		probes string // that have this result; others are ok
	}{
		{"nothing", func(*weak) {}, storecheck.Good, ""},
		{"overwrites", (*weak).overwrites, storecheck.Failed, "create-only, large objects"},
		{"overwrites, as accepted", func(w *weak) { w.overwrites(); w.accept = store.CreateOnly }, storecheck.Note, "create-only, large objects"},
		{"overwrites, yet not in a race", overwritesLate, storecheck.Failed, "create-only, large objects"},
		{"overwrites, yet not in a race, as accepted", func(w *weak) { overwritesLate(w); w.accept = store.CreateOnly }, storecheck.Note, "create-only, large objects"},
		{"checks nothing", uncheckedPut, storecheck.Failed, "checksums"},
		{"checks nothing, as accepted", func(w *weak) { uncheckedPut(w); w.accept = store.Checksums }, storecheck.Note, "checksums"},
		{"returns no checksum", func(w *weak) { w.Plain = true }, storecheck.Note, "checksum echo"},
		{"lists late", func(w *weak) {
			w.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
				if strings.HasSuffix(prefix, "/fresh") {
					prefix = "none"
				}
				return w.InMemory.List(ctx, prefix, delimiter, after)
			}
		}, storecheck.Failed, "read after write"},
		{"ignores ranges", func(w *weak) {
			w.get = func(ctx context.Context, key string, _, _ int64) (io.ReadCloser, error) {
				return w.InMemory.Get(ctx, key, 0, -1)
			}
		}, storecheck.Failed, "ranges"},
		{"lists one page", func(w *weak) {
			w.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
				return func(yield func(store.Object, error) bool) {
					n := 0
					for o, err := range w.InMemory.List(ctx, prefix, delimiter, after) {
						if n++; n > 1000 || !yield(o, err) {
							return
						}
					}
				}
			}
		}, storecheck.Failed, "paging, order, delete"},
		{"lists in another order", func(w *weak) { w.list = w.listUnordered }, storecheck.Failed, "order"},
		{"is an hour ahead", func(w *weak) { w.Now = func() time.Time { return time.Now().Add(time.Hour) } }, storecheck.Note, "clock"},
		{"may not delete", func(w *weak) {
			w.delete = func(context.Context, []store.Object) error { return fs.ErrPermission }
		}, storecheck.Note, "conditional delete, delete"},
		{"ignores conditions", (*weak).ignoresConditions, storecheck.Note, "conditional delete"},
		{"ignores conditions, as accepted", func(w *weak) {
			w.ignoresConditions()
			w.accept = store.ConditionalDelete
		}, storecheck.Note, "conditional delete"},
		{"refuses conditions", func(w *weak) {
			w.delete = func(ctx context.Context, objects []store.Object) error {
				if len(objects) == 1 && objects[0].Version != "" {
					return errors.New("not implemented")
				}
				return w.InMemory.Delete(ctx, objects)
			}
		}, storecheck.Failed, "conditional delete"},
		{"folds letter case", func(w *weak) {
			w.stat = func(ctx context.Context, key string) (store.Object, error) {
				return w.InMemory.Stat(ctx, strings.Replace(key, "/case", "/Case", 1))
			}
		}, storecheck.Note, "letter case"},
	}
	for _, c := range tests {
		t.Run(c.name, func(t *testing.T) {
			w := newWeak(t)
			c.make(w)
			for name, f := range probe(t, w) {
				want := storecheck.Good
				if c.probes != "" && strings.Contains(", "+c.probes+",", ", "+name+",") {
					want = c.result
				}
				if c.name == "lists one page" && name == "delete" {
					continue // what is not listed is not deleted; the probe for pages reports why
				}
				if f.Result != want {
					t.Errorf("%s: %+v, want %s", name, f, want)
				}
				if f.Result == storecheck.Failed && f.Advice == "" {
					t.Errorf("%s: no advice", name)
				}
			}
			if c.name == "nothing" && len(w.Snapshot()) != 0 {
				t.Errorf("left behind: %d objects", len(w.Snapshot()))
			}
		})
	}
}

// ignoresConditions makes the store one that deletes whatever is there.
func (w *weak) ignoresConditions() {
	w.delete = func(ctx context.Context, objects []store.Object) error {
		for _, o := range objects {
			w.InMemory.Remove(o.Key)
		}
		return nil
	}
}

// uncheckedPut takes whatever comes.
func uncheckedPut(w *weak) {
	w.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
		b, err := io.ReadAll(io.NewSectionReader(body, 0, sums.Size))
		if err != nil {
			return store.PutResult{}, err
		}
		return w.InMemory.Put(ctx, key, bytes.NewReader(b), storetest.SumsOf(b))
	}
}

// Objects that cannot be deleted are one line, however many they are.
func TestProbeSaysOnceWhatStays(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	w := newWeak(t)
	w.delete = func(_ context.Context, objects []store.Object) error {
		errs := make([]error, len(objects))
		for i := range objects {
			errs[i] = errors.New("locked: " + objects[i].Key)
		}
		return errors.Join(errs...)
	}
	f := probe(t, w)["delete"]
	if f.Result != storecheck.Note || !strings.Contains(f.Detail, "1057 objects could not be deleted: locked: probe/") || strings.Contains(f.Detail+f.Advice, "\n") || !strings.Contains(f.Advice, "such as probe/") {
		t.Errorf("%+v", f)
	}
}

// Without the bucket, there is one finding, and it is the store's own error.
func TestProbeOutOfReach(t *testing.T) {
	t.Parallel()
	w := newWeak(t)
	w.list = func(context.Context, string, string, string) iter.Seq2[store.Object, error] {
		return func(yield func(store.Object, error) bool) {
			yield(store.Object{}, errors.New("no route; check the network"))
		}
	}
	found := probe(t, w)
	if f := found["reach"]; len(found) != 1 || f.Result != storecheck.Failed || f.Detail != "no route; check the network" {
		t.Errorf("%+v", found)
	}
}

// The next probe removes what a killed probe left behind, once it is old; an interrupted probe
// cleans up after itself.
func TestProbeCleansUp(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	w := newWeak(t)
	hour := time.Now().Add(-2 * time.Hour)
	w.Now = func() time.Time { return hour }
	put(t, w, store.ProbePrefix+"old/first", "old")
	w.Now = nil
	put(t, w, store.ProbePrefix+"other/first", "another probe's, of this minute")
	probe(t, w)
	left := func() (keys []string) {
		for k := range w.Snapshot() {
			keys = append(keys, k)
		}
		return keys
	}
	if keys := left(); len(keys) != 1 || keys[0] != store.ProbePrefix+"other/first" {
		t.Errorf("left are %q", keys)
	}
	ctx, cancel := context.WithCancel(t.Context())
	err := storecheck.Probe(ctx, w, func(f storecheck.Finding) {
		if f.Probe == "ranges" {
			cancel()
		}
	})
	if keys := left(); !errors.Is(err, context.Canceled) || len(keys) != 1 {
		t.Errorf("%v; left are %q", err, keys)
	}
}

// deleteKeys deletes objects, whatever version they have.
func deleteKeys(s store.Store, keys ...string) error {
	return s.Delete(context.Background(), store.AnyVersion(keys...))
}

func put(t *testing.T, s store.Store, key, content string) {
	t.Helper()
	if _, err := s.Put(t.Context(), key, strings.NewReader(content), storetest.SumsOf([]byte(content))); err != nil {
		t.Fatal(err)
	}
}

// A first backup to a store that writes over what is there is refused, each time, before
// anything else is stored; unless that was accepted.
func TestBackupRefusesAStoreThatOverwrites(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 77)
	db.fill(3, 100)
	w := newWeak(t)
	w.overwrites()
	a := archive.New(w, archive.Options{})
	for range 2 {
		if _, err := a.Backup(t.Context(), db.source(), options); !errors.Is(err, store.ErrWeakStore) {
			t.Errorf("the error is %v", err)
		}
		for key := range w.Snapshot() {
			if key != "archive.json" {
				t.Errorf("%s was stored", key)
			}
		}
	}
	w.accept = store.CreateOnly
	mustBackup(t, a, db)
}
