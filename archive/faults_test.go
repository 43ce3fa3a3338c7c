package archive_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"

	"pgregory.net/rapid"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/memtemp"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

func TestMain(m *testing.M) {
	memtemp.Use()
	// Tests side by side are those that mostly wait for a slow network. (-parallel prevails.)
	if err := flag.Set("test.parallel", "8"); err != nil {
		panic(err)
	}
	os.Exit(m.Run())
}

func mkdir(t tb, elements ...string) string {
	t.Helper()
	dir := filepath.Join(elements...)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatalf("%v", err)
	}
	return dir
}

// brief reports whether fewer rounds of the same will do: with -short, and with the race
// detector, which takes minutes for them and finds in the thousandth what it finds in the first.
func brief() bool { return testing.Short() || soaktest.Racing }

// checkSeed runs a property n times with cases that depend on the seed alone.
func checkSeed(t *testing.T, seed uint64, n int, property func(*rapid.T)) {
	t.Helper()
	err := errors.Join(setRapidChecks(n), flag.Set("rapid.seed", fmt.Sprint(seed+1))) // 0 draws a seed
	if err != nil {
		t.Fatal(err)
	}
	rapid.Check(t, property)
}

// history is a database in three states; the first two are archived.
type history struct {
	db    *database
	store *storetest.InMemory
	want  map[int64]map[string][]byte
}

func newHistory(t testing.TB, files int) *history {
	h := &history{db: newDatabase(t, t.TempDir(), 11), store: storetest.Memory(t), want: map[int64]map[string][]byte{}}
	a := archive.New(h.store, archive.Options{})
	for n := range 2 {
		h.db.fill(files+3*n, 50)
		h.db.grow(30)
		mustBackup(t, a, h.db)
		h.want[int64(n+1)] = maps.Clone(h.db.files)
	}
	h.db.grow(10)
	h.db.flip(20)
	h.db.flip(20)
	return h
}

// sound checks the promises on a store: every listed snapshot restores its original content.
func (h *history) sound(t testing.TB, store *storetest.InMemory) {
	t.Helper()
	a := archive.New(store, archive.Options{})
	for _, s := range mustList(t, a) {
		want, ok := h.want[s.Sequence]
		if !ok {
			want = h.db.files
		}
		mustRestore(t, a, s.Sequence, filepath.Join(t.TempDir(), "r"), want)
	}
	mustVerify(t, a)
}

// A mode is how an operation fails, and whether anything works after it.
type mode struct {
	storetest.Mode
	down bool
}

var modes = []mode{
	{storetest.NotApplied, false},
	{storetest.AnswerLost, false},
	{storetest.NotApplied, true},
	{storetest.AnswerLost, true},
}

func (m mode) String() string {
	if m.down {
		return m.Mode.String() + " and nothing after"
	}
	return m.Mode.String()
}

// fault makes operation n of a store fail.
func (m mode) fault(s store.Store, n int) *storetest.Faulty {
	f := storetest.NewFaulty(s, n, m.Mode)
	if m.down {
		f.Down()
	}
	return f
}

