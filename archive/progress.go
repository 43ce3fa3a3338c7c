package archive

import "sync/atomic"

// Progress counts what an operation has done so far. An operation adds to it while it
// runs; anyone may read it at any time. Bytes are plain bytes of log files: bytes that
// were hashed or fetched twice, because of a retry, count once more.
type Progress struct {
	Files, FilesDone atomic.Int64 // to do in all, as far as it is known, and done
	Bytes, BytesDone atomic.Int64
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
