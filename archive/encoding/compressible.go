package encoding

import (
	"fmt"
	"io"

	"github.com/klauspost/compress/zstd"
)

const (
	sampleSize = 63 << 10 // a sample that cannot be compressed still fits a chunk
	maxSamples = 3
)

// newEstimator returns a compressor for samples that the given number of workers may use at once. It is the
// fastest compressor, whose small tables occupy little of the CPU caches. Its estimates are close to the results
// of the level: levels up to Normal do not compress content without any repetition.
func newEstimator(workers int, level string) (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithEncoderConcurrency(workers), zstd.WithWindowSize(64<<10),
		zstd.WithAllLitEntropyCompression(level == Better || level == Best))
}

// IsCompressible estimates whether compression saves at least a twentieth of the content. It reads and compresses
// three samples of 63 KiB, at the beginning, in the middle and at the end; smaller content it reads whole. If only
// the content between the samples is compressible, the result is false. The result depends only on the content.
// It wraps errors of src.
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
