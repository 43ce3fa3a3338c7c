package encoding

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"testing"
	"testing/iotest"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Each byte of a small object, changed in one bit and in all, and each of its lengths.
func TestEveryByteAndEveryLength(t *testing.T) {
	t.Parallel()
	id, key := newKey(t)
	e, d := newEncoder(t, Settings{Compression: Zstd, Recipients: []string{key}}), NewDecoder(id)
	for _, plain := range [][]byte{nil, []byte("a"), text(400), random(200)} {
		for _, how := range allEncodings {
			stored := encode(t, e, plain, how)
			check := func(what string, bad []byte, mayBeSame bool) {
				t.Helper()
				got, err := decode(d, bad, how, len(plain), key)
				switch {
				case err == nil && (!mayBeSame || !bytes.Equal(got, plain)):
					t.Errorf("%q of %d bytes, %s: no error", how, len(plain), what)
				case err != nil && !errors.Is(err, ErrDamaged):
					t.Errorf("%q of %d bytes, %s: %v is not ErrDamaged", how, len(plain), what, err)
				case err != nil && len(plain) > 0 && len(got) >= len(plain):
					t.Errorf("%q of %d bytes, %s: the last byte was given out, then: %v", how, len(plain), what, err)
				}
			}
			for i := range stored {
				check(fmt.Sprintf("cut to %d", i), stored[:i], false)
				for _, change := range []byte{1 << (i % 8), 0xff} {
					if how == manifest.Plain {
						continue // any bytes are valid plain content: only their hash shows damage
					}
					bad := bytes.Clone(stored)
					bad[i] ^= change
					// zstd has bits that do not affect the content, such as the size of a window.
					check(fmt.Sprintf("byte %d changed by %#x", i, change), bad, how == manifest.Zstd)
				}
			}
			for _, more := range [][]byte{{0}, {0x28}, {0x28, 0xb5}, {0x28, 0xb5, 0x2f}, []byte("more"), random(100_000), stored} {
				if len(more) > 0 && (len(plain) > 0 || !bytes.Equal(more, stored) || how != manifest.Zstd) { // nothing twice is nothing
					check(fmt.Sprintf("%d bytes after the end", len(more)), append(bytes.Clone(stored), more...), false)
				}
			}
		}
	}
}

// A cut where the layer above has all that it needs.
func TestCutBetweenLayers(t *testing.T) {
	t.Parallel()
	id, key := newKey(t)
	e, d := newEncoder(t, Settings{Compression: Zstd, Recipients: []string{key}}), NewDecoder(id)
	// The zstd frame of plain fills the first age chunk exactly; the second has an empty frame.
	plain := random(ageChunk - 200)
	frame := encode(t, e, plain, manifest.Zstd)
	pad := ageChunk - len(frame) - 8
	frame = append(frame, 0x50, 0x2a, 0x4d, 0x18, byte(pad), byte(pad>>8), 0, 0)
	frame = append(frame, make([]byte, pad)...)
	if len(frame) != ageChunk {
		t.Fatal(len(frame))
	}
	frame = append(frame, encode(t, e, nil, manifest.Zstd)...)
	stored := encode(t, e, frame, manifest.Age)
	if got, err := decode(d, stored, manifest.ZstdAge, len(plain)); err != nil || !bytes.Equal(got, plain) {
		t.Fatalf("whole: %v", err)
	}
	first := int(e.header) + ageChunk + ageOverhead
	for _, cut := range []int{first, first + 1, len(stored) - 1} {
		if _, err := decode(d, stored[:cut], manifest.ZstdAge, len(plain)); !errors.Is(err, ErrDamaged) {
			t.Errorf("cut to %d of %d: %v", cut, len(stored), err)
		}
	}
}

func TestWrongSize(t *testing.T) {
	t.Parallel()
	id, key := newKey(t)
	e, d := newEncoder(t, Settings{Compression: Zstd, Recipients: []string{key}}), NewDecoder(id)
	for _, how := range allEncodings {
		stored := encode(t, e, text(100_000), how)
		for _, size := range []int{-1, 0, 1, 99_999, 100_001, 1 << 40, manifest.MaxFileSize + 1} {
			if got, err := decode(d, stored, how, size); !errors.Is(err, ErrDamaged) || len(got) > max(size, 0) {
				t.Errorf("%q of %d: %d bytes, %v", how, size, len(got), err)
			}
		}
	}
}

// A failure of the source is no damage, wherever it happens, and is not taken for an end.
func TestSourceFails(t *testing.T) {
	t.Parallel()
	id, key := newKey(t)
	e, d := newEncoder(t, Settings{Compression: Zstd, Recipients: []string{key}}), NewDecoder(id)
	plain := text(200)
	for _, how := range allEncodings {
		stored := encode(t, e, plain, how)
		for _, broken := range []error{errors.New("broken"), io.ErrUnexpectedEOF} { // as net/http reports a cut body
			for i := range len(stored) + 1 {
				src := io.MultiReader(bytes.NewReader(stored[:i]), iotest.ErrReader(broken))
				r := d.Decode(src, how, int64(len(plain)), nil)
				if _, err := io.ReadAll(r); !errors.Is(err, broken) || errors.Is(err, ErrDamaged) {
					t.Fatalf("%q broken after %d of %d: %v", how, i, len(stored), err)
				}
				r.Close()
			}
		}
	}
}

func TestUnknownEncoding(t *testing.T) {
	t.Parallel()
	if _, err := decode(NewDecoder(), nil, "lzma", 0); err == nil || errors.Is(err, ErrDamaged) {
		t.Errorf("%v", err)
	}
}
