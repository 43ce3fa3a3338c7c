package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// Operation n of the target, or of the source, fails, for every n until a copy succeeds:
// what the target lists is sound, the same copy ends well, and nothing acknowledged is
// sent again.
func TestEveryOperationOfACopyFails(t *testing.T) {
	t.Parallel()
	for _, files := range []int{4, 270} {
		o := newOriginal(t, t.TempDir(), storetest.Memory(t), files)
		start := storetest.Memory(t) // has the first snapshot already
		half := archive.New(until{o.store, 1}, archive.Options{})
		if _, err := archive.Copy(t.Context(), half, archive.New(start, archive.Options{}), archive.CopyOptions{}); err != nil {
			t.Fatal(err)
		}
		for _, mode := range modes {
			for _, inSource := range []bool{false, true} {
				t.Run(fmt.Sprintf("%d files, %s, in the source: %v", files, mode, inSource), func(t *testing.T) {
					virtually(t, func(t *testing.T) {
						every := 1
						if brief() || files > 100 {
							every = 7
						}
						for n := 0; ; n += every {
							store := start.Clone()
							if n%2 == 1 {
								store = storetest.Memory(t)
							}
							from, to := mode.fault(o.store, -1), mode.fault(store, -1)
							broken := to
							if inSource {
								broken = from
							}
							broken.Arm(n, mode.Mode)
							if mode.down {
								broken.Down()
							}
							_, err := archive.Copy(context.Background(), archive.New(from, archive.Options{Transfers: 2}), archive.New(to, archive.Options{Transfers: 2}), archive.CopyOptions{})
							if err != nil && !errors.Is(err, storetest.ErrInjected) {
								t.Fatalf("operation %d: %v", n, err)
							}
							if len(store.Keys(manifest.ManifestsPrefix)) > 0 {
								mustVerify(t, archive.New(store, archive.Options{}))
							}
							hit := broken.Hit()
							from.Arm(-1, storetest.NotApplied)
							to.Arm(-1, storetest.NotApplied)
							mustCopy(t, from, to)
							sameContent(t, o.store, store)
							for _, again := range to.SentAgain() {
								if again != manifest.ArchiveKey { // by that the store proves that it is create-only
									t.Fatalf("operation %d: acknowledged, and sent again: %q", n, again)
								}
							}
							if !hit {
								if n < 10 {
									t.Fatalf("only %d operations", n)
								}
								return
							}
						}
					})
				})
			}
		}
	}
}

// until is a source as it was when its newest snapshot was last.
type until struct {
	store.Store
	last int64
}

func (u until) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for o, err := range u.Store.List(ctx, prefix, delimiter, after) {
			if n, ok := manifest.ParseManifestKey(o.Key); ok && n > u.last {
				continue
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

// Each damaged object of the source is named and never copied; the snapshots that do not need it
// are copied, and sound.
func TestDamageIsNotCopied(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		for _, files := range []int{4, 270} {
			o := newOriginal(t, t.TempDir(), storetest.Memory(t), files)
			store := o.store.(*storetest.InMemory)
			from := archive.Options{State: &archive.LocalState{Dir: t.TempDir()}}
			mustBackupForced(t, archive.New(store, from), o) // which the local state records
			keys := store.Keys("")
			if files > 100 && !slices.ContainsFunc(keys, func(k string) bool { return strings.HasPrefix(k, manifest.BundlesPrefix) }) {
				t.Fatal("no bundle to damage")
			}
			for _, key := range keys {
				if key == manifest.ArchiveKey {
					continue // the manifests carry the id, too; see below
				}
				good := store.Snapshot().Bytes(key)
				bad := damages(good)
				for i := range min(len(good), 40) { // with damages, also bytes of each kind of field
					at := i * len(good) / min(len(good), 40)
					flipped := bytes.Clone(good)
					flipped[at] ^= 1
					bad[fmt.Sprint("flipped at ", at)] = flipped
				}
				if brief() || files > 100 {
					bad = damages(good)
				}
				for what, bad := range bad {
					spoil(store, key, bad)
					checkNotCopied(t, store, from, key, what)
					store.Replace(key, good)
				}
			}
		}
	})
}

// spoil replaces an object, or takes it away.
func spoil(s *storetest.InMemory, key string, bad []byte) {
	if bad == nil {
		s.Remove(key)
		return
	}
	s.Replace(key, bad)
}

func mustBackupForced(t testing.TB, a *archive.Archive, o *original) {
	t.Helper()
	forced := options
	forced.Force = true
	if _, err := a.Backup(context.Background(), o.db.source(), forced); err != nil {
		t.Fatal(err)
	}
	o.want = append(o.want, o.want[len(o.want)-1])
}

