package objects

import (
	"io"

	"github.com/strongroom-dev/strongroom/archive/values"
)

// hashing counts the bytes that are read for hashing.
type hashing struct {
	io.ReaderAt
	p *values.Progress
}

// NewHashing returns a reader that counts the bytes that are read for hashing.
func NewHashing(r io.ReaderAt, p *values.Progress) io.ReaderAt { return hashing{r, p} }

func (h hashing) ReadAt(b []byte, off int64) (int, error) {
	n, err := h.ReaderAt.ReadAt(b, off)
	h.p.Hashed.Add(int64(n))
	return n, err
}

// AddTotals adds to the totals.
func AddTotals(p *values.Progress, files int, bytes int64) {
	p.Files.Add(int64(files))
	p.Bytes.Add(bytes)
}

// FileDone counts a file as done.
func FileDone(p *values.Progress) { p.FilesDone.Add(1) }

// progressWriter counts the bytes written to it as done.
type progressWriter struct{ p *values.Progress }

func (w progressWriter) Write(b []byte) (int, error) {
	w.p.BytesDone.Add(int64(len(b)))
	return len(b), nil
}
