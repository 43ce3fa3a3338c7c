package je_test

import (
	"hash/adler32"
	"testing"

	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
	"github.com/strongroom-dev/strongroom/source/je"
)

func BenchmarkCheck(b *testing.B) {
	entriestest.Benchmark(b, je.NewReader, &small(b)[0], adler32.New)
}

// The entry check by itself.
func BenchmarkReader(b *testing.B) {
	log := small(b)[0]
	r := *je.NewReader(log.Number(b))
	b.SetBytes(int64(len(log.Bytes)))
	b.ReportAllocs()
	for b.Loop() {
		again := r
		again.Write(log.Bytes)
	}
}

// The standard library's checksum, for comparison.
func BenchmarkAdler32(b *testing.B) {
	log := small(b)[0]
	b.SetBytes(int64(len(log.Bytes)))
	for b.Loop() {
		adler32.Checksum(log.Bytes)
	}
}
