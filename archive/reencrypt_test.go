package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A re-encrypting copy opens with the new identity and not with the old one. It has every snapshot
// with its content, times and states, and an interrupted copy can be continued.
func TestReencrypt(t *testing.T) {
	t.Parallel()
	old, fresh := newIdentity(t), newIdentity(t)
	for _, many := range []int{3, 30} {
		bucket, target := storetest.Memory(t), storetest.Memory(t)
		o := archive.Options{Encoder: encoder(t, encoding.Zstd, old), Decoder: decoder(old)}
		db := newDatabase(t, t.TempDir(), 3)
		var want []map[string][]byte
		for i := range 4 {
			if i%2 == 0 {
				growText(db, i, many)
			} else { // the tail grows
				db.set(name(db.last), append(bytes.Clone(db.files[name(db.last)]), text(i, 900)...))
			}
			mustBackup(t, archive.New(bucket, o), db)
			want = append(want, maps.Clone(db.files))
		}
		if _, err := archive.New(bucket, archive.Options{}).Prune(t.Context(), archive.PruneOptions{}); err != nil {
			t.Fatal(err)
		}
		to := archive.Options{Encoder: encoder(t, encoding.None, fresh), Decoder: decoder(fresh)}
		again := func(fail int) (*archive.CopyReport, error) {
			var s store.Store = target
			if fail >= 0 {
				s = storetest.NewFaulty(target, fail, storetest.NotApplied).Down()
			}
			return archive.Reencrypt(t.Context(), archive.New(bucket, o), archive.New(s, to), archive.CopyOptions{Tool: "test"})
		}
		if _, err := again(15); !errors.Is(err, storetest.ErrInjected) {
			t.Fatal(err)
		}
		r, err := again(-1)
		if err != nil || r.Newest != 4 {
			t.Fatalf("%+v, %v", r, err)
		}
		if r, err := again(-1); err != nil || len(r.Snapshots) > 0 {
			t.Fatalf("nothing is new: %+v, %v", r, err)
		}
		a, b := archive.New(bucket, o), archive.New(target, to)
		for n := int64(1); n <= 4; n++ {
			mustRestore(t, b, n, filepath.Join(t.TempDir(), "r"), want[n-1])
			m, err := b.Snapshot(t.Context(), archive.Selector{Sequence: n})
			if err != nil {
				t.Fatal(err)
			}
			was, err := a.Snapshot(t.Context(), archive.Selector{Sequence: n})
			if err != nil || !was.Created.Equal(m.Created) || m.Archive == was.Archive || !strings.HasSuffix(m.Tool, fmt.Sprintf(" from %s@%d", was.Archive, n)) {
				t.Fatalf("%+v, %v", m.Summary, err)
			}
			if !slices.Equal(m.Recipients, []string{fresh.Recipient().String()}) {
				t.Errorf("recipients %q", m.Recipients)
			}
		}
		if _, err := archive.New(target, archive.Options{Decoder: decoder(old)}).Restore(t.Context(), newest(t, b), filepath.Join(t.TempDir(), "r"), archive.RestoreOptions{}); !errors.Is(err, archive.ErrNoIdentity) {
			t.Fatalf("the old key opens it: %v", err)
		}
		mustVerify(t, b)
		// A backup to it makes another history of it.
		mustBackup(t, b, newDatabase(t, db.dir, 99))
		if _, err := again(-1); !errors.Is(err, archive.ErrNoCopy) {
			t.Fatal(err)
		}
	}
}

// A part that the copy cannot decrypt, for lack of an identity, stops it, and nothing is committed.
func TestReencryptWithoutIdentity(t *testing.T) {
	t.Parallel()
	bucket, target := storetest.Memory(t), storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 3)
	growText(db, 1, 2)
	mustBackup(t, archive.New(bucket, archive.Options{Encoder: encoder(t, encoding.Zstd, newIdentity(t))}), db)
	_, err := archive.Reencrypt(t.Context(), archive.New(bucket, archive.Options{}), archive.New(target, archive.Options{}), archive.CopyOptions{})
	if !errors.Is(err, archive.ErrNoIdentity) || len(target.Keys(manifest.ManifestsPrefix)) > 0 {
		t.Fatal(err, target.Keys(""))
	}
}

// A file changed with its size and time unchanged, which the original's host noticed. Each snapshot
// of the copy has its content as the original snapshot has it.
func TestReencryptOfWhatLooksTheSame(t *testing.T) {
	t.Parallel()
	bucket, target := storetest.Memory(t), storetest.Memory(t)
	db := newDatabase(t, t.TempDir(), 3)
	db.fill(6, 40)
	a := archive.New(bucket, archive.Options{})
	mustBackup(t, a, db)
	was := maps.Clone(db.files)
	path := filepath.Join(db.dir, name(1))
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	db.rewrite(name(1))
	if err := os.Chtimes(path, info.ModTime(), info.ModTime()); err != nil {
		t.Fatal(err)
	}
	if res := mustBackup(t, a, db); len(res.Changed) != 1 {
		t.Fatalf("%+v", res)
	}
	copied := archive.New(target, archive.Options{})
	for i, want := range []int{2, 0} {
		r, err := archive.Reencrypt(t.Context(), archive.New(bucket, archive.Options{}), copied, archive.CopyOptions{Tool: "test"})
		if err != nil || len(r.Snapshots) != want {
			t.Fatalf("run %d: %+v, %v", i, r, err)
		}
	}
	mustRestore(t, copied, 1, filepath.Join(t.TempDir(), "r"), was)
	mustRestore(t, copied, 2, filepath.Join(t.TempDir(), "r"), db.files)
}

