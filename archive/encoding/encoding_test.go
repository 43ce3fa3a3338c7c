package encoding

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/iotest"

	"filippo.io/age"
	"github.com/klauspost/compress/zstd"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

var allEncodings = []string{manifest.Plain, manifest.Zstd, manifest.Age, manifest.ZstdAge}

// newKey makes an identity and its public key.
func newKey(t testing.TB) (*age.X25519Identity, string) {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return id, id.Recipient().String()
}

func newEncoder(t testing.TB, s Settings) *Encoder {
	t.Helper()
	if s.Budget == nil {
		s.Budget = budgetOf(t, Limits{})
	}
	e, err := New(s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// budgetOf makes a budget with a scratch directory.
func budgetOf(t testing.TB, l Limits) *Budget {
	t.Helper()
	l.Scratch = t.TempDir()
	return mustBudget(t, l)
}

func mustBudget(t testing.TB, l Limits) *Budget {
	t.Helper()
	b, err := NewBudget(l)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// encode returns the stored bytes, and fails unless the encoder's sums are right.
func encode(t testing.TB, e *Encoder, content []byte, encoding string) []byte {
	t.Helper()
	x, err := e.Encode(t.Context(), bytes.NewReader(content), int64(len(content)), encoding)
	if err != nil {
		t.Fatal(err)
	}
	defer x.Close()
	stored, err := io.ReadAll(io.NewSectionReader(x, 0, 1<<40))
	if err != nil {
		t.Fatal(err)
	}
	if x.Encoding != encoding || x.Plain != sumsOf(content) || x.Stored != sumsOf(stored) {
		t.Fatalf("%q of %d bytes has the sums %+v, %+v instead of %+v, %+v",
			x.Encoding, len(content), x.Plain, x.Stored, sumsOf(content), sumsOf(stored))
	}
	return stored
}

func sumsOf(b []byte) store.Sums {
	s := digest.New()
	s.Write(b)
	return s.Sums()
}

// decode reads all of a stream that should hold size bytes.
func decode(d *Decoder, stored []byte, encoding string, size int, recipients ...string) ([]byte, error) {
	r := d.Decode(bytes.NewReader(stored), encoding, int64(size), recipients)
	defer r.Close()
	return io.ReadAll(r)
}

// random is content that cannot be compressed, the same each time.
func random(size int) []byte {
	b := make([]byte, size)
	rand.NewChaCha8([32]byte{1}).Read(b)
	return b
}

// text is content that can be compressed to about a third.
func text(size int) []byte {
	r := rand.New(rand.NewPCG(1, 2))
	var b bytes.Buffer
	for b.Len() < size {
		fmt.Fprintf(&b, "record %08x of %s\n", r.IntN(1<<20), strings.Repeat("abc", r.IntN(4)))
	}
	return b.Bytes()[:size]
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	id, key := newKey(t)
	d := NewDecoder(id)
	sizes := []int{
		0, 1, 2, 255, 256, 1023, 1024, 1025, 64<<10 - 1, 64 << 10, 64<<10 + 1, 128<<10 - 1, 128 << 10, 128<<10 + 1,
		192 << 10, 1 << 20, 3<<20 + 7, maxWindow - 1, maxWindow, maxWindow + 1,
	}
	kinds := map[string][]byte{"zeros": make([]byte, maxWindow+1), "text": text(maxWindow + 1), "random": random(maxWindow + 1)}
	for _, level := range []string{Fastest, Normal, Better, Best} {
		t.Run(level, func(t *testing.T) {
			t.Parallel()
			inMemory := newEncoder(t, Settings{Compression: Zstd, Level: level, Recipients: []string{key}})
			inFiles := newEncoder(t, Settings{Compression: Zstd, Level: level, Recipients: []string{key}, Budget: budgetOf(t, Limits{Memory: 1})})
			for kind, content := range kinds {
				for _, size := range sizes {
					slow := level == Better || level == Best
					if testing.Short() && (slow || size > 1<<20) || slow && size != 1<<20 && size != maxWindow+1 {
						continue
					}
					large := size > 1<<20
					if large && kind != "text" && (slow || size != maxWindow+1) { // the kinds differ at one large size, too
						continue
					}
					for _, how := range allEncodings {
						compress, encrypt, _ := steps(how)
						if !compress && level != Fastest {
							continue // the level makes no difference
						}
						encoders := []*Encoder{inMemory, inFiles}
						if large && size != maxWindow+1 || slow && encrypt {
							encoders = encoders[:1]
						}
						for _, e := range encoders {
							roundTrip(t, e, d, content[:size], how, kind)
						}
					}
				}
			}
		})
	}
}

// roundTrip encodes content and decodes it again.
func roundTrip(t *testing.T, e *Encoder, d *Decoder, plain []byte, how, kind string) {
	t.Helper()
	stored := encode(t, e, plain, how)
	if compress, encrypt, _ := steps(how); int64(len(stored)) > e.bound(int64(len(plain)), compress, encrypt) {
		t.Fatalf("%d bytes of %s, %q, became %d, more than the bound", len(plain), kind, how, len(stored))
	}
	if got, err := decode(d, stored, how, len(plain)); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("%d bytes of %s, %q: %v, or other bytes", len(plain), kind, how, err)
	}
}

// The encoder makes the same object whatever the compressor did before. An adoption's comparison of
// keys relies on that only in part; tests of size and cost do.
func TestZstdIsDeterministic(t *testing.T) {
	t.Parallel()
	for _, level := range []string{Fastest, Normal, Better, Best} {
		e := newEncoder(t, Settings{Compression: Zstd, Level: level})
		contents := [][]byte{text(1), text(100_000), random(70_000), text(1 << 20), make([]byte, 1<<20)}
		var fresh [][]byte
		for _, c := range contents {
			fresh = append(fresh, encode(t, newEncoder(t, Settings{Compression: Zstd, Level: level}), c, manifest.Zstd))
		}
		for i := range 3 * len(contents) {
			at := (i + i/len(contents)*i) % len(contents) // in another order each time
			if !bytes.Equal(encode(t, e, contents[at], manifest.Zstd), fresh[at]) {
				t.Fatalf("%s: a used compressor makes other bytes of content %d", level, at)
			}
		}
	}
}

func TestAgeIsNotDeterministic(t *testing.T) {
	t.Parallel()
	_, key := newKey(t)
	e := newEncoder(t, Settings{Recipients: []string{key}})
	if bytes.Equal(encode(t, e, text(100), manifest.Age), encode(t, e, text(100), manifest.Age)) {
		t.Fatal("two objects have the same key and nonce")
	}
}

// The content is the same in whatever pieces the bytes arrive and are read.
func TestDecodeInPieces(t *testing.T) {
	t.Parallel()
	id, key := newKey(t)
	e, d := newEncoder(t, Settings{Compression: Zstd, Recipients: []string{key}}), NewDecoder(id)
	plain := text(200_000)
	for _, how := range allEncodings {
		stored := encode(t, e, plain, how)
		r := d.Decode(iotest.HalfReader(iotest.DataErrReader(bytes.NewReader(stored))), how, int64(len(plain)), nil)
		if err := iotest.TestReader(r, plain); err != nil {
			t.Errorf("%q: %v", how, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
		if _, err := r.Read(make([]byte, 1)); err == nil || err == io.EOF {
			t.Errorf("%q: reading after Close: %v", how, err)
		}
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	}
}

// "zstd -d" takes several frames, and skippable ones, for one stream.
func TestSeveralFrames(t *testing.T) {
	t.Parallel()
	e, d := newEncoder(t, Settings{Compression: Zstd}), NewDecoder()
	a, b := encode(t, e, text(1000), manifest.Zstd), encode(t, e, random(2000), manifest.Zstd)
	skip := []byte{0x50, 0x2a, 0x4d, 0x18, 3, 0, 0, 0, 'x', 'y', 'z'}
	stored := bytes.Join([][]byte{skip, a, skip, b, skip}, nil)
	got, err := decode(d, stored, manifest.Zstd, 3000)
	if err != nil || !bytes.Equal(got, append(text(1000), random(2000)...)) {
		t.Fatalf("%v, or other bytes", err)
	}
	if _, err := decode(d, stored, manifest.Zstd, 1000); !errors.Is(err, ErrDamaged) {
		t.Errorf("a second frame beyond what was expected: %v", err)
	}
}

func TestWindow(t *testing.T) {
	t.Parallel()
	for window, ok := range map[int]bool{maxWindow: true, 2 * maxWindow: false, 64 << 20: false} {
		var b bytes.Buffer
		z, err := zstd.NewWriter(&b, zstd.WithWindowSize(window), zstd.WithEncoderConcurrency(1))
		if err != nil {
			t.Fatal(err)
		}
		plain := make([]byte, 1<<20) // in pieces, so that it does not become a single segment
		for range 2 {
			z.Write(plain)
		}
		if err := z.Close(); err != nil {
			t.Fatal(err)
		}
		_, err = decode(NewDecoder(), b.Bytes(), manifest.Zstd, 2<<20)
		if ok != (err == nil) || !ok && !errors.Is(err, ErrDamaged) {
			t.Errorf("a window of %d MiB: %v", window>>20, err)
		}
	}
}

func TestEncodeRefuses(t *testing.T) {
	t.Parallel()
	e := newEncoder(t, Settings{})
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		src      io.Reader
		size     int64
		encoding string
		want     error
	}{
		"short":         {strings.NewReader("abc"), 4, manifest.Zstd, io.ErrUnexpectedEOF},
		"fails":         {io.MultiReader(strings.NewReader("abc"), iotest.ErrReader(broken)), 4, manifest.Zstd, broken},
		"negative":      {strings.NewReader(""), -1, manifest.Zstd, nil},
		"unknown":       {strings.NewReader(""), 0, "lzma", nil},
		"no recipients": {strings.NewReader(""), 0, manifest.ZstdAge, nil},
	} {
		x, err := e.Encode(t.Context(), c.src, c.size, c.encoding)
		if err == nil || x != nil || c.want != nil && !errors.Is(err, c.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	// Bytes beyond the requested size are left alone.
	src := strings.NewReader("abcdef")
	x, err := e.Encode(t.Context(), src, 3, manifest.Zstd)
	if err != nil || x.Plain != sumsOf([]byte("abc")) || src.Len() != 3 {
		t.Fatalf("%v, with %d bytes left", err, src.Len())
	}
	if err := x.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := e.Encode(canceled(), src, 3, manifest.Zstd); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled before: %v", err)
	}
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}
