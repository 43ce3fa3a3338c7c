package encoding

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"time"
)

// patience is how long an Encoder waits for what it shares with others before it takes what
// it has for itself: longer than any wait where all goes well.
const patience = 10 * time.Second

// reserve is what an Encoder has for itself: one worker, and one scratch file in the place of
// memory. So that another one whose objects are never sent, or whose content never comes,
// with all that they share in its hands, does not stop it.
type reserve struct {
	worker, file       chan struct{} // hold something while it is in use
	noWorker, noMemory atomic.Bool   // the last wait was in vain, so the next is short
}

func newReserve() reserve {
	return reserve{worker: make(chan struct{}, 1), file: make(chan struct{}, 1)}
}

// reserveTimer rings when it is time to take what is one's own.
func reserveTimer(inVain *atomic.Bool) *time.Timer {
	if inVain.Load() {
		return time.NewTimer(0)
	}
	return time.NewTimer(patience)
}

// work waits for a worker, and returns how it is given back.
func (e *Encoder) work(ctx context.Context) (release func(), err error) {
	t := reserveTimer(&e.reserve.noWorker)
	defer t.Stop()
	var mine chan struct{} // nil until it is late
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

// room waits for memory, or for scratch space where the object may become too large for that.
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

// file makes a scratch file, unless that would take the database's space.
func (e *Encoder) file(ctx context.Context, bound int64) (*scratchFile, error) {
	if err := e.scratch.offDatabaseDisk(e.database, bound); err != nil {
		return nil, err
	}
	return e.scratch.file(ctx, bound)
}

// roomInTime waits for memory, and when that does not come for a scratch file of its own.
func (e *Encoder) roomInTime(ctx context.Context, bound int64) (body, error) {
	n := wholeChunks(bound)
	waiting, stop := context.WithCancel(ctx)
	defer stop()
	got := make(chan error, 1)
	go func() { got <- e.memory.Acquire(waiting, n) }()
	t := reserveTimer(&e.reserve.noMemory)
	defer t.Stop()
	var mine chan struct{} // nil until it is late
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
				e.memory.Release(n) // it came in the same moment
			}
			return e.fileFromReserve(ctx, bound)
		}
	}
}

// fileFromReserve makes the scratch file for which there is a place in own.
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

// reserveFile is a scratch file that gives its place in own back.
type reserveFile struct {
	*scratchFile
	place chan struct{}
}

func (f *reserveFile) close() error {
	err := f.scratchFile.close()
	<-f.place
	return err
}
