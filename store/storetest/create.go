package storetest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
	"github.com/strongroom-dev/strongroom/store"
)

const racers = 50

// race starts many Puts of one key at the same moment.
func race(t *testing.T, s store.Store, key string, content func(i int) []byte) (stored []store.PutResult, errs []error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), deadline)
	defer cancel()
	stored, errs = make([]store.PutResult, racers), make([]error, racers)
	start := make(chan struct{})
	var wg sync.WaitGroup
	for i := range racers {
		wg.Go(func() {
			b := content(i)
			sums := SumsOf(b)
			<-start
			stored[i], errs[i] = s.Put(ctx, key, bytes.NewReader(b), sums)
		})
	}
	close(start)
	wg.Wait()
	return stored, errs
}

// One writer wins, the others get ErrExists, and the object is the winner's.
func raceOfDifferentContents(t *testing.T, s store.Store, o Options) {
	for _, size := range []int{20, 300_000} {
		key := fmt.Sprintf("race/%d", size)
		contentOf := func(i int) []byte {
			return bytes.Repeat(fmt.Appendf(nil, "%02d", i), size/2)
		}
		stored, errs := race(t, s, key, contentOf)
		winner := -1
		for i := range racers {
			switch {
			case errs[i] == nil && winner >= 0:
				t.Fatalf("writers %d and %d both won", winner, i)
			case errs[i] == nil:
				winner = i
				if stored[i].Existed {
					t.Errorf("the result of the winner %d is that the object existed", i)
				}
			case !errors.Is(errs[i], store.ErrExists):
				t.Errorf("loser %d: %v, want ErrExists", i, errs[i])
			}
		}
		if winner < 0 {
			t.Fatalf("no writer won: %v", errs[0])
		}
		hasContent(t, s, o, key, SumsOf(contentOf(winner)))
	}
}

func raceOfTheSameContent(t *testing.T, s store.Store, o Options) {
	for _, size := range []int{20, 300_000} {
		b := bytes.Repeat([]byte("same"), size/4)
		key := fmt.Sprintf("race/%d", size)
		stored, errs := race(t, s, key, func(int) []byte { return b })
		made := 0
		for i := range racers {
			if errs[i] != nil {
				t.Errorf("writer %d: %v", i, errs[i])
			}
			if errs[i] == nil && !stored[i].Existed {
				made++
			}
		}
		if made > 1 {
			t.Errorf("%d writers made the object", made)
		}
		hasContent(t, s, o, key, SumsOf(b))
	}
}

func rewrite(t *testing.T, s store.Store, o Options) {
	sizes := []int64{0, 5, 2 << 20}
	if o.Boundary > 0 {
		sizes = append(sizes, o.Boundary+3)
	}
	for _, size := range sizes {
		key := fmt.Sprintf("rewrite/%d", size)
		c := content{1, size}
		sums := c.sums()
		for i, want := range []bool{false, true, true} {
			stored, err := s.Put(t.Context(), key, c, sums)
			if err != nil || stored.Existed != want {
				t.Fatalf("Put %d of %s: Existed %v, %v; want %v", i+1, key, stored.Existed, err, want)
			}
		}
		for _, other := range []content{{2, size}, {1, size + 1}} {
			if other.size == 0 {
				continue // empty contents are equal
			}
			if err := tryPut(t, s, key, other, other.sums()); !errors.Is(err, store.ErrExists) {
				t.Errorf("Put of other content to %s: %v, want ErrExists", key, err)
			}
		}
		hasContent(t, s, o, key, sums)
	}
}

// sizes are put and read back around each boundary between one request and several.
func sizes(t *testing.T, s store.Store, o Options) {
	all := []int64{0, 1, block, 100_001}
	if b, p := o.Boundary, o.Part; b > 0 && p > 0 {
		n := (b + p) / p * p // a whole number of parts, beyond one request
		all = append(all, b-1, b, b+1, n-1, n, n+1)
	}
	for i, size := range all {
		c := content{uint64(i), size}
		key, sums := fmt.Sprintf("sizes/%d", size), c.sums()
		if err := tryPut(t, s, key, c, sums); err != nil {
			t.Fatalf("Put of %d bytes: %v", size, err)
		}
		hasContent(t, s, o, key, sums)
		if o.Uploads != nil && o.Uploads(t, s, key) != 0 {
			t.Errorf("Put of %d bytes left an upload behind", size)
		}
	}
}

// LargeFile returns the size of a large object, in bytes. It has several parts at every provider. In a full run it
// is so large that memory use proportional to it would show.
func LargeFile(t testing.TB) int64 {
	if soaktest.IsFull(t) {
		return 1 << 30
	}
	return 40 << 20
}

// Large checks that a store creates an object of LargeFile bytes, returns it, and recognizes it in a second Put.
func Large(t *testing.T, s store.Store, o Options) {
	t.Helper()
	size := LargeFile(t)
	c := newLargeFile(size)
	sums := c.sums
	start := time.Now()
	stored, err := s.Put(t.Context(), "large", c, sums)
	if err != nil || stored.Existed {
		t.Fatalf("Put: %+v, %v", stored, err)
	}
	t.Logf("%d MiB sent in %v", size>>20, time.Since(start).Round(time.Millisecond))
	hasContent(t, s, o, "large", sums)
	start = time.Now()
	if stored, err = s.Put(t.Context(), "large", c, sums); err != nil || !stored.Existed {
		t.Fatalf("Put again: %+v, %v", stored, err)
	}
	t.Logf("found again in %v", time.Since(start).Round(time.Millisecond))
	if err := s.Delete(t.Context(), store.AnyVersion("large")); err != nil {
		t.Error(err)
	}
}

// largeFile is a large content that needs little memory: one MiB repeated, with the repetition's number at its
// beginning.
type largeFile struct {
	mib  []byte
	size int64
	sums store.Sums
	read atomic.Int64 // bytes read
}

func newLargeFile(size int64) *largeFile {
	h := &largeFile{mib: make([]byte, 1<<20), size: size}
	if _, err := (content{7, 1 << 20}).ReadAt(h.mib, 0); err != nil && !errors.Is(err, io.EOF) {
		panic(err)
	}
	h.sums = sumsOfReader(io.NewSectionReader(h, 0, size))
	h.read.Store(0)
	return h
}

// ReadAt implements io.ReaderAt.
func (h *largeFile) ReadAt(b []byte, off int64) (n int, err error) {
	for n < len(b) && off < h.size {
		in := off % (1 << 20)
		m := copy(b[n:], h.mib[in:min(1<<20, h.size-off+in)])
		for i := in; i < 8 && i-in < int64(m); i++ {
			b[n+int(i-in)] = byte(off >> 20 >> (8 * i))
		}
		n, off = n+m, off+int64(m)
	}
	h.read.Add(int64(n))
	if n < len(b) {
		return n, io.EOF
	}
	return n, nil
}
