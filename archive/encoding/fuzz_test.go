package encoding

import (
	"bytes"
	"errors"
	"io"
	"testing"

	"filippo.io/age"

	"github.com/strongroom-dev/strongroom/manifest"
)

// FuzzDecode: for any bytes, the output is no longer than requested, and every error has the type
// for it.
func FuzzDecode(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	e := newEncoder(f, Settings{Compression: Zstd, Recipients: []string{id.Recipient().String()}})
	for _, plain := range [][]byte{nil, []byte("a"), text(500), random(100)} {
		for i, how := range allEncodings {
			f.Add(encode(f, e, plain, how), uint8(i), int64(len(plain)))
		}
	}
	f.Add(zstdZeros(1<<30), uint8(1), int64(1<<20))
	d := NewDecoder(id)
	f.Fuzz(func(t *testing.T, stored []byte, how uint8, size int64) {
		size &= 1<<24 - 1
		r := d.Decode(bytes.NewReader(stored), allEncodings[how%4], size, nil)
		defer r.Close()
		n, err := io.Copy(io.Discard, r)
		switch {
		case n > size, err == nil && n != size:
			t.Fatalf("%d bytes of %d came out: %v", n, size, err)
		case err != nil && n == size && n > 0:
			t.Fatalf("all bytes came out, and then %v", err)
		case err != nil && !errors.Is(err, ErrDamaged) && !errors.Is(err, ErrNoIdentity):
			t.Fatal(err)
		}
	})
}

// FuzzZstdInAge: what is wrong below a layer that is right.
func FuzzZstdInAge(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	e := newEncoder(f, Settings{Compression: Zstd, Recipients: []string{id.Recipient().String()}})
	d := NewDecoder(id)
	f.Add(encode(f, e, text(500), manifest.Zstd), 500)
	f.Fuzz(func(t *testing.T, frame []byte, size int) {
		size &= 1<<20 - 1
		direct, errDirect := decode(d, frame, manifest.Zstd, size)
		within, errWithin := decode(d, encode(t, e, frame, manifest.Age), manifest.ZstdAge, size)
		if (errDirect == nil) != (errWithin == nil) || errDirect == nil && !bytes.Equal(direct, within) {
			t.Fatalf("%v is not %v, or other bytes", errDirect, errWithin)
		}
	})
}

// FuzzRoundTrip: whatever the content is, it comes back.
func FuzzRoundTrip(f *testing.F) {
	id, err := age.GenerateX25519Identity()
	if err != nil {
		f.Fatal(err)
	}
	e := newEncoder(f, Settings{Compression: Zstd, Recipients: []string{id.Recipient().String()}})
	d := NewDecoder(id)
	f.Add(text(500), uint8(1))
	f.Fuzz(func(t *testing.T, plain []byte, how uint8) {
		encoding := allEncodings[how%4]
		if got, err := decode(d, encode(t, e, plain, encoding), encoding, len(plain)); err != nil || !bytes.Equal(got, plain) {
			t.Fatalf("%q: %v, or other bytes", encoding, err)
		}
	})
}
