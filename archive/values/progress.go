package values

import (
	"context"
	"sync/atomic"
)

// Limiter limits how many files several archives together read, send or fetch concurrently. Implementations are safe
// for concurrent use.
type Limiter interface {
	// Acquire waits for a slot. If ctx ends before, it returns the context's cause. The caller returns the slot by
	// calling release once.
	Acquire(ctx context.Context) (release func(), err error)
}

// Progress counts what an operation has done so far. The operation updates it while it runs; it may be read at
// any time, from any goroutine. Bytes are plain bytes of log files. Bytes that are hashed or fetched again
// after a retry are counted again.
type Progress struct {
	Files, FilesDone atomic.Int64 // the total as known so far, and the number done
	Bytes, BytesDone atomic.Int64 // the same for bytes; done means sent, fetched or found right
	Hashed           atomic.Int64 // bytes that a backup hashed before it sends them: it reads each byte twice
}

// Done returns how many of Bytes count as done, for a progress bar that moves evenly. In a backup, hashing
// counts as half of the work.
func (p *Progress) Done() int64 {
	done := p.BytesDone.Load()
	if hashed := p.Hashed.Load(); hashed > 0 {
		return (done + hashed) / 2
	}
	return done
}
