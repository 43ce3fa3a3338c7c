package encoding

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source/entries/entriestest"
)

// logs is about 64 MiB of the logs of real databases, over and over with other numbers
// between, or text where they are absent.
func logs(b *testing.B) []byte {
	b.Helper()
	const size = 64 << 20
	dir := os.Getenv("STRONGROOM_FIXTURES")
	if dir == "" {
		dir, _ = filepath.Abs(filepath.Join("..", "..", "..", "shared", "fixtures"))
	}
	var all []byte
	if _, err := os.Stat(filepath.Join(dir, "logs.tar.zst")); err == nil {
		b.Setenv("STRONGROOM_FIXTURES", dir)
		for _, environment := range []string{"je6", "je15", "je26", "je26-vlsn", "je26-erased", "noxu3"} {
			for _, f := range entriestest.Fixture(b, environment) {
				all = append(all, f.Bytes...)
			}
		}
	} else {
		b.Logf("text instead of logs: %v", err)
		all = text(15 << 20)
	}
	return bytes.Repeat(all, size/len(all)) // 15 MiB are more than a window, so that none repeats another
}

func BenchmarkEncode(b *testing.B) {
	_, key := newKey(b)
	for _, c := range []struct{ level, how string }{
		{"", manifest.Plain},
		{Fastest, manifest.Zstd},
		{Normal, manifest.Zstd},
		{Better, manifest.Zstd},
		{Best, manifest.Zstd},
		{"", manifest.Age},
		{Fastest, manifest.ZstdAge},
		{Normal, manifest.ZstdAge},
	} {
		b.Run(c.how+" "+c.level, func(b *testing.B) {
			content := logs(b)
			e := newEncoder(b, Settings{Compression: Zstd, Level: c.level, Recipients: []string{key}})
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			var stored int64
			for b.Loop() {
				x, err := e.Encode(b.Context(), bytes.NewReader(content), int64(len(content)), c.how)
				if err != nil {
					b.Fatal(err)
				}
				stored = x.Stored.Size
				x.Close()
			}
			b.ReportMetric(float64(stored)/float64(len(content)), "stored/plain")
		})
	}
}

// Small objects, as of workload C and of tails: what counts is what each allocates.
func BenchmarkEncodeSmall(b *testing.B) {
	_, key := newKey(b)
	for _, how := range allEncodings {
		b.Run(how, func(b *testing.B) {
			content := logs(b)[:64<<10]
			e := newEncoder(b, Settings{Compression: Zstd, Recipients: []string{key}})
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.Choose(bytes.NewReader(content), int64(len(content))); err != nil {
					b.Fatal(err)
				}
				x, err := e.Encode(b.Context(), bytes.NewReader(content), int64(len(content)), how)
				if err != nil {
					b.Fatal(err)
				}
				x.Close()
			}
		})
	}
}

func BenchmarkWorth(b *testing.B) {
	for name, content := range map[string][]byte{"logs": logs(b), "random": random(64 << 20)} {
		b.Run(name, func(b *testing.B) {
			e := newEncoder(b, Settings{Compression: Zstd})
			b.ReportAllocs()
			for b.Loop() {
				if _, err := e.IsCompressible(bytes.NewReader(content), int64(len(content))); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	id, key := newKey(b)
	for _, how := range allEncodings {
		b.Run(how, func(b *testing.B) {
			content := logs(b)
			stored := encode(b, newEncoder(b, Settings{Compression: Zstd, Recipients: []string{key}}), content, how)
			d := NewDecoder(id)
			b.SetBytes(int64(len(content)))
			b.ReportAllocs()
			for b.Loop() {
				r := d.Decode(bytes.NewReader(stored), how, int64(len(content)), nil)
				if _, err := io.CopyBuffer(onlyWriter{io.Discard}, r, make([]byte, 256<<10)); err != nil {
					b.Fatal(err)
				}
				r.Close()
			}
		})
	}
}

// onlyWriter hides ReadFrom, so that the buffer is used.
type onlyWriter struct{ io.Writer }
