package archive

import (
	"io"
	"sync/atomic"
)

// Progress counts what an operation has done so far. An operation adds to it while it
// runs; anyone may read it at any time. Bytes are plain bytes of log files: bytes that
// were hashed or fetched twice, because of a retry, count once more.
type Progress struct {
	Files, FilesDone atomic.Int64 // to do in all, as far as it is known, and done
	Bytes, BytesDone atomic.Int64 // the same; done is what was sent, fetched or found right
	Hashed           atomic.Int64 // by a backup, before it sends: each byte is read twice
}

// Done is how many of Bytes count as done, for a bar that moves evenly: in a backup,
// hashing is half of the way.
func (p *Progress) Done() int64 {
	done := p.BytesDone.Load()
	if hashed := p.Hashed.Load(); hashed > 0 {
		return (done + hashed) / 2
	}
	return done
}

// hashing counts what is read to be hashed.
type hashing struct {
	io.ReaderAt
	p *Progress
}

func (h hashing) ReadAt(b []byte, off int64) (int, error) {
	n, err := h.ReaderAt.ReadAt(b, off)
	h.p.Hashed.Add(int64(n))
	return n, err
}

// plan adds to what is to be done.
func (p *Progress) plan(files int, bytes int64) {
	p.Files.Add(int64(files))
	p.Bytes.Add(bytes)
}

func (p *Progress) file() { p.FilesDone.Add(1) }

// progressWriter counts bytes on their way.
type progressWriter struct{ p *Progress }

func (w progressWriter) Write(b []byte) (int, error) {
	w.p.BytesDone.Add(int64(len(b)))
	return len(b), nil
}