func checkNotCopied(t *testing.T, store *storetest.InMemory, from archive.Options, key, what string) {
	t.Helper()
	to := storetest.Memory(t)
	r, err := archive.Copy(context.Background(), archive.New(store, from), archive.New(to, archive.Options{}), archive.CopyOptions{})
	if err != nil {
		if !errors.Is(err, archive.ErrDamaged) && !errors.Is(err, manifest.ErrVersion) {
			t.Errorf("%s %s: %v", key, what, err)
		}
		if len(r.Snapshots) > 0 && !strings.Contains(err.Error(), key) {
			t.Errorf("%s %s: stopped without naming it: %v", key, what, err)
		}
	}
	n, isManifest := manifest.ParseManifestKey(key)
	named := slices.ContainsFunc(r.Problems, func(p archive.Problem) bool { return p.Object == key && len(p.Snapshots) > 0 })
	switch {
	case isManifest && what == "deleted": // only the local state remembers the newest
		if slices.Contains(r.Snapshots, n) || !named && n < 4 || !named && len(r.Warnings) == 0 {
			t.Errorf("%s %s: %+v", key, what, r)
		}
	case err == nil && !named:
		t.Errorf("%s %s: not named: %+v", key, what, r)
	case isManifest && slices.Contains(r.Snapshots, n):
		t.Errorf("%s %s: it was copied", key, what)
	}
	if is := to.Snapshot().Bytes(key); is != nil {
		t.Errorf("%s %s: %d bytes of it are in the target", key, what, len(is))
	}
	if len(r.Snapshots) == 0 {
		return
	}
	v, err := archive.New(to, archive.Options{}).Verify(context.Background(), archive.VerifyOptions{ReadData: true})
	if err != nil || slices.ContainsFunc(v.Problems, func(p archive.Problem) bool { return !strings.HasPrefix(p.Object, manifest.ManifestsPrefix) }) {
		t.Errorf("%s %s: the copy: %+v, %v", key, what, v, err)
	}
	if len(r.Snapshots)+len(passed(r)) != 4 && !isManifest {
		t.Errorf("%s %s: snapshots are neither copied nor named: %+v", key, what, r)
	}
}

func passed(r *archive.CopyReport) map[int64]bool {
	all := map[int64]bool{}
	for _, p := range r.Problems {
		for _, n := range p.Snapshots {
			all[n] = true
		}
	}
	return all
}

// A source that lost archive.json makes a copy that has one, from the manifests: a copy
// without would be damaged. Later it is enough that both have the same id.
func TestCopyWithoutID(t *testing.T) {
	t.Parallel()
	for _, bad := range [][]byte{nil, []byte("{")} {
		o := newOriginal(t, t.TempDir(), storetest.Memory(t), 4)
		store := o.store.(*storetest.InMemory)
		good := store.Snapshot().Bytes(manifest.ArchiveKey)
		to := storetest.Memory(t)
		spoil(store, manifest.ArchiveKey, bad)
		if r := mustCopy(t, store, to); r.Newest != 3 {
			t.Fatalf("%+v", r)
		}
		mustVerify(t, archive.New(to, archive.Options{}))
		store.Replace(manifest.ArchiveKey, good)
		o.db.grow(10)
		o.backup(t)
		mustCopy(t, store, to)
		o.sound(t, to)
	}
}

// Several copies at once, and a backup, do one another no harm.
func TestCopiesRace(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		o := newOriginal(t, t.TempDir(), storetest.Memory(t), 270)
		for range 5 {
			to := storetest.Memory(t)
			var all sync.WaitGroup
			for range 4 {
				all.Go(func() {
					a := archive.New(to, archive.Options{Transfers: 3})
					if _, err := archive.Copy(context.Background(), o.archive(), a, archive.CopyOptions{}); err != nil {
						t.Error(err)
					}
				})
			}
			all.Go(func() {
				o.db.grow(5)
				o.backup(t)
			})
			all.Wait()
			mustVerify(t, archive.New(to, archive.Options{}))
			mustCopy(t, o.store, to)
			sameContent(t, o.store, to)
		}
		o.sound(t, o.store)
	})
}

// A copy has the id of its source and is behind it at times: that is no anomaly.
func TestWitnessKnowsCopies(t *testing.T) {
	t.Parallel()
	o := newOriginal(t, t.TempDir(), storetest.Memory(t), 4)
	to := storetest.Memory(t)
	dir := t.TempDir()
	at := func(s store.Store, place string) *archive.Archive {
		return archive.New(s, archive.Options{State: &archive.LocalState{Dir: dir, Place: place}})
	}
	for range 3 {
		if r, err := archive.Copy(t.Context(), at(o.store, "mem://a"), at(to, "mem://b"), archive.CopyOptions{}); err != nil || len(r.Warnings) > 0 {
			t.Fatalf("%+v, %v", r, err)
		}
		o.db.grow(10)
		mustBackup(t, at(o.store, "mem://a"), o.db)
		for place, s := range map[string]store.Store{"mem://a": o.store, "mem://b": to} {
			if r := mustVerify(t, at(s, place)); r.Snapshots == 0 {
				t.Fatalf("%+v", r)
			}
		}
	}
	// But the loss of its newest is reported.
	to.Remove(manifest.ManifestKey(5))
	if r, err := at(to, "mem://b").Verify(t.Context(), archive.VerifyOptions{}); err != nil || len(r.Problems) == 0 || r.Problems[0].Kind != archive.ProblemLocalState {
		t.Fatalf("%+v, %v", r, err)
	}
	// And a copy refuses to start one again that is gone as a whole.
	if _, err := archive.Copy(t.Context(), at(o.store, "mem://a"), at(storetest.Memory(t), "mem://b"), archive.CopyOptions{}); !errors.Is(err, store.ErrGone) {
		t.Fatalf("%v", err)
	}
}
