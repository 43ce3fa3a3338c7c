package archive_test

import (
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// An archive is copied from each provider to each other one, with objects that no provider
// takes in one piece, and then what is new: byte for byte the same, by the provider's
// checksums too, and sound.
func TestCopyBetweenProviders(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("needs servers")
	}
	places := map[string]func(t *testing.T) string{
		"file":     func(t *testing.T) string { return "file://" + t.TempDir() + "/orders" },
		"minio":    storetest.S3,
		"azurite":  storetest.Azure,
		"fake-gcs": storetest.GCS,
	}
	for from, place := range places {
		t.Run(from, func(t *testing.T) {
			t.Parallel()
			copyToOthers(t, from, place(t), places)
		})
	}
}

func copyToOthers(t *testing.T, from, url string, places map[string]func(t *testing.T) string) {
	db := newOriginal(t, t.TempDir(), openBucket(t, url, 0), 25)
	db.db.set(name(db.db.last), noise(17<<20))
	db.db.flip(10)
	db.backup(t)
	want := map[string]string(nil)
	for to, other := range places {
		if to == from {
			continue
		}
		t.Run("to "+to, func(t *testing.T) {
			target := openBucket(t, other(t), 0)
			mustCopy(t, db.store, target)
			if want == nil {
				db.db.grow(1000)
				db.backup(t)
				if r := mustCopy(t, db.store, target); r.Objects != 1 || r.Newest != 5 {
					t.Fatalf("%+v", r)
				}
				want = content(t, db.store)
				db.sound(t, target)
			}
			sameObjects(t, want, content(t, target))
			r, err := archive.New(target, archive.Options{}).Verify(t.Context(), archive.VerifyOptions{Checksums: true})
			if err != nil || len(r.Problems) > 0 || r.Snapshots != 5 || r.Unreferenced > 0 {
				t.Fatalf("%+v, %v", r, err)
			}
			if to == "minio" && r.Compared == 0 {
				t.Errorf("nothing was compared: %+v", r)
			}
		})
	}
}

func noise(n int) []byte {
	b := make([]byte, n)
	rand.NewChaCha8([32]byte{92}).Read(b)
	return b
}

// tracked is a store that counts how many bytes are being put at a time.
type tracked struct {
	store.Store
	now, most atomic.Int64
}

func (s *tracked) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if sums.Size <= 16<<20 {
		now := s.now.Add(sums.Size)
		defer s.now.Add(-sums.Size)
		for most := s.most.Load(); now > most && !s.most.CompareAndSwap(most, now); {
			most = s.most.Load()
		}
	}
	return s.Store.Put(ctx, key, body, sums)
}

// A copy's memory is bounded, however large objects are and however many are sent at once.
func TestCopyMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("writes half a gigabyte: run without -short")
	}
	db := newDatabase(t, t.TempDir(), 93)
	random := noise(200 << 20)
	db.set(name(db.last), random)
	db.flip(1)
	from := openBucket(t, "file://"+t.TempDir()+"/a", 0)
	mustBackup(t, archive.New(from, archive.Options{}), db)
	random = nil
	db.files = nil
	scratch := t.TempDir()
	copyTo := func(to store.Store) (allocated uint64) {
		t.Helper()
		var before, after runtime.MemStats
		runtime.GC()
		runtime.ReadMemStats(&before)
		_, err := archive.Copy(t.Context(), archive.New(from, archive.Options{}), archive.New(to, archive.Options{Transfers: 16}), archive.CopyOptions{Scratch: scratch})
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		return after.TotalAlloc - before.TotalAlloc
	}
	allocated := copyTo(openBucket(t, "file://"+t.TempDir()+"/b", 0))
	t.Logf("copying an object of 200 MiB allocated %d KiB in all", allocated>>10)
	if allocated > 24<<20 {
		t.Errorf("copying an object of 200 MiB allocated %d MiB", allocated>>20)
	}
	if left, err := os.ReadDir(scratch); err != nil || len(left) > 0 {
		t.Errorf("left in the scratch directory: %v, %v", left, err)
	}

	db = newDatabase(t, t.TempDir(), 94)
	for i := range 10 {
		db.set(name(db.last), append(noise(9<<20), byte(i)))
		db.flip(1)
	}
	from = openBucket(t, "file://"+t.TempDir()+"/c", 0)
	mustBackup(t, archive.New(from, archive.Options{}), db)
	to := &tracked{Store: openBucket(t, "file://"+t.TempDir()+"/d", 0)}
	copyTo(to)
	if most := to.most.Load(); most > 64<<20 || most < 9<<20 {
		t.Errorf("%d MiB were on their way at once", most>>20)
	}
}

// A large object is read on from where the connection broke. A damaged one is refused before a byte
// of it is sent; without a directory for scratch files the error names that.
func TestCopyOfLarge(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 95)
		db.set(name(db.last), noise(17<<20))
		db.flip(1)
		store := storetest.Memory(t)
		mustBackup(t, archive.New(store, archive.Options{}), db)
		i := slices.IndexFunc(store.Keys(manifest.DataPrefix), func(k string) bool { return len(store.Snapshot().Bytes(k)) > 1<<20 })
		key := store.Keys(manifest.DataPrefix)[i]
		good := store.Snapshot().Bytes(key)

		to := storetest.Memory(t)
		_, err := archive.Copy(context.Background(), archive.New(store, archive.Options{}), archive.New(to, archive.Options{}), archive.CopyOptions{Scratch: filepath.Join(t.TempDir(), "missing")})
		if !errors.Is(err, os.ErrNotExist) || len(to.Keys(manifest.ManifestsPrefix)) > 0 {
			t.Fatalf("%v", err)
		}
		for _, at := range []int{0, len(good) / 2, len(good) - 1} {
			bad := slices.Clone(good)
			bad[at] ^= 1
			store.Replace(key, bad)
			r, err := archive.Copy(context.Background(), archive.New(store, archive.Options{}), archive.New(to, archive.Options{}), archive.CopyOptions{})
			if err != nil || len(r.Problems) != 1 || r.Problems[0].Object != key || to.Snapshot().Bytes(key) != nil {
				t.Fatalf("byte %d is bad: %+v, %v", at, r, err)
			}
		}
		store.Replace(key, good)
		step := 1
		if brief() {
			step = 3
		}
		for n := 0; n < 12; n += step {
			to := storetest.Memory(t)
			from := storetest.NewFaulty(store, n, storetest.AnswerLost)
			_, err := archive.Copy(context.Background(), archive.New(from, archive.Options{}), archive.New(to, archive.Options{}), archive.CopyOptions{})
			if err != nil && !errors.Is(err, storetest.ErrInjected) {
				t.Fatal(err)
			}
			mustCopy(t, store, to)
			sameContent(t, store, to)
		}
	})
}
