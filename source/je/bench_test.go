package je_test

import (
	"crypto/sha256"
	"hash/adler32"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/source/je"
)

// What the entry check costs beside SHA-256. "ratio" is the time of both together as a
// part of that of SHA-256 and the standard library's Adler-32 over the same bytes, in
// rounds taken by turns; it should be 1.1 at most.
func BenchmarkCheck(b *testing.B) {
	files := small(b)
	log := files[0].Bytes
	number := files[0].Number(b)
	const piece = 256 << 10 // as the digest pass reads
	check := func() {
		sha, r := sha256.New(), je.NewReader(number)
		for rest := log; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			part := rest[:min(piece, len(rest))]
			sha.Write(part)
			r.Write(part)
		}
		if res := r.Result(); res.Problem != nil {
			b.Fatal(res.Problem)
		}
	}
	floor := func() {
		sha, adler := sha256.New(), adler32.New()
		for rest := log; len(rest) > 0; rest = rest[min(piece, len(rest)):] {
			part := rest[:min(piece, len(rest))]
			sha.Write(part)
			adler.Write(part)
		}
	}
	var checks, floors time.Duration
	b.SetBytes(int64(len(log)))
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		check()
		middle := time.Now()
		floor()
		floors += time.Since(middle)
		checks += middle.Sub(start)
	}
	b.ReportMetric(float64(checks)/float64(floors), "ratio")
	perEntry := float64(b.N) * float64(entriesOf(log, number))
	b.ReportMetric(float64(checks.Nanoseconds())/perEntry, "ns/entry")
}

// The entry check by itself.
func BenchmarkReader(b *testing.B) {
	files := small(b)
	number := files[0].Number(b)
	b.SetBytes(int64(len(files[0].Bytes)))
	b.ReportAllocs()
	r := *je.NewReader(number)
	for b.Loop() {
		again := r
		again.Write(files[0].Bytes)
	}
}

// The standard library's Adler-32, for comparison.
func BenchmarkAdler32(b *testing.B) {
	log := small(b)[0].Bytes
	b.SetBytes(int64(len(log)))
	for b.Loop() {
		adler32.Checksum(log)
	}
}

func entriesOf(log []byte, number int64) int64 {
	r := je.NewReader(number)
	r.Write(log)
	res := r.Result()
	return max(res.Entries, 1)
}