// Operation n of the store fails, for every n until a backup succeeds: every listed
// snapshot restores, a rerun succeeds, and nothing acknowledged is sent again.
func TestEveryOperationOfABackupFails(t *testing.T) {
	t.Parallel()
	for _, files := range []int{3, 260} { // with pages, too
		h := newHistory(t, files)
		for _, mode := range modes {
			if files > 100 && mode.down && brief() {
				continue
			}
			t.Run(fmt.Sprintf("%d files, %s", files, mode.String()), func(t *testing.T) {
				virtually(t, func(t *testing.T) {
					for n := 0; ; n++ {
						store := h.store.Clone()
						f := mode.fault(store, n)
						_, err := archive.New(f, archive.Options{Transfers: 2}).Backup(context.Background(), h.db.source(), options)
						if err != nil && !errors.Is(err, storetest.ErrInjected) {
							t.Fatalf("operation %d: %v", n, err)
						}
						if files < 100 || n%5 == 0 {
							h.sound(t, store)
						}
						hit := f.Hit()
						rerun(t, f, h.db)
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

// rerun runs a backup again once the cause is gone. It succeeds, its snapshot restores, and no
// acknowledged object was sent twice.
func rerun(t testing.TB, f *storetest.Faulty, db *database) {
	t.Helper()
	f.Arm(-1, storetest.NotApplied)
	a := archive.New(f, archive.Options{})
	mustBackup(t, a, db)
	mustRestore(t, a, 0, filepath.Join(t.TempDir(), "r"), db.files)
	for _, again := range f.SentAgain() {
		if again != manifest.ArchiveKey { // by that the store proves that it is create-only
			t.Fatalf("acknowledged, and sent again: %q", again)
		}
	}
}

// The same for a first backup, into nothing.
func TestEveryOperationOfAFirstBackupFails(t *testing.T) {
	t.Parallel()
	db := newDatabase(t, t.TempDir(), 12)
	db.fill(4, 40)
	for _, mode := range modes {
		t.Run(mode.String(), func(t *testing.T) {
			virtually(t, func(t *testing.T) {
				for n := 0; ; n++ {
					store := storetest.Memory(t)
					f := mode.fault(store, n)
					archive.New(f, archive.Options{Transfers: 1}).Backup(context.Background(), db.source(), options)
					hit := f.Hit()
					rerun(t, f, db)
					mustVerify(t, archive.New(store, archive.Options{}))
					if !hit {
						return
					}
				}
			})
		})
	}
}

// Operation n fails during a restore, for every n. Until all is done the target does not exist, or
// is marked as incomplete, and a rerun completes it.
func TestEveryOperationOfARestoreFails(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 5)
	for _, mode := range modes {
		for _, existing := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, existing=%v", mode, existing), func(t *testing.T) {
				virtually(t, func(t *testing.T) {
					for n := 0; ; n++ {
						dir := filepath.Join(t.TempDir(), "restored")
						if existing {
							mkdir(t, dir)
						}
						f := mode.fault(h.store, n)
						err := restoreNewest(archive.New(f, archive.Options{Transfers: 2}), dir)
						switch {
						case err != nil && !errors.Is(err, storetest.ErrInjected):
							t.Fatalf("operation %d: %v", n, err)
						case err == nil:
							compare(t, dir, h.want[2])
						case !existing:
							if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
								t.Fatalf("operation %d: the target exists after a failure: %v", n, err)
							}
						default:
							incompleteOrUntouched(t, dir)
						}
						if err := restoreNewest(archive.New(h.store, archive.Options{}), dir); err != nil {
							t.Fatalf("operation %d: the rerun: %v", n, err)
						}
						compare(t, dir, h.want[2])
						if !f.Hit() {
							return
						}
					}
				})
			})
		}
	}
}

func restoreNewest(a *archive.Archive, dir string) error {
	m, err := a.Snapshot(context.Background(), archive.Selector{})
	if err != nil {
		return err
	}
	_, err = a.Restore(context.Background(), m, dir, archive.RestoreOptions{})
	return err
}

func incompleteOrUntouched(t testing.TB, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(dir, archive.IncompleteMarker)); len(entries) > 0 && err != nil {
		t.Fatalf("%d files and no marker: %v", len(entries), err)
	}
}

// If a listing fails or a summary cannot be read, List reports that and loses nothing.
func TestEveryOperationOfAListFails(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		h := newHistory(t, 3)
		for _, mode := range modes {
			for n := 0; ; n++ {
				f := mode.fault(h.store, n)
				l, err := archive.New(f, archive.Options{}).List(context.Background(), 0)
				if err == nil && len(l) != 2 {
					t.Fatalf("operation %d, %s: %d snapshots and no error", n, mode.String(), len(l))
				}
				if !f.Hit() {
					break
				}
			}
		}
	})
}

// withheld is a store that does not give out one object.
type withheld struct {
	store.Store
	key string
}

var errWithheld = errors.New("access denied")

func (w withheld) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if key == w.key {
		return nil, errWithheld
	}
	return w.Store.Get(ctx, key, offset, length)
}

// A manifest that cannot be fetched is listed as such, with all the others.
func TestListWithoutOneManifest(t *testing.T) {
	t.Parallel()
	h := newHistory(t, 3)
	l, err := archive.New(withheld{h.store, manifest.ManifestKey(1)}, archive.Options{}).List(context.Background(), 0)
	if err != nil || len(l) != 2 || l[0].Sequence != 1 || !errors.Is(l[0].Err, errWithheld) || l[1].Err != nil || l[1].Sequence != 2 {
		t.Fatalf("%+v, %v", l, err)
	}
}

// setRapidChecks sets how many cases rapid draws; only its flag sets that.
func setRapidChecks(n int) error { return flag.Set("rapid.checks", fmt.Sprint(n)) }

// virtually runs a test in virtual time, so that pauses between attempts take no real time.
func virtually(t *testing.T, f func(*testing.T)) { synctest.Test(t, f) }
