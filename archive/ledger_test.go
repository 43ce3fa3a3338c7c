package archive_test

import (
	"context"
	"fmt"
	"io"
	"iter"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// While others write one ledger record after the other, a reader still gets its answer, and soon: a
// reader does not pause between a listing and the read that follows it.
func TestReadingBesideManyRecords(t *testing.T) {
	t.Parallel()
	virtually(t, func(t *testing.T) {
		const request = 100 * time.Millisecond
		mem := storetest.Memory(t)
		db := newDatabase(t, t.TempDir(), 31)
		db.flip(1)
		mustBackup(t, archive.New(mem, archive.Options{}), db)

		ctx, stop := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i := 0; ctx.Err() == nil; i++ {
				if _, err := archive.New(mem, archive.Options{}).Hold(ctx, archive.Selector{}, fmt.Sprint("once more ", i)); err != nil && ctx.Err() == nil {
					t.Error(err)
				}
				time.Sleep(400*time.Millisecond + rand.N(400*time.Millisecond))
			}
		}()
		slow := &weak{InMemory: mem}
		slow.get = func(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
			time.Sleep(request)
			return mem.Get(ctx, key, offset, length)
		}
		slow.list = func(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
			return func(yield func(store.Object, error) bool) {
				time.Sleep(request)
				mem.List(ctx, prefix, delimiter, after)(yield)
			}
		}
		for range 60 {
			start := time.Now()
			if _, err := archive.New(slow, archive.Options{}).Snapshot(ctx, archive.Selector{}); err != nil {
				t.Error(err)
			}
			if took := time.Since(start); took > 100*request {
				t.Errorf("it took %v", took)
			}
		}
		stop()
		<-done
	})
}