// If two run at once, neither goes back behind the other.
func TestReencryptsAtOnce(t *testing.T) {
	t.Parallel()
	for seed := range 20 {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 6)
			target := storetest.Memory(t)
			var both sync.WaitGroup
			for range 2 {
				both.Go(func() {
					slow := &weak{InMemory: target}
					slow.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
						time.Sleep(rand.N(time.Second))
						return target.Put(ctx, key, body, sums)
					}
					archive.Reencrypt(t.Context(), h.archive(), archive.New(slow, archive.Options{}), archive.CopyOptions{Tool: "test"}) // one loses
				})
			}
			both.Wait()
			if _, err := archive.Reencrypt(t.Context(), h.archive(), archive.New(target, archive.Options{}), archive.CopyOptions{Tool: "test"}); err != nil {
				t.Fatal(err)
			}
			all := mustList(t, archive.New(target, archive.Options{}))
			if len(all) != 6 {
				t.Fatalf("run %d: %d snapshots", seed, len(all))
			}
			for i, s := range all {
				if !strings.HasSuffix(s.Tool, fmt.Sprintf("@%d", i+1)) {
					t.Errorf("run %d: snapshot %d is %s", seed, s.Sequence, s.Tool)
				}
			}
		})
	}
}

// inFlight holds back Gets of log files until more than a given number are under way at once, and
// records the greatest number.
type inFlight struct {
	store.Store
	over int64

	now, most atomic.Int64
}

func (f *inFlight) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if strings.HasPrefix(key, manifest.DataPrefix) {
		n := f.now.Add(1)
		defer f.now.Add(-1)
		for end := time.Now().Add(200 * time.Millisecond); n <= f.over && time.Now().Before(end); runtime.Gosched() {
			n = f.now.Load()
		}
		for most := f.most.Load(); n > most && !f.most.CompareAndSwap(most, n); most = f.most.Load() {
		}
	}
	return f.Store.Get(ctx, key, offset, length)
}

// The content under way is bounded as with a plain copy: 64 MiB in memory, and two scratch files.
func TestReencryptTakesLittleRoom(t *testing.T) {
	for size, most := range map[int64]int64{15 << 20: 4, 17 << 20: 2} {
		from := &inFlight{Store: storetest.Memory(t), over: most}
		if _, err := archive.New(from, archive.Options{}).Backup(t.Context(), &manyFiles{large: 6, size: size}, options); err != nil {
			t.Fatal(err)
		}
		to := archive.New(storetest.Memory(t), archive.Options{Encoder: encoder(t, encoding.Zstd)})
		if _, err := archive.Reencrypt(t.Context(), archive.New(from, archive.Options{}), to, archive.CopyOptions{Tool: "test", Scratch: t.TempDir()}); err != nil {
			t.Fatal(err)
		}
		if n := from.most.Load(); n > most {
			t.Errorf("%d files of %d bytes were on their way at once", n, size)
		}
	}
}

// A snapshot that is pruned from the original during a re-encrypting copy is left out, at whatever
// moment it is deleted, and does not end the copy.
func TestReencryptBesidePrune(t *testing.T) {
	t.Parallel()
	for _, prefix := range []string{manifest.ManifestsPrefix, manifest.DataPrefix} {
		virtually(t, func(t *testing.T) {
			h := newPruned(t, 5)
			target := storetest.Memory(t)
			s := meet(h.store)
			s.read = func(key string) {
				if n, ok := manifest.ParseManifestKey(key); strings.HasPrefix(key, prefix) && (!ok || n == 2) {
					s.read = nil
					h.keepLast(2)
				}
			}
			r, err := archive.Reencrypt(t.Context(), archive.New(s, archive.Options{}), archive.New(target, archive.Options{}), archive.CopyOptions{Tool: "test"})
			if err != nil || s.read != nil || !slices.Equal(r.Snapshots[len(r.Snapshots)-2:], []int64{4, 5}) {
				t.Fatalf("%s: %+v, %v", prefix, r, err)
			}
			all := mustList(t, archive.New(target, archive.Options{}))
			mustVerify(t, archive.New(target, archive.Options{}))
			mustRestore(t, archive.New(target, archive.Options{}), all[len(all)-1].Sequence, filepath.Join(t.TempDir(), "r"), h.want[5])
		})
	}
}
