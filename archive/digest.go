package archive

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"sync"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// digestBuffer is how much is read at a time: enough to keep the disk busy, small
// enough to stay in the processor's cache while two checksums run over it.
const digestBuffer = 256 << 10

var buffers = sync.Pool{New: func() any { return new([digestBuffer]byte) }}

// sum reads so many bytes once, for their checksums.
func sum(ctx context.Context, r io.ReaderAt, size int64) (Sums, error) {
	s := newSummer()
	err := pass(ctx, r, 0, size, s)
	return s.sums(), err
}

// pass feeds the bytes of r between two offsets to w.
func pass(ctx context.Context, r io.ReaderAt, from, to int64, w io.Writer) error {
	buf := buffers.Get().(*[digestBuffer]byte)
	defer buffers.Put(buf)
	for from < to {
		if err := ctx.Err(); err != nil {
			return context.Cause(ctx)
		}
		b := buf[:min(to-from, digestBuffer)]
		n, err := r.ReadAt(b, from)
		if n < len(b) {
			if err == nil || err == io.EOF {
				err = fmt.Errorf("it ends at byte %d: %w", from+int64(n), source.ErrChanged)
			}
			return err
		}
		w.Write(b) // hashes never fail
		from += int64(n)
	}
	return nil
}

// summer computes the checksums of what is written to it.
type summer struct {
	sha  hash.Cloner // as those of the standard library are
	crc  uint32
	size int64
}

func newSummer() *summer { return &summer{sha: sha256.New().(hash.Cloner)} }

// clone gives a summer that goes on by itself; nil for nil.
func (s *summer) clone() *summer {
	if s == nil {
		return nil
	}
	c := *s
	var err error
	if c.sha, err = s.sha.Clone(); err != nil {
		panic(err) // only wrappers of hashes that cannot be cloned return one
	}
	return &c
}

func (s *summer) Write(b []byte) (int, error) {
	s.crc = crc32.Update(s.crc, castagnoli, b)
	s.size += int64(len(b))
	return s.sha.Write(b)
}

func (s *summer) sums() Sums {
	sums := Sums{Size: s.size, CRC32C: manifest.CRC32C(s.crc)}
	s.sha.Sum(sums.SHA256[:0])
	return sums
}

// unsteady reports whether an error means that the source moved while it was read, so
// that a fresh capture may do better.
func unsteady(err error) bool {
	return errors.Is(err, source.ErrChanged) || errors.Is(err, source.ErrVanished) || errors.Is(err, source.ErrCrowded) || errors.Is(err, ErrMismatch)
}
