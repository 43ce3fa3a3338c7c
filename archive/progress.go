package archive

import (
	"io"
	"sync/atomic"
)

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

// hashing counts the bytes that are read for hashing.
type hashing struct {
	io.ReaderAt
	p *Progress
}

func (h hashing) ReadAt(b []byte, off int64) (int, error) {
	n, err := h.ReaderAt.ReadAt(b, off)
	h.p.Hashed.Add(int64(n))
	return n, err
}

// plan adds to the totals.
func (p *Progress) plan(files int, bytes int64) {
	p.Files.Add(int64(files))
	p.Bytes.Add(bytes)
}

func (p *Progress) file() { p.FilesDone.Add(1) }

// progressWriter counts the bytes written to it as done.
type progressWriter struct{ p *Progress }

func (w progressWriter) Write(b []byte) (int, error) {
	w.p.BytesDone.Add(int64(len(b)))
	return len(b), nil
}
