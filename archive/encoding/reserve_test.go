package encoding

import (
	"bytes"
	"context"
	"errors"
	"io"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// An Encoder with all of the memory in its hands, which it does not give back, stops no
// other: that one has a scratch file, one at a time, until there is memory again.
func TestOthersHoldTheMemory(t *testing.T) {
	t.Parallel()
	const size, budget = 2 * chunkSize, 4 * chunkSize
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		shared := budgetOf(t, Limits{Memory: budget, Workers: 2, Scratch: dir})
		hangs, works := newEncoder(t, Settings{Budget: shared}), newEncoder(t, Settings{Budget: shared})
		encode := func(e *Encoder) *Encoded {
			t.Helper()
			x, err := e.Encode(t.Context(), bytes.NewReader(random(size)), size, manifest.Plain)
			if err != nil {
				t.Fatal(err)
			}
			return x
		}
		held := []*Encoded{encode(hangs), encode(hangs)}
		start := time.Now()
		first := encode(works)
		if d := time.Since(start); d != patience {
			t.Errorf("the first waited for %v", d)
		}
		second := make(chan *Encoded)
		go func() { second <- encode(works) }()
		synctest.Wait()
		select {
		case <-second:
			t.Fatal("it has two scratch files instead of memory")
		default:
		}
		if err := first.Close(); err != nil {
			t.Error(err)
		}
		if err := (<-second).Close(); err != nil {
			t.Error(err)
		}
		if d := time.Since(start); d != patience {
			t.Errorf("the second waited for %v more", d-patience)
		}
		for _, x := range held {
			if err := x.Close(); err != nil {
				t.Error(err)
			}
		}
		x := encode(works)
		if _, ok := x.body.(*memory); !ok {
			t.Error("there is memory again, and it is not used")
		}
		if err := x.Close(); err != nil {
			t.Error(err)
		}
		idle(t, works, budget)
	})
}

// An Encoder with all workers waiting for content that does not come stops no other.
func TestOthersHoldTheWorkers(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		shared := budgetOf(t, Limits{Workers: 2})
		hangs, works := newEncoder(t, Settings{Budget: shared}), newEncoder(t, Settings{Budget: shared})
		content, end := io.Pipe()
		done := make(chan error)
		for range 2 {
			go func() {
				_, err := hangs.Encode(t.Context(), content, 10, manifest.Plain)
				done <- err
			}()
		}
		synctest.Wait()
		start := time.Now()
		for range 3 {
			x, err := works.Encode(t.Context(), bytes.NewReader(random(10)), 10, manifest.Plain)
			if err != nil {
				t.Fatal(err)
			}
			x.Close()
		}
		if d := time.Since(start); d != patience { // once, not for each
			t.Errorf("three objects waited for %v", d)
		}
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(errGivenUp)
		if _, err := hangs.Encode(ctx, bytes.NewReader(nil), 0, manifest.Plain); !errors.Is(err, errGivenUp) {
			t.Errorf("given up: %v", err)
		}
		end.Close()
		for range 2 {
			if err := <-done; !errors.Is(err, io.ErrUnexpectedEOF) {
				t.Errorf("without content: %v", err)
			}
		}
		idle(t, works, 32<<20)
	})
}
