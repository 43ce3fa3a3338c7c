package encoding

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"testing/synctest"

	"github.com/strongroom-dev/strongroom/manifest"
)

// idle fails unless all memory and all scratch space was given back.
func idle(t *testing.T, e *Encoder, budget int64) {
	t.Helper()
	if !e.memory.TryAcquire(budget) {
		t.Error("the budget for memory is not whole")
	} else {
		e.memory.Release(budget)
	}
	if e.scratch.open != 0 || e.scratch.promised != 0 {
		t.Errorf("%d scratch files are open, %d bytes promised", e.scratch.open, e.scratch.promised)
	}
	if e.scratch.dir != "" {
		if left, err := os.ReadDir(e.scratch.dir); err != nil || len(left) > 0 {
			t.Errorf("left in the scratch directory: %v, %v", left, err)
		}
	}
}

// Many encoders at once, with memory for few, of all sizes, some cancelled.
func TestManyAtOnce(t *testing.T) {
	t.Parallel()
	const budget = 512 << 10
	id, key := newKey(t)
	e := newEncoder(t, Settings{Compression: Zstd, Recipients: []string{key}, Budget: budgetOf(t, Limits{Memory: budget, Workers: 3})})
	d := NewDecoder(id)
	sizes := []int{0, 10, 64 << 10, 300 << 10, 450 << 10, 700 << 10}
	var held atomic.Int64
	var g sync.WaitGroup
	for i := range 24 {
		g.Go(func() {
			for j := range 6 {
				plain, how := text(sizes[(i+j)%len(sizes)]), allEncodings[(i*j)%4]
				ctx, cancel := context.WithCancelCause(t.Context())
				var src io.Reader = bytes.NewReader(plain)
				if (i+j)%5 == 0 {
					src = &canceling{src, cancel}
				}
				x, err := e.Encode(ctx, src, int64(len(plain)), how)
				switch {
				case errors.Is(err, errGivenUp):
					cancel(nil)
					continue
				case err != nil:
					t.Error(err)
					cancel(nil)
					return
				}
				if m, ok := x.body.(*memory); ok {
					if n := held.Add(m.reserved); n > budget {
						t.Errorf("%d bytes are held", n)
					}
				}
				got, err := io.ReadAll(d.Decode(io.NewSectionReader(x, 0, x.Stored.Size), how, int64(len(plain)), nil))
				if err != nil || !bytes.Equal(got, plain) {
					t.Errorf("%q of %d: %v", how, len(plain), err)
				}
				if m, ok := x.body.(*memory); ok {
					held.Add(-m.reserved)
				}
				cancel(nil)
				if err := errors.Join(x.Close(), x.Close()); err != nil {
					t.Error(err)
				}
				if _, err := x.ReadAt(make([]byte, 1), 0); !errors.Is(err, os.ErrClosed) {
					t.Errorf("reading after Close: %v", err)
				}
			}
		})
	}
	g.Wait()
	idle(t, e, budget)
}

var errGivenUp = errors.New("given up")

// canceling gives the work up once it has begun.
type canceling struct {
	io.Reader
	cancel context.CancelCauseFunc
}

func (c *canceling) Read(b []byte) (int, error) {
	c.cancel(errGivenUp)
	return c.Reader.Read(b[:min(len(b), 1000)])
}

// An encoder that waits for memory goes on when some is released, and not before, and its wait can
// be cancelled.
func TestWaitingForMemory(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		const budget = 4 * chunkSize
		e := newEncoder(t, Settings{Budget: budgetOf(t, Limits{Memory: budget, Workers: 1})})
		one, err := e.Encode(t.Context(), bytes.NewReader(random(3*chunkSize)), 3*chunkSize, manifest.Plain)
		if err != nil {
			t.Fatal(err)
		}
		start := func(ctx context.Context) chan error {
			done := make(chan error, 1)
			go func() {
				x, err := e.Encode(ctx, bytes.NewReader(random(2*chunkSize)), 2*chunkSize, manifest.Plain)
				if err == nil {
					err = x.Close()
				}
				done <- err
			}()
			synctest.Wait()
			return done
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		first, second := start(ctx), start(t.Context())
		if len(first)+len(second) > 0 {
			t.Fatal("there was room for more than the budget")
		}
		cancel(errGivenUp)
		synctest.Wait()
		if err := <-first; !errors.Is(err, errGivenUp) {
			t.Errorf("given up: %v", err)
		}
		if len(second) > 0 {
			t.Error("the other one did not wait")
		}
		if err := one.Close(); err != nil {
			t.Error(err)
		}
		synctest.Wait()
		if err := <-second; err != nil {
			t.Error(err)
		}
		idle(t, e, budget)
	})
}

