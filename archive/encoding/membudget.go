package encoding

import (
	"context"
	"errors"
	"fmt"
	"io"
	"sync"

	"golang.org/x/sync/semaphore"
)

// chunkSize is the unit of memory.
const chunkSize = 64 << 10

func wholeChunks(n int64) int64 { return (n + chunkSize - 1) / chunkSize * chunkSize }

// memory is a body in pooled chunks of memory.
type memory struct {
	budget   *semaphore.Weighted
	pool     *sync.Pool
	reserved int64 // bytes of the budget, whole chunks
	size     int64
	chunks   []*[chunkSize]byte
}

// newMemory waits until the budget has room for reserve bytes, which must be at most the whole budget. It reserves
// all of them before the first byte is written: writers that hold a part and wait for more could deadlock.
func newMemory(ctx context.Context, budget *semaphore.Weighted, pool *sync.Pool, reserve int64) (*memory, error) {
	if err := budget.Acquire(ctx, reserve); err != nil {
		return nil, fmt.Errorf("waiting for %d bytes of memory: %w", reserve, context.Cause(ctx))
	}
	return &memory{budget: budget, pool: pool, reserved: reserve}, nil
}

var errBound = errors.New("the encoded object exceeds its computed bound; this is a bug")

func (m *memory) Write(b []byte) (int, error) {
	written := 0
	for len(b) > 0 {
		at := int(m.size % chunkSize)
		if at == 0 {
			if int64(len(m.chunks)+1)*chunkSize > m.reserved {
				return written, errBound
			}
			m.chunks = append(m.chunks, m.pool.Get().(*[chunkSize]byte))
		}
		n := copy(m.chunks[len(m.chunks)-1][at:], b)
		b = b[n:]
		m.size += int64(n)
		written += n
	}
	return written, nil
}

func (m *memory) ReadAt(b []byte, offset int64) (int, error) {
	if offset < 0 {
		return 0, fmt.Errorf("reading from byte %d", offset)
	}
	read := 0
	for len(b) > 0 {
		if offset >= m.size {
			return read, io.EOF
		}
		at := offset % chunkSize
		n := copy(b, m.chunks[offset/chunkSize][at:min(chunkSize, at+m.size-offset)])
		b, offset, read = b[n:], offset+int64(n), read+n
	}
	return read, nil
}

func (m *memory) seal() {
	used := int64(len(m.chunks)) * chunkSize
	m.budget.Release(m.reserved - used)
	m.reserved = used
}

func (m *memory) close() error {
	for _, c := range m.chunks {
		m.pool.Put(c)
	}
	m.chunks = nil
	m.budget.Release(m.reserved)
	return nil
}
