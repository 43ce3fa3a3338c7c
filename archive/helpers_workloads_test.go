package archive_test

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// traffic counts the bytes that go to a store and come from it.
type traffic struct {
	store.Store
	sent, received, most atomic.Int64 // most is the largest size of one Get
}

func (c *traffic) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	c.sent.Add(sums.Size)
	return c.Store.Put(ctx, key, body, sums)
}

func (c *traffic) Get(ctx context.Context, key string, offset, length int64) (io.ReadCloser, error) {
	r, err := c.Store.Get(ctx, key, offset, length)
	if err != nil {
		return nil, err
	}
	if length < 0 {
		length = 1 << 60
	}
	c.most.Store(max(c.most.Load(), length))
	return &countedBody{r, &c.received}, nil
}

// manyFiles is a source of small files, each with content of its own, and of large ones.
type manyFiles struct {
	small, large int
	size         int64 // of a large one; 0: largeFile
}

const largeFile = 10 << 20

func (s *manyFiles) Layout() source.Layout {
	l, err := source.NewLayout(source.LayoutOptions{Name: "files", Pattern: `.*\.log`})
	if err != nil {
		panic(err)
	}
	return l
}

func (s *manyFiles) Capture(context.Context, func(source.File) bool) (*source.Capture, error) {
	then := time.Date(2026, 11, 1, 0, 0, 0, 0, time.UTC)
	size := cmp.Or(s.size, largeFile)
	var files []source.File
	for i := range s.small {
		f := source.File{Name: fmt.Sprintf("%08d.log", i), Modified: then}
		f.Size = int64(len(f.Name))
		files = append(files, f)
	}
	for i := range s.large {
		files = append(files, source.File{Name: fmt.Sprintf("9%07d.log", i), Modified: then, Size: size})
	}
	return source.NewCapture(files, then.Add(time.Hour), func(f source.File) (source.Content, error) {
		content := []byte(f.Name)
		if f.Size == size {
			content = bytes.Repeat(content, int(size)/len(content)+1)[:size]
		}
		return still{bytes.NewReader(content)}, nil
	}), nil
}

// still is content that does not change.
type still struct{ *bytes.Reader }

func (still) Close() error     { return nil }
func (still) Unchanged() error { return nil }

// The costs of one new file among many, and of no new file, do not depend on the number of files,
// if the newest manifest is in memory, as in a service.
func TestCostOfOneNewFileAmongMany(t *testing.T) {
	t.Parallel()
	soaktest.SkipIfRacing(t)
	for _, many := range []int{20_000, 200_000} {
		if many > 20_000 && brief() {
			continue
		}
		t.Run(fmt.Sprint(many), func(t *testing.T) {
			counted := &traffic{Store: storetest.Memory(t)}
			store := storetest.NewFaulty(counted, -1, storetest.NotApplied)
			a, src := archive.New(store, archive.Options{}), &manyFiles{small: many}
			for i, c := range []struct {
				large, requests int
				bytes           int64
			}{{0, 1 << 20, 1 << 40}, {1, 1 + 9, largeFile + 256<<10}, {1, 6, 256 << 10}} { // one of them reads archive.json again before the commit
				src.large = c.large
				store.Arm(-1, storetest.NotApplied)
				counted.sent.Store(0)
				counted.received.Store(0)
				res, err := a.Backup(t.Context(), src, options)
				if err != nil || res.Committed != (i < 2) {
					t.Fatalf("%d: %+v, %v", i, res, err)
				}
				sent, received := counted.sent.Load(), counted.received.Load()
				t.Logf("%d: %+v, %d bytes sent, %d received", i, store.Ops(), sent, received)
				if n := store.Ops().Total(); n > c.requests || sent+received > c.bytes || i == 2 && sent > 0 {
					t.Errorf("%d: %+v, %d bytes sent, %d received", i, store.Ops(), sent, received)
				}
			}
		})
	}
}
