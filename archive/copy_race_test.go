package archive_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"iter"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// keepOnly does the same as a prune that keeps one snapshot, the newest, up to the deletion of
// objects.
func keepOnly(t testing.TB, s *storetest.InMemory, n int64) {
	t.Helper()
	keepSome(t, s, n)
}

// keepSome is keepOnly with some more, in ascending order.
func keepSome(t testing.TB, s *storetest.InMemory, kept ...int64) {
	t.Helper()
	n := kept[len(kept)-1]
	m, err := manifest.DecodeManifest(s.Snapshot().Bytes(manifest.ManifestKey(n)), n)
	if err != nil {
		t.Fatal(err)
	}
	record := manifest.Record{Format: manifest.Format, Archive: m.Archive, Number: 1, Created: m.Created, Why: "a test", Newest: n}
	for k := int64(1); k <= n; k++ {
		if slices.Contains(kept, k) {
			record.Kept = append(record.Kept, manifest.Kept{Ref: mustRef(t, s, k)})
		} else {
			record.Removed = append(record.Removed, k)
		}
	}
	b, err := record.Encode()
	if err != nil {
		t.Fatal(err)
	}
	s.Replace(manifest.LedgerKey(1), b)
	for _, k := range record.Removed {
		s.Remove(manifest.ManifestKey(k))
	}
}

// A copy that was suspended creates a manifest that the target has pruned in the meantime. The copy
// does not report that manifest, and goes on from the target's present state.
func TestCopyIntoPruned(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		o := newOriginal(t, t.TempDir(), storetest.Memory(t), 20)
		w := newWeak(t)
		var once sync.Once
		w.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
			if key == manifest.ManifestKey(2) {
				once.Do(func() {
					mustCopy(t, o.store, w.InMemory)
					keepOnly(t, w.InMemory, 3)
				})
			}
			return w.InMemory.Put(ctx, key, body, sums)
		}
		if r := mustCopy(t, o.store, w); !slices.Equal(r.Snapshots, []int64{1}) || r.Newest != 3 {
			t.Fatalf("%+v", r)
		}
		if list := mustList(t, archive.New(w.InMemory, archive.Options{})); len(list) != 1 || list[0].Sequence != 3 {
			t.Fatalf("%+v", list)
		}
	})
}

// A snapshot that the source prunes during the copy is passed over silently, at whichever request
// it happens.
func TestCopyOfWhatIsPrunedMeanwhile(t *testing.T) {
	t.Parallel()
	for _, at := range []string{manifest.ManifestKey(1), manifest.ManifestKey(2), manifest.DataPrefix, manifest.BundlesPrefix} {
		for _, before := range []bool{true, false} {
			virtually(t, func(t *testing.T) {
				w := newWeak(t)
				o := newOriginal(t, t.TempDir(), w.InMemory, 20)
				var once sync.Once
				prune := func() {
					keepOnly(t, w.InMemory, 3)
					m := newest(t, archive.New(w.InMemory, archive.Options{}))
					for _, key := range append(w.Keys(manifest.DataPrefix), w.Keys(manifest.BundlesPrefix)...) {
						if !slices.ContainsFunc(m.Files, func(f manifest.File) bool {
							return slices.ContainsFunc(f.Parts, func(p manifest.Part) bool { return p.Object == key })
						}) {
							w.Remove(key)
						}
					}
				}
				w.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
					if strings.HasPrefix(key, at) && before {
						once.Do(prune)
					}
					r, err := w.InMemory.Get(ctx, key, offset, length)
					if strings.HasPrefix(key, at) && !before {
						once.Do(prune)
					}
					return r, err
				}
				to := storetest.Memory(t)
				r := mustCopy(t, w, to)
				if r.Newest != 3 {
					t.Fatalf("%s, before %v: %+v", at, before, r)
				}
				if at == manifest.ManifestKey(1) && !slices.Equal(r.Snapshots, []int64{3}) {
					t.Errorf("%s, before %v: snapshots that were dropped are copied: %+v", at, before, r)
				}
				mustRestore(t, archive.New(to, archive.Options{}), 3, t.TempDir()+"/r", o.want[2])
			})
		}
	}
}