// Memory that an object turns out not to need is available to others before it is closed.
func TestUnneededMemoryIsGivenBack(t *testing.T) {
	t.Parallel()
	const budget = 8 * chunkSize
	e := newEncoder(t, Settings{Compression: Zstd, Budget: budgetOf(t, Limits{Memory: budget})})
	for range 8 { // of zeros, whose bound is 7 chunks, and which take one
		x, err := e.Encode(t.Context(), bytes.NewReader(make([]byte, 6*chunkSize)), 6*chunkSize, manifest.Zstd)
		if err != nil {
			t.Fatal(err)
		}
		if _, ok := x.body.(*memory); !ok {
			t.Fatal("it is not in memory")
		}
		defer x.Close()
		if e.memory.TryAcquire(budget - chunkSize + 1) {
			t.Fatal("it holds nothing")
		}
		if !e.memory.TryAcquire(budget - chunkSize) {
			t.Fatal("it holds more than it needs")
		}
		e.memory.Release(budget - chunkSize)
		x.Close()
	}
}

func TestBrokenOffEncode(t *testing.T) {
	t.Parallel()
	id, key := newKey(t)
	for _, budget := range []int64{1, 8 << 20} {
		e := newEncoder(t, Settings{Compression: Zstd, Recipients: []string{key}, Budget: budgetOf(t, Limits{Memory: budget})})
		for _, how := range allEncodings {
			broken := errors.New("broken")
			for _, after := range []int{0, 1, 200_000} {
				src := io.MultiReader(bytes.NewReader(random(after)), iotest.ErrReader(broken))
				if x, err := e.Encode(t.Context(), src, 300_000, how); !errors.Is(err, broken) || x != nil {
					t.Errorf("%q: %v", how, err)
				}
				ctx, cancel := context.WithCancelCause(t.Context())
				if x, err := e.Encode(ctx, &canceling{bytes.NewReader(random(300_000)), cancel}, 300_000, how); !errors.Is(err, errGivenUp) || x != nil {
					t.Errorf("%q: %v", how, err)
				}
				idle(t, e, budget)
			}
			// The compressor works as before after an interrupted stream.
			plain := text(300_000)
			if got, err := decode(NewDecoder(id), encode(t, e, plain, how), how, len(plain)); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("%q afterwards: %v", how, err)
			}
		}
	}
}

// A compressor needs the memory that the package documents.
func TestMemoryOfCompressors(t *testing.T) {
	plain := text(10 << 20)
	for level, most := range map[string]uint64{Fastest: 10, Normal: 20, Better: 25, Best: 60} {
		e := newEncoder(t, Settings{Compression: Zstd, Level: level})
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		x, err := e.Encode(t.Context(), bytes.NewReader(plain), int64(len(plain)), manifest.Zstd)
		if err != nil {
			t.Fatal(err)
		}
		runtime.ReadMemStats(&after)
		used := (after.TotalAlloc - before.TotalAlloc - uint64(wholeChunks(x.Stored.Size))) >> 20
		t.Logf("%s: %d MiB", level, used)
		if used > most+most/4 {
			t.Errorf("a compressor of level %s took %d MiB, not %d", level, used, most)
		}
		x.Close()
	}
}

// A sender that reads on after its request was cancelled gets an error, not other bytes.
func TestLateReaders(t *testing.T) {
	t.Parallel()
	e := newEncoder(t, Settings{Budget: budgetOf(t, Limits{Memory: 2 * chunkSize})})
	var g sync.WaitGroup
	for i := range 50 {
		plain := bytes.Repeat([]byte{byte(i)}, chunkSize)
		x, err := e.Encode(t.Context(), bytes.NewReader(plain), chunkSize, manifest.Plain)
		if err != nil {
			t.Fatal(err)
		}
		for range 3 {
			g.Go(func() {
				b := make([]byte, 1000)
				for {
					n, err := x.ReadAt(b, 100)
					if errors.Is(err, os.ErrClosed) {
						return
					}
					if err != nil || !bytes.Equal(b[:n], plain[:n]) {
						t.Errorf("%v, or another object's bytes", err)
						return
					}
				}
			})
		}
		if err := x.Close(); err != nil {
			t.Fatal(err)
		}
	}
	g.Wait()
}

func TestReadAt(t *testing.T) {
	t.Parallel()
	plain := random(3*chunkSize + 5)
	for _, budget := range []int64{1, 1 << 20} {
		e := newEncoder(t, Settings{Budget: budgetOf(t, Limits{Memory: budget})})
		x, err := e.Encode(t.Context(), bytes.NewReader(plain), int64(len(plain)), manifest.Plain)
		if err != nil {
			t.Fatal(err)
		}
		if err := iotest.TestReader(io.NewSectionReader(x, 0, x.Stored.Size), plain); err != nil {
			t.Error(err)
		}
		if n, err := x.ReadAt(make([]byte, 10), int64(len(plain))-5); n != 5 || err != io.EOF {
			t.Errorf("%d, %v", n, err)
		}
		if n, err := x.ReadAt(make([]byte, 10), -1); n != 0 || err == nil {
			t.Errorf("%d, %v", n, err)
		}
		x.Close()
	}
}
