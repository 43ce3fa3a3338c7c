package archive_test

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/internal/testmount"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// hangingStore calls hang when content is put, and does not answer before the request is canceled.
type hangingStore struct {
	store.Store
	hang  func()
	hangs atomic.Bool
}

func (s *hangingStore) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if strings.HasPrefix(key, manifest.DataPrefix) && s.hangs.Load() {
		s.hang()
		<-ctx.Done()
		return store.PutResult{}, context.Cause(ctx)
	}
	return s.Store.Put(ctx, key, body, sums)
}

// Sending may take hours, in which the database uses up the disk that the scratch files are on. The
// backup then gives them up, so that their space is free again, and fails. The same backup succeeds
// once there is space.
func TestScratchIsGivenUpWhileItIsSent(t *testing.T) {
	t.Parallel()
	mount := t.TempDir()
	unmount, err := testmount.Tmpfs(mount, "size=4m")
	if err != nil {
		t.Skipf("mounting a small file system needs root and Linux: %v", err)
	}
	t.Cleanup(func() { _ = unmount() })
	free := func() int64 {
		var s unix.Statfs_t
		if err := unix.Statfs(mount, &s); err != nil {
			t.Error(err)
		}
		return int64(s.Bavail) * int64(s.Bsize)
	}
	const reserve = 1 << 20
	budget, err := encoding.NewBudget(encoding.Limits{Memory: 1, Scratch: mount, Reserve: reserve})
	if err != nil {
		t.Fatal(err)
	}
	virtually(t, func(t *testing.T) {
		db := newDatabase(t, t.TempDir(), 73)
		db.grow(1 << 20)
		db.flip(1)
		e, err := encoding.New(encoding.Settings{Recipients: []string{newIdentity(t).Recipient().String()}, Budget: budget})
		if err != nil {
			t.Fatal(err)
		}
		log := filepath.Join(mount, "log")
		s := &hangingStore{Store: storetest.Memory(t), hang: func() {
			if err := os.WriteFile(log, make([]byte, 2<<20+4096), 0o600); err != nil { // the database's
				t.Error(err)
			}
		}}
		s.hangs.Store(true)
		a := archive.New(s, archive.Options{Encoder: e, Transfers: 1})
		_, err = a.Backup(t.Context(), db.source(), options)
		if !errors.Is(err, encoding.ErrNoSpace) || !contains(err, "given up") {
			t.Errorf("the backup ends with %v", err)
		}
		if n := free(); n < reserve || e.CheckScratch() != nil {
			t.Errorf("%d bytes are free", n)
		}
		s.hangs.Store(false)
		if err := os.Remove(log); err != nil {
			t.Fatal(err)
		}
		if _, err := a.Backup(t.Context(), db.source(), options); err != nil {
			t.Errorf("with space: %v", err)
		}
	})
}
