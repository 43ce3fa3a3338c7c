package objects

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/store"
)

// A rangeStore has one object. Its bodies return odd lengths; some break, end early, or have more than was requested.
type rangeStore struct {
	store.Store
	content  []byte
	requests atomic.Int64
	fault    func(offset int64) error // of a read at an offset; nil: none
	isBroken bool                     // the fault stays; else each offset fails once
	cut      int64                    // bytes that the object lacks at its end
	surplus  bool
	mu       sync.Mutex
	faulty   map[int64]bool // offsets that have failed
}

func (s *rangeStore) Get(ctx context.Context, _ string, offset, length int64) (io.ReadCloser, error) {
	s.requests.Add(1)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	end := min(offset+length, int64(len(s.content))-s.cut)
	b := bytes.Clone(s.content[min(offset, end):end])
	if s.surplus {
		b = append(b, 0)
	}
	return io.NopCloser(&oddBody{s: s, b: b, at: offset}), nil
}

type oddBody struct {
	s  *rangeStore
	b  []byte
	at int64
}

func (o *oddBody) Read(p []byte) (int, error) {
	if len(o.b) == 0 {
		return 0, io.EOF
	}
	if err := o.s.fail(o.at); err != nil {
		return 0, err
	}
	n := copy(p[:min(len(p), 3)], o.b)
	o.b, o.at = o.b[n:], o.at+int64(n)
	return n, nil
}

func (s *rangeStore) fail(at int64) error {
	if s.fault == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.faulty[at] && !s.isBroken {
		return nil
	}
	s.faulty[at] = true
	return s.fault(at)
}

func newRangeStore(size int) *rangeStore {
	s := &rangeStore{content: make([]byte, size), faulty: map[int64]bool{}}
	for i := range s.content {
		s.content[i] = byte(rand.Uint32())
	}
	return s
}

// smallSlots are slots for ranges of 8 bytes. A file has one of them.
func smallSlots(t *testing.T, transfers int) *Slots {
	t.Helper()
	s := (&Objects{Transfers: transfers, Ranges: RangeSizes{16, 8}}).NewSlots()
	if err := s.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	return s
}

// areReturned reports whether all slots but the file's own, and all buffers, can be used again: what a read keeps would
// slow down each later one of the operation, until it hangs.
func (s *Slots) areReturned(transfers int) bool {
	if !s.all.TryAcquire(int64(transfers - 1)) {
		return false
	}
	s.all.Release(int64(transfers - 1))
	return len(s.buffers)+s.unmade == min(transfers, maxRanges)
}

func readRange(ctx context.Context, from store.Store, s *Slots, offset, length int64, most int) ([]byte, error) {
	r := (&Objects{Store: from}).readStored(ctx, s, "key", offset, length)
	defer r.Close()
	var b []byte
	for p := make([]byte, most); ; {
		n, err := r.Read(p)
		if b = append(b, p[:n]...); err == io.EOF {
			return b, nil
		} else if err != nil {
			return b, err
		}
	}
}

// Ranges make up the object whatever its size, the number of transfers, and the lengths of the reads. A range that
// breaks continues where it was, and the others with it.
func TestRangesMakeUpTheObject(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("connection reset")
		for _, transfers := range []int{1, 2, 3, 40} {
			for _, size := range []int{16, 17, 23, 24, 25, 300} {
				for _, offset := range []int{0, 5} {
					from := newRangeStore(size + offset + 3)
					from.fault = func(at int64) error {
						if at%7 == 0 {
							return broken
						}
						return nil
					}
					s := smallSlots(t, transfers)
					what := fmt.Sprintf("%d transfers, %d bytes from %d", transfers, size, offset)
					b, err := readRange(t.Context(), from, s, int64(offset), int64(size), 1+rand.IntN(20))
					if err != nil || !bytes.Equal(b, from.content[offset:offset+size]) {
						t.Errorf("%s: %x, %v, want %x", what, b, err, from.content[offset:offset+size])
					}
					if !s.areReturned(transfers) {
						t.Errorf("%s: slots or buffers are missing", what)
					}
				}
			}
		}
	})
}

