package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/store"
)

// stages are sizes that an adapter handles in different ways.
func stages(o Options) []int64 {
	all := []int64{1000, 3 << 20}
	if o.Boundary > 0 {
		all = append(all, o.Boundary+o.Part+5)
	}
	return all
}

var errDisk = errors.New("input/output error")

// spoiledReader is a content whose reads beyond an offset are replaced by spoil.
type spoiledReader struct {
	content
	at    int64
	spoil func(b []byte, off int64) (int, error)
}

// ReadAt implements io.ReaderAt.
func (s *spoiledReader) ReadAt(b []byte, off int64) (int, error) {
	if off+int64(len(b)) > s.at {
		return s.spoil(b, off)
	}
	return s.content.ReadAt(b, off)
}

func sourceFails(t *testing.T, s store.Store, o Options) {
	for _, size := range stages(o) {
		key, c := fmt.Sprintf("fails/%d", size), content{1, size}
		body := &spoiledReader{c, size / 2, func([]byte, int64) (int, error) { return 0, errDisk }}
		if err := tryPut(t, s, key, body, c.sums()); !errors.Is(err, errDisk) {
			t.Errorf("%d bytes: %v, want the source's error", size, err)
		}
		nothing(t, s, o, key)
	}
}

func sourceIsShort(t *testing.T, s store.Store, o Options) {
	for _, size := range stages(o) {
		for _, have := range []int64{0, size / 2, size - 1} {
			key := fmt.Sprintf("short/%d", size)
			sums := content{1, size}.sums()
			if err := tryPut(t, s, key, content{1, have}, sums); !errors.Is(err, store.ErrMismatch) {
				t.Errorf("%d of %d bytes: %v, want ErrMismatch", have, size, err)
			}
			nothing(t, s, o, key)
		}
	}
}

// A log that has grown since it was hashed still begins with the promised bytes.
func sourceIsLonger(t *testing.T, s store.Store, o Options) {
	for _, size := range append(stages(o), 0) {
		key, sums := fmt.Sprintf("longer/%d", size), content{1, size}.sums()
		if err := tryPut(t, s, key, content{1, size + 100_000}, sums); err != nil {
			t.Errorf("%d bytes: %v", size, err)
			continue
		}
		hasContent(t, s, o, key, sums)
	}
}

// A byte changes after the source was hashed: at once, or between two readings.
func sourceChanges(t *testing.T, s store.Store, o Options) {
	for _, size := range stages(o) {
		for _, after := range []int64{0, 1} {
			key, c := fmt.Sprintf("changes/%d", size), content{1, size}
			var reads atomic.Int64
			last := size - 1
			body := &spoiledReader{c, last, nil}
			body.spoil = func(b []byte, off int64) (int, error) {
				n, err := c.ReadAt(b, off)
				if i := last - off; i >= 0 && i < int64(n) && reads.Add(1) > after {
					b[i] ^= 1
				}
				return n, err
			}
			err := tryPut(t, s, key, body, c.sums())
			if after == 1 && err == nil { // it was read once, before it changed
				hasContent(t, s, o, key, c.sums())
				if err := s.Delete(t.Context(), store.AnyVersion(key)); err != nil {
					t.Fatal(err)
				}
				continue
			}
			if !errors.Is(err, store.ErrMismatch) {
				t.Errorf("%d bytes, changed after %d readings: %v, want ErrMismatch", size, after, err)
			}
			nothing(t, s, o, key)
		}
	}
}

func wrongPromise(t *testing.T, s store.Store, o Options) {
	for _, size := range stages(o) {
		key, c := fmt.Sprintf("wrong/%d", size), content{1, size}
		wrong := c.sums()
		wrong.CRC32C ^= 1
		if err := tryPut(t, s, key, c, wrong); !errors.Is(err, store.ErrMismatch) {
			t.Errorf("%d bytes with a wrong CRC-32C: %v, want ErrMismatch", size, err)
		}
		nothing(t, s, o, key)
		if !o.HashesAll {
			continue
		}
		wrong = c.sums()
		wrong.SHA256[31] ^= 1
		if err := tryPut(t, s, key, c, wrong); !errors.Is(err, store.ErrMismatch) {
			t.Errorf("%d bytes with a wrong SHA-256: %v, want ErrMismatch", size, err)
		}
		nothing(t, s, o, key)
	}
}

// cancelMidway cancels a Put when a part of the source has been read. The Put must return soon and leave neither an
// object nor an upload. Another Put must then succeed.
func cancelMidway(t *testing.T, s store.Store, o Options) {
	for _, size := range stages(o) {
		key, c := fmt.Sprintf("cancel/%d", size), content{1, size}
		sums := c.sums()
		ctx, cancel := context.WithCancelCause(t.Context())
		var once atomic.Bool
		var at time.Time
		body := &spoiledReader{c, size / 2, func(b []byte, off int64) (int, error) {
			if once.CompareAndSwap(false, true) {
				at = time.Now()
				cancel(context.Canceled)
			}
			return c.ReadAt(b, off)
		}}
		_, err := s.Put(ctx, key, body, sums)
		took := time.Since(at)
		switch {
		case err == nil:
			t.Errorf("%d bytes: a canceled Put succeeded", size)
		case !errors.Is(err, context.Canceled):
			t.Errorf("%d bytes: %v, want context.Canceled", size, err)
		case took > 10*time.Second:
			t.Errorf("%d bytes: it took %v to return", size, took)
		}
		nothing(t, s, o, key)
		if err := tryPut(t, s, key, c, sums); err != nil {
			t.Errorf("%d bytes, the next Put: %v", size, err)
		}
		if err := s.Delete(t.Context(), store.AnyVersion(key)); err != nil {
			t.Fatal(err)
		}
	}
}

func canceledBefore(t *testing.T, s store.Store, o Options) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	c := content{1, 1000}
	if _, err := s.Put(ctx, "a", c, c.sums()); !errors.Is(err, context.Canceled) {
		t.Errorf("Put: %v", err)
	}
	nothing(t, s, o, "a")
	put(t, s, "a", []byte("a"))
	if r, err := s.Get(ctx, "a", 0, -1); err == nil {
		_, err = io.ReadAll(r)
		r.Close()
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("Get: %v", err)
		}
	}
	for _, err := range s.List(ctx, "", "", "") {
		if err == nil {
			continue // a file system may ignore the context
		}
		if !errors.Is(err, context.Canceled) {
			t.Errorf("List: %v", err)
		}
	}
}
