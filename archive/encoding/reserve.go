package encoding

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// patience is how long an Encoder waits for shared resources before it uses its reserve. It is longer than any wait
// in normal operation.
const patience = 10 * time.Second

// reserve is an Encoder's own resources: one worker, and one scratch file to use instead of memory. Another Encoder
// may hold all shared resources while its objects are never sent or its content never arrives. With the reserve, it
// does not block this Encoder.
type reserve struct {
	worker, file       chan struct{} // contain a value while the resource is in use
	noWorker, noMemory atomic.Bool   // the last wait failed, so the next one is short
}

func newReserve() reserve {
	return reserve{worker: make(chan struct{}, 1), file: make(chan struct{}, 1)}
}

// reserveTimer returns a timer that fires when the Encoder may use its reserve.
func reserveTimer(inVain *atomic.Bool) *time.Timer {
	if inVain.Load() {
		return time.NewTimer(0)
	}
	return time.NewTimer(patience)
}

// work waits for a worker, and returns the function that releases it.
func (e *Encoder) work(ctx context.Context) (release func(), err error) {
	t := reserveTimer(&e.reserve.noWorker)
	defer t.Stop()
	var mine chan struct{} // nil until the timer fires
	for {
		select {
		case e.workers <- struct{}{}:
			e.reserve.noWorker.Store(false)
			return func() { <-e.workers }, nil
		case mine <- struct{}{}:
			return func() { <-e.reserve.worker }, nil
		case <-t.C:
			e.reserve.noWorker.Store(true)
			mine = e.reserve.worker
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// room waits for memory, or for scratch space if the object may become too large for memory.
func (e *Encoder) room(ctx context.Context, bound int64) (body, error) {
	n := wholeChunks(bound)
	switch {
	case n > e.inMemory:
		return e.file(ctx, bound)
	case e.memory.TryAcquire(n):
		e.reserve.noMemory.Store(false)
		return &memory{budget: e.memory, pool: e.chunks, reserved: n}, nil
	case e.scratch.dir == "":
		return newMemory(ctx, e.memory, e.chunks, n)
	}
	return e.roomInTime(ctx, bound)
}

// file creates a scratch file, which leaves space free on a disk that it shares with the database.
func (e *Encoder) file(ctx context.Context, bound int64) (*scratchFile, error) {
	f, err := e.scratch.file(ctx, bound, e.spare())
	if err != nil {
		return nil, err
	}
	f.users = &e.inScratch
	f.users.Add(1)
	return f, nil
}

// roomInTime waits for memory, and after patience also for the reserve's scratch file.
func (e *Encoder) roomInTime(ctx context.Context, bound int64) (body, error) {
	n := wholeChunks(bound)
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	got := make(chan error, 1)
	go func() { got <- e.memory.Acquire(waiting, n) }()
	t := reserveTimer(&e.reserve.noMemory)
	defer t.Stop()
	var mine chan struct{} // nil until the timer fires
	for {
		select {
		case err := <-got:
			if err != nil {
				return nil, fmt.Errorf("waiting for %d bytes of memory: %w", n, context.Cause(ctx))
			}
			e.reserve.noMemory.Store(false)
			return &memory{budget: e.memory, pool: e.chunks, reserved: n}, nil
		case <-t.C:
			e.reserve.noMemory.Store(true)
			mine = e.reserve.file
		case mine <- struct{}{}:
			stop()
			if <-got == nil {
				e.memory.Release(n) // the memory became available at the same moment
			}
			return e.fileFromReserve(ctx, bound)
		}
	}
}

// fileFromReserve creates the reserve's scratch file. The caller has taken its place in e.reserve.file.
func (e *Encoder) fileFromReserve(ctx context.Context, bound int64) (body, error) {
	f, err := e.file(ctx, bound)
	if err == nil {
		return &reserveFile{f, e.reserve.file}, nil
	}
	<-e.reserve.file
	if errors.Is(err, ErrNoSpace) {
		return newMemory(ctx, e.memory, e.chunks, wholeChunks(bound))
	}
	return nil, err
}

// reserveFile is a scratch file that releases its place in the reserve when it is closed.
type reserveFile struct {
	*scratchFile
	place chan struct{}
}

func (f *reserveFile) close() error {
	err := f.scratchFile.close()
	<-f.place
	return err
}
