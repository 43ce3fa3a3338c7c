package archive_test

import (
	"context"
	"errors"
	"io"
	"iter"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// hugeObject shows one object of a store as one of a tebibyte.
type hugeObject struct {
	*storetest.InMemory
	key  string
	read atomic.Int64
}

const (
	tebibyte = 1 << 40
	// mostRead is what one operation may read of the object, with all its attempts and passes.
	mostRead = 1 << 30
)

func (h *hugeObject) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	if key != h.key {
		return h.InMemory.Get(ctx, key, offset, length)
	}
	if length < 0 {
		length = tebibyte - offset
	}
	return io.NopCloser(io.LimitReader(h, length)), nil
}

func (h *hugeObject) Read(b []byte) (int, error) {
	if h.read.Add(int64(len(b))) > mostRead {
		return 0, errors.New("far too much is read")
	}
	return len(b), nil
}

func (h *hugeObject) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		for o, err := range h.InMemory.List(ctx, prefix, delimiter, after) {
			if o.Key == h.key {
				o.Size = tebibyte
			}
			if !yield(o, err) {
				return
			}
		}
	}
}

func (h *hugeObject) Stat(ctx context.Context, key string) (store.Object, error) {
	o, err := h.InMemory.Stat(ctx, key)
	if err == nil && key == h.key {
		o.Size = tebibyte
	}
	return o, err
}

// An attacker who may write to the store can put terabytes under any key, on a file system without using space. No operation
// reads them all: that would take hours, and may cost the price of the traffic. A backup goes on beside them.
func TestVandalWithAHugeObject(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	for _, key := range []string{
		manifest.ManifestKey(5), manifest.ManifestKey(6), manifest.ManifestKey(4), manifest.LedgerKey(2), manifest.LedgerKey(3),
		manifest.ArchiveKey, manifest.ProofsPrefix + "20991231T235959Z-verify-0123456789abcdef.json",
	} {
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			virtually(t, func(t *testing.T) {
				h := vandalized(t)
				h.store.Replace(key, []byte("huge"))
				s := &hugeObject{InMemory: h.store, key: key}
				open := func() *archive.Archive { return archive.New(s, archive.Options{}) }
				for name, operation := range map[string]func() error{
					"list":   func() error { _, err := open().List(t.Context(), 0); return err },
					"verify": func() error { _, err := open().Verify(t.Context(), archive.VerifyOptions{ReadData: true}); return err },
					"prune": func() error {
						_, err := open().Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 2}, DryRun: true})
						return err
					},
					"restore": func() error {
						_, err := open().Snapshot(t.Context(), archive.Selector{})
						return err
					},
					"repair": func() error {
						_, err := open().Verify(t.Context(), archive.VerifyOptions{Repair: &archive.RepairFrom{}})
						return err
					},
				} {
					s.read.Store(0)
					err := operation()
					if s.read.Load() > mostRead {
						t.Errorf("%s reads it all: %v", name, err)
					}
				}
				s.read.Store(0)
				h.db.grow(50)
				res, err := open().Backup(t.Context(), h.db.source(), options)
				if s.read.Load() > mostRead || err != nil && !errors.Is(err, archive.ErrDamaged) {
					t.Fatalf("backup: %v", err)
				}
				if key == manifest.ManifestKey(6) || key == manifest.ManifestKey(5) {
					if err != nil {
						t.Fatalf("a backup stops: %v", err)
					}
					mustRestore(t, open(), res.Snapshot.Sequence, filepath.Join(t.TempDir(), "r"), h.db.files)
				}
			})
		})
	}
}