// A failed read of an object ends with the error of a range, and returns its slots and buffers. Bytes before the error
// may be used, and none after it.
func TestFailedRangesReturnWhatTheyTook(t *testing.T) {
	t.Parallel()
	down := errors.New("down")
	for what, c := range map[string]struct {
		spoil func(*rangeStore)
		want  error
	}{
		"the object is too short": {func(s *rangeStore) { s.cut = 30 }, values.ErrDamaged},
		"a range has more bytes":  {func(s *rangeStore) { s.surplus = true }, values.ErrDamaged},
		"a range always breaks": {func(s *rangeStore) {
			s.isBroken, s.fault = true, func(at int64) error { return map[bool]error{true: down}[at >= 48] }
		}, down},
	} {
		synctest.Test(t, func(t *testing.T) {
			from, s := newRangeStore(100), smallSlots(t, 4)
			c.spoil(from)
			b, err := readRange(t.Context(), from, s, 0, 100, 5)
			if !errors.Is(err, c.want) || !bytes.HasPrefix(from.content, b) {
				t.Errorf("%s: %d bytes, %v", what, len(b), err)
			}
			if !s.areReturned(4) {
				t.Errorf("%s: slots or buffers are missing", what)
			}
		})
	}
}

// A read of no bytes returns at once. A decoder may make one, and must not wait for ever.
func TestReadOfNothingReturns(t *testing.T) {
	t.Parallel()
	from, s := newRangeStore(100), smallSlots(t, 4)
	r := (&Objects{Store: from}).readStored(t.Context(), s, "key", 0, 100)
	defer r.Close()
	for range 2 {
		if n, err := r.Read(nil); n != 0 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		if _, err := r.Read(make([]byte, 1)); err != nil {
			t.Error(err)
		}
	}
}

// However many transfers there are, ranges take no more memory than maxRanges of them, together and with several
// objects at once.
func TestRangesHaveFewBuffers(t *testing.T) {
	t.Parallel()
	s := (&Objects{Transfers: 64, Ranges: RangeSizes{16, 8}}).NewSlots()
	taken := 0
	for s.take() != nil {
		taken++
	}
	if taken != maxRanges || maxRanges*rangeSize > 64<<20 {
		t.Errorf("%d ranges of %d bytes", taken, rangeSize)
	}
}

// While other files have all transfers, an object is read by one request: many small ones would each wait for the
// provider.
func TestNoRangesWithoutASpareTransfer(t *testing.T) {
	t.Parallel()
	from, s := newRangeStore(100), smallSlots(t, 2)
	if err := s.Acquire(t.Context()); err != nil {
		t.Fatal(err)
	}
	b, err := readRange(t.Context(), from, s, 0, 100, 7)
	if err != nil || !bytes.Equal(b, from.content) || from.requests.Load() != 1 {
		t.Errorf("%d bytes with %d requests, %v", len(b), from.requests.Load(), err)
	}
}

// An operation that ends in the middle of an object leaves no request behind.
func TestRangesEndWithTheirReader(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		from, s := newRangeStore(200), smallSlots(t, 4)
		r := (&Objects{Store: from}).readStored(t.Context(), s, "key", 0, 200)
		if n, err := r.Read(make([]byte, 5)); n != 5 || err != nil {
			t.Errorf("%d, %v", n, err)
		}
		r.Close()
		if !s.areReturned(4) {
			t.Error("slots or buffers are missing")
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		stopped := errors.New("stopped")
		cancel(stopped)
		if _, err := readRange(ctx, from, s, 0, 200, 5); !errors.Is(err, stopped) && !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
		if !s.areReturned(4) {
			t.Error("after a stop, slots or buffers are missing")
		}
	})
}

// An object of any size takes about maxRequests requests, with no more memory than others: its ranges have several
// buffers, and if two of them would not fit, large requests follow one another.
func TestRangesOfHugeObjects(t *testing.T) {
	t.Parallel()
	s := (&Objects{Transfers: 16, Ranges: RangeSizes{rangedFrom, rangeSize}}).NewSlots()
	for size, want := range map[int64]int{1 << 30: 256, 40 << 30: 10_000, 300 << 30: 9600, 1 << 40: 4096, 5 << 40: 20_480} {
		got := s.Requests(size)
		if got > want+1 || got < want*9/10 && size != 40<<30 || int64(s.perRange(size))*2 > maxRanges {
			t.Errorf("%d GiB: %d requests, want about %d", size>>30, got, want)
		}
	}
	from, small := newRangeStore(3*8*maxRequests-5), smallSlots(t, 8)
	b, err := readRange(t.Context(), from, small, 0, int64(len(from.content)), 1<<30)
	if err != nil || !bytes.Equal(b, from.content) || !small.areReturned(8) {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if n := from.requests.Load(); n > maxRequests || small.perRange(int64(len(from.content))) != 3 {
		t.Errorf("%d requests", n)
	}
}
