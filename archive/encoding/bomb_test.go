package encoding

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/strongroom-dev/strongroom/manifest"
)

// endless repeats some bytes without end.
type endless struct {
	b []byte
	n int
}

func (e *endless) Read(b []byte) (int, error) {
	for i := range b {
		b[i] = e.b[e.n]
		e.n = (e.n + 1) % len(e.b)
	}
	return len(b), nil
}

// zstdZeros is a frame of size zeros, a multiple of 128 KiB: 4 bytes for each of those.
func zstdZeros(size int) []byte {
	frame := []byte{0x28, 0xb5, 0x2f, 0xfd, 0, 13 << 3} // no size, a window of 8 MiB
	for left := size >> 17; left > 0; left-- {
		last := 0
		if left == 1 {
			last = 1
		}
		frame = append(binary.LittleEndian.AppendUint32(frame, uint32(1<<17<<3|1<<1|last))[:len(frame)+3], 0)
	}
	return frame
}

func TestBombs(t *testing.T) {
	id, key := newKey(t)
	e, d := newEncoder(t, Settings{Recipients: []string{key}}), NewDecoder(id)
	bomb := zstdZeros(10 << 30)
	encrypted := func(r io.Reader) io.Reader {
		out, err := age.EncryptReader(r, id.Recipient())
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	after := func(b []byte, endlessly ...byte) io.Reader {
		return io.MultiReader(bytes.NewReader(b), &endless{b: endlessly})
	}
	const intro = "age-encryption.org/v1\n"
	manyFrames := encode(t, newEncoder(t, Settings{}), nil, manifest.Zstd)
	const most = 40 << 20 // the window twice over, and 2*size+1 MiB in pieces
	for name, c := range map[string]struct {
		stored io.Reader
		how    string
		size   int64
		want   string
	}{
		"10 GiB of zeros":               {bytes.NewReader(bomb), manifest.Zstd, 1 << 20, "more than the 1048576 bytes"},
		"10 GiB of zeros, for none":     {bytes.NewReader(bomb), manifest.Zstd, 0, "more than the 0 bytes"},
		"10 GiB of zeros, encrypted":    {bytes.NewReader(encode(t, e, bomb, manifest.Age)), manifest.ZstdAge, 1 << 20, "more than the 1048576 bytes"},
		"age without end":               {encrypted(&endless{b: []byte{0}}), manifest.Age, 1 << 20, "more than the 1048576 bytes"},
		"age of zstd without end":       {encrypted(after(bomb[:6], 2, 0, 16, 0)), manifest.ZstdAge, 1 << 20, "more than the 1048576 bytes"},
		"age of empty frames":           {encrypted(&endless{b: manyFrames}), manifest.ZstdAge, 1 << 20, "continue after"},
		"plain without end":             {&endless{b: []byte{0}}, manifest.Plain, 1 << 20, "more than the 1048576 bytes"},
		"empty blocks without end":      {after(bomb[:6], 0, 0, 0), manifest.Zstd, 1 << 20, "continue after"},
		"empty frames without end":      {&endless{b: manyFrames}, manifest.Zstd, 1 << 20, "continue after"},
		"skippable frames":              {&endless{b: []byte{0x50, 0x2a, 0x4d, 0x18, 0xff, 0xff, 0xff, 0xff}}, manifest.Zstd, 1 << 20, "continue after"},
		"an intro without end":          {&endless{b: []byte("a")}, manifest.Age, 1 << 20, "continue after"},
		"a stanza without end":          {after([]byte(intro+"-> "), []byte("a b ")...), manifest.Age, 1 << 20, "continue after"},
		"a body without end":            {after([]byte(intro+"-> X25519 a\n"), []byte(strings.Repeat("A", 64)+"\n")...), manifest.Age, 1 << 20, "continue after"},
		"stanzas without end":           {after([]byte(intro), []byte("-> a b\nAAAA\n")...), manifest.Age, 1 << 20, ""},
		"a window of 3.75 TiB":          {bytes.NewReader([]byte{0x28, 0xb5, 0x2f, 0xfd, 0, 0xff, 1, 0, 0}), manifest.Zstd, 1 << 20, "window"},
		"a segment of 2^60 bytes":       {bytes.NewReader([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0, 0, 0, 0, 0x10, 1, 0, 0}), manifest.Zstd, 1 << 20, ""},
		"a segment of 63 GiB":           {bytes.NewReader([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xe0, 0, 0, 0, 0xc0, 0x0f, 0, 0, 0, 1, 0, 0}), manifest.Zstd, 1 << 20, ""},
		"a segment that promises 1 GiB": {bytes.NewReader([]byte{0x28, 0xb5, 0x2f, 0xfd, 0xa0, 0, 0, 0, 0x40, 1, 0, 0}), manifest.Zstd, 1 << 30, ""},
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			r := d.Decode(c.stored, c.how, c.size, nil)
			n, err := io.Copy(io.Discard, r)
			r.Close()
			runtime.ReadMemStats(&after)
			if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), c.want) || len(err.Error()) > 1000 {
				t.Errorf("%.2000v", err)
			}
			if n > c.size {
				t.Errorf("%d bytes came out, for %d", n, c.size)
			}
			if used := after.TotalAlloc - before.TotalAlloc; used > most {
				t.Errorf("%d MiB were allocated", used>>20)
			}
		})
	}
}

// Honest large content passes through in as little memory.
func TestLargeHonestly(t *testing.T) {
	if testing.Short() {
		t.Skip("decodes 5 GiB")
	}
	const size = 5 << 30 // more than 32 bits can count
	var peak, start runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&start)
	r := NewDecoder().Decode(bytes.NewReader(zstdZeros(size)), manifest.Zstd, size, nil)
	defer r.Close()
	if n, err := io.Copy(io.Discard, r); n != size || err != nil {
		t.Fatal(n, err)
	}
	runtime.ReadMemStats(&peak)
	if used := peak.TotalAlloc - start.TotalAlloc; used > 32<<20 {
		t.Errorf("%d MiB were allocated", used>>20)
	}
}