// At no moment of a copy, also of an interrupted one, does a verify of the target report a problem,
// whatever was pruned from the source before or during the copy.
func TestVerifyWhileCopying(t *testing.T) {
	t.Parallel()
	for _, when := range []string{"before", manifest.ManifestKey(1), manifest.ManifestKey(2), manifest.ManifestKey(3), manifest.ManifestKey(4)} {
		virtually(t, func(t *testing.T) {
			w := newWeak(t)
			o := newOriginal(t, t.TempDir(), w.InMemory, 20)
			for range 2 {
				o.db.grow(3)
				o.backup(t)
			}
			pruned := false
			prune := func() { keepSome(t, w.InMemory, 3, 5); pruned = true }
			if when == "before" {
				prune()
			}
			var once sync.Once
			to := newWeak(t)
			w.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
				if key == when && len(to.Keys(manifest.DataPrefix)) > 0 == (when != manifest.ManifestKey(1)) {
					once.Do(prune)
				}
				return w.InMemory.Get(ctx, key, offset, length)
			}
			var verified atomic.Int32 // several transfers at once
			verify := func() {
				r, err := archive.New(to.InMemory, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{})
				if err != nil && !errors.Is(err, archive.ErrNoArchive) {
					t.Error(err)
				}
				if err == nil && len(r.Problems) > 0 {
					t.Errorf("pruned at %s: %+v", when, r.Problems)
				}
				verified.Add(1)
			}
			to.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
				s, err := to.InMemory.Put(ctx, key, body, sums)
				verify()
				if strings.HasPrefix(key, manifest.LedgerPrefix) && len(to.Keys(manifest.ManifestsPrefix)) > 0 {
					a := archive.New(to.InMemory, archive.Options{}) // the next record repeats it
					if _, err := a.Hold(t.Context(), archive.Selector{}, "it shall stay"); err != nil {
						t.Error(err)
					}
					verify()
				}
				return s, err
			}
			r := mustCopy(t, w, to)
			if verify(); r.Newest != 5 || verified.Load() < 10 || !pruned {
				t.Fatalf("%+v, verified %d times, pruned %v", r, verified.Load(), pruned)
			}
			again := mustCopy(t, to.InMemory, storetest.Memory(t))
			if !slices.Equal(again.Snapshots, r.Snapshots) {
				t.Errorf("a copy of the copy has %v, and not %v", again.Snapshots, r.Snapshots)
			}
		})
	}
}

// The same holds if the copy begins during the verify.
func TestCopyBeginsWhileVerifying(t *testing.T) {
	t.Parallel()
	source := storetest.Memory(t)
	o := newOriginal(t, t.TempDir(), source, 20)
	keepOnly(t, source, 3)
	to := newWeak(t)
	upTo := "" // the copy is interrupted at the first key with this prefix
	to.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
		if strings.HasPrefix(key, upTo) {
			return store.PutResult{}, fs.ErrPermission
		}
		return to.InMemory.Put(ctx, key, body, sums)
	}
	brokenOff := func(at string) {
		upTo = at
		if _, err := archive.Copy(t.Context(), o.archive(), archive.New(to, archive.Options{}), archive.CopyOptions{}); !errors.Is(err, fs.ErrPermission) {
			t.Fatal(err)
		}
	}
	brokenOff(manifest.LedgerPrefix)
	var once sync.Once
	looks := newWeak(t)
	looks.InMemory = to.InMemory
	looks.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
		if prefix == manifest.DataPrefix || prefix == manifest.BundlesPrefix {
			once.Do(func() { brokenOff(manifest.ManifestsPrefix) })
		}
		return to.InMemory.List(ctx, prefix, delimiter, after)
	}
	r, err := archive.New(looks, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{})
	if err != nil || len(r.Problems) > 0 || r.Unreferenced == 0 {
		t.Fatalf("%+v, %v", r, err)
	}
}

// Another writer forges a manifest while the copy commits its own, with the same size and CRC-32C. The copy does not
// report that snapshot as copied.
func TestCopyReadsBackAManifestThatExisted(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		source := storetest.Memory(t)
		newOriginal(t, t.TempDir(), source, 20)
		w := newWeak(t)
		w.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
			if key == manifest.ManifestKey(2) {
				w.Replace(key, storetest.Forge(source.Snapshot().Bytes(key)))
				return store.PutResult{Existed: true}, nil
			}
			return w.InMemory.Put(ctx, key, body, sums)
		}
		from, to := archive.New(source, archive.Options{}), archive.New(w, archive.Options{})
		r, err := archive.Copy(t.Context(), from, to, archive.CopyOptions{})
		if !errors.Is(err, archive.ErrDamaged) || !slices.Equal(r.Snapshots, []int64{1}) {
			t.Fatalf("%+v, %v", r, err)
		}
	})
}
