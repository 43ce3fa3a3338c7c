package entriestest

import (
	"crypto/sha256"
	"hash"
	"io"
	"slices"
	"testing"
	"time"
)

// Benchmark measures the cost of the entry check beside SHA-256. The metric "ratio" compares the
// time of both with the time of SHA-256 and the standard library's checksum over all bytes at
// once. It is the median of alternating measurements. For JE it should be at most 1.1. For Noxu it
// is higher, since CRC-32 is fast only over many bytes.
func Benchmark(b *testing.B, newReader NewReader, f *LogFile, checksum func() hash.Hash32) {
	number := f.Number(b)
	entries := Read(newReader, number, f.Bytes).Entries
	check := func() {
		r := newReader(number)
		feed(f.Bytes, sha256.New(), r)
		if res := r.Result(); res.Problem != nil {
			b.Fatal(res.Problem)
		}
	}
	var ratios []float64
	var checks time.Duration
	b.SetBytes(int64(len(f.Bytes)))
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		check()
		middle := time.Now()
		feed(f.Bytes, sha256.New(), checksum())
		floor := time.Since(middle)
		checks += middle.Sub(start)
		ratios = append(ratios, float64(middle.Sub(start))/float64(floor))
	}
	slices.Sort(ratios)
	b.ReportMetric(ratios[len(ratios)/2], "ratio")
	b.ReportMetric(float64(checks.Nanoseconds())/float64(b.N)/float64(entries), "ns/entry")
}

// feed writes bytes to both writers, in pieces as large as those of a backup.
func feed(b []byte, one, other io.Writer) {
	const piece = 256 << 10
	for len(b) > 0 {
		n := min(piece, len(b))
		one.Write(b[:n]) // neither writer ever fails
		other.Write(b[:n])
		b = b[n:]
	}
}
