package entriestest

import (
	"crypto/sha256"
	"hash"
	"io"
	"slices"
	"testing"
	"time"
)

// Benchmark measures what the entry check costs beside SHA-256. The metric "ratio" is
// the time of both together as a part of that of SHA-256 and the standard library's
// checksum over the same bytes at one go: the median of pairs taken by turns. For JE it
// should be 1.1 at most. A CRC-32 is so fast over many bytes, and not over few, that
// Noxu's is higher.
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

// feed writes bytes to both, in pieces such as a backup reads.
func feed(b []byte, one, other io.Writer) {
	const piece = 256 << 10
	for len(b) > 0 {
		n := min(piece, len(b))
		one.Write(b[:n]) // neither ever fails
		other.Write(b[:n])
		b = b[n:]
	}
}
