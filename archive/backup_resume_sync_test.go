package archive_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"sync"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// syncing records which objects were made durable, and which were not when a manifest was created.
type syncing struct {
	*storetest.InMemory
	mu     sync.Mutex
	synced map[string]bool
	early  []string // keys that were not durable at the commit
}

func newSyncing(s *storetest.InMemory) *syncing {
	return &syncing{InMemory: s, synced: map[string]bool{}}
}

func (s *syncing) Sync(_ context.Context, key string) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.synced[key] = true
	return nil
}

func (s *syncing) SyncAll(context.Context) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, key := range s.Keys("") {
		s.synced[key] = true
	}
	return nil
}

func (s *syncing) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	s.mu.Lock()
	if strings.HasPrefix(key, manifest.ManifestsPrefix) {
		for _, data := range s.Keys(manifest.DataPrefix) {
			if !s.synced[data] {
				s.early = append(s.early, data)
			}
		}
	}
	s.synced[key] = true // as each Put does
	s.mu.Unlock()
	return s.InMemory.Put(ctx, key, body, sums)
}

// An orphan of an interrupted run may be whole and not durable: the run linked it, and the power
// failed before the run synced its directory. A manifest that names the orphan could then survive a
// power loss that the orphan does not. So a run that adopts an object syncs it before the commit.
func TestWhatIsAdoptedIsMadeDurableFirst(t *testing.T) {
	t.Parallel()
	errStopped := errors.New("stopped before the commit")
	stopped := func(mem *storetest.InMemory) *weak {
		w := &weak{InMemory: mem}
		w.put = func(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
			if strings.HasPrefix(key, manifest.ManifestsPrefix) {
				return store.PutResult{}, errStopped
			}
			return mem.Put(ctx, key, body, sums)
		}
		return w
	}
	db := newDatabase(t, t.TempDir(), 12)
	db.fill(6, 400)

	mem := storetest.Memory(t)
	if _, err := archive.New(stopped(mem), archive.Options{}).Backup(t.Context(), db.source(), options); !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	s := newSyncing(mem)
	if res := mustBackup(t, archive.New(s, archive.Options{}), db); res.Adopted == 0 || len(s.early) > 0 {
		t.Errorf("the backup adopted %d, not durable: %q", res.Adopted, s.early)
	}

	to := storetest.Memory(t)
	if _, err := archive.Copy(t.Context(), archive.New(mem, archive.Options{}), archive.New(stopped(to), archive.Options{}), archive.CopyOptions{}); !errors.Is(err, errStopped) {
		t.Fatal(err)
	}
	s = newSyncing(to)
	if r := mustCopy(t, mem, s); r.Adopted == 0 || len(s.early) > 0 {
		t.Errorf("the copy adopted %d, not durable: %q", r.Adopted, s.early)
	}
}
