package encoding

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	sampleSize = 63 << 10 // so that what cannot be compressed still fits a chunk afterwards
	maxSamples = 3
)

// newEstimator makes a compressor for samples, which may run so many times at once: the
// fastest, whose small tables leave the caches to the work itself. It
// finds about what the level would find: those up to default do not try for content
// without any repetition.
func newEstimator(workers int, level string) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(workers), zstd.WithWindowSize(64<<10),
		zstd.WithAllLitEntropyCompression(level == Better || level == Best))
}

// IsCompressible estimates whether compression saves at least a twentieth of the content. It
// reads and compresses three samples of 63 KiB, at the beginning, in the middle and at
// the end, or all of what is smaller than that; a file of which only another stretch can
// be compressed is stored as it is. The same content gets the same answer. An error is
// that of src.
func (e *Encoder) IsCompressible(src io.ReaderAt, size int64) (bool, error) {
	sample, out := e.chunks.Get().(*[chunkSize]byte), e.chunks.Get().(*[chunkSize]byte)
	defer e.chunks.Put(sample)
	defer e.chunks.Put(out)
	var before, after int
	for _, at := range samples(size) {
		b := sample[:min(sampleSize, size-at)]
		if n, err := src.ReadAt(b, at); n < len(b) {
			if err == nil || err == io.EOF {
				err = fmt.Errorf("it ends at byte %d of %d: %w", at+int64(n), size, io.ErrUnexpectedEOF)
			}
			return false, fmt.Errorf("reading a sample: %w", err)
		}
		before += len(b)
		after += len(e.estimator.EncodeAll(b, out[:0]))
	}
	return before-after > 0 && before-after >= before/20, nil
}

// samples returns where the samples of content of this size begin.
func samples(size int64) []int64 {
	if size <= maxSamples*sampleSize {
		var at []int64
		for i := int64(0); i < size; i += sampleSize {
			at = append(at, i)
		}
		return at
	}
	return []int64{0, (size - sampleSize) / 2, size - sampleSize}
}
