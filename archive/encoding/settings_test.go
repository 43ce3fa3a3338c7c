package encoding

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"

	"github.com/strongroom-dev/strongroom/manifest"
)

func TestSettings(t *testing.T) {
	t.Parallel()
	secret, key := newKey(t)
	hybrid, err := age.GenerateHybridIdentity()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		s    Settings
		want string
	}{
		{Settings{Compression: "gzip"}, `compression "gzip" is unknown`},
		{Settings{Level: "19"}, `level "19" is unknown; it is one of fastest, normal, better, best`},
		{Settings{Recipients: []string{key, "age1nonsense"}}, "recipient 2: this is no age public key"},
		{Settings{Recipients: []string{key + "\n" + key}}, "recipient 1: this is no age public key"},
		{Settings{Recipients: []string{""}}, "recipient 1: this is no age public key"},
		{Settings{Recipients: []string{"ssh-ed25519 AAAA"}}, "this is no age public key"},
		{Settings{Recipients: []string{secret.String()}}, "private key"},
		{Settings{Recipients: []string{key, hybrid.Recipient().String()}}, "post-quantum"},
	} {
		e, err := New(c.s)
		if err == nil || e != nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: %v, not %q", c.s, err, c.want)
		} else if strings.Contains(err.Error(), secret.String()[20:]) {
			t.Error("an error shows the private key")
		}
	}
	if b, err := NewBudget(Limits{Memory: -1}); err == nil || b != nil || !strings.Contains(err.Error(), "must not be negative") {
		t.Errorf("a negative limit: %v", err)
	}
	// However they are written, they are the same recipients, with the same tag.
	_, other := newKey(t)
	a := newEncoder(t, Settings{Recipients: []string{key, other}})
	b := newEncoder(t, Settings{Recipients: []string{other, " " + key, key}})
	if len(a.Recipients()) != 2 || manifest.RecipientsTag(a.Recipients()) != manifest.RecipientsTag(b.Recipients()) {
		t.Errorf("%q is not %q", a.Recipients(), b.Recipients())
	}
	// A part made for post-quantum keys is read with them.
	e := newEncoder(t, Settings{Recipients: []string{hybrid.Recipient().String()}})
	if got, err := decode(NewDecoder(hybrid), encode(t, e, text(1000), manifest.Age), manifest.Age, 1000); err != nil || !bytes.Equal(got, text(1000)) {
		t.Errorf("post-quantum: %v", err)
	}
}

func TestChoose(t *testing.T) {
	t.Parallel()
	_, key := newKey(t)
	var base64 []byte
	r := rand.New(rand.NewPCG(3, 4))
	for range 100_000 {
		base64 = append(base64, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"[r.IntN(64)])
	}
	nearly := append(random(98_000), make([]byte, 2_000)...)  // saves 2 %
	enough := append(random(90_000), make([]byte, 10_000)...) // saves 10 %
	end := append(random(10<<20), text(64<<10)...)
	for name, c := range map[string]struct {
		content []byte
		level   string
		worth   bool
	}{
		"nothing": {nil, "", false}, "a byte": {[]byte("a"), "", false}, "20 bytes": {[]byte("abcabcabcabcabcabcab"), "", false},
		"text": {text(1000), "", true}, "long text": {text(5 << 20), "", true}, "zeros": {make([]byte, 1<<20), "", true},
		"random": {random(1000), "", false}, "long random": {random(5 << 20), "", false},
		"2 %": {nearly, "", false}, "10 %": {enough, "", true}, "only the end": {end, "", true},
		"base64 at normal": {base64, Normal, false}, "base64 at better": {base64, Better, true},
	} {
		src, size := bytes.NewReader(c.content), int64(len(c.content))
		for _, s := range []struct {
			Settings
			plain, packed string
		}{
			{Settings{}, manifest.Plain, manifest.Plain},
			{Settings{Compression: None, Recipients: []string{key}}, manifest.Age, manifest.Age},
			{Settings{Compression: Zstd}, manifest.Plain, manifest.Zstd},
			{Settings{Compression: Zstd, Recipients: []string{key}}, manifest.Age, manifest.ZstdAge},
		} {
			s.Level = c.level
			want := s.plain
			if c.worth {
				want = s.packed
			}
			if got, err := newEncoder(t, s.Settings).Choose(src, size); err != nil || got != want {
				t.Errorf("%s, compression %q: %q, %v; not %q", name, s.Compression, got, err, want)
			}
		}
		// The estimate holds: what is compressed is smaller afterwards.
		e := newEncoder(t, Settings{Compression: Zstd, Level: c.level})
		if stored := encode(t, e, c.content, manifest.Zstd); c.worth && len(stored) >= len(c.content) {
			t.Errorf("%s: %d bytes became %d", name, len(c.content), len(stored))
		}
	}
	if _, err := newEncoder(t, Settings{Compression: Zstd}).Choose(strings.NewReader("abc"), 4); !errors.Is(err, io.ErrUnexpectedEOF) {
		t.Errorf("content that has become shorter: %v", err)
	}
}

// Only an object that needs a scratch file needs their directory. A restore, a list or a small backup does not.
func TestMissingScratchDirectory(t *testing.T) {
	t.Parallel()
	for dir, want := range map[string]string{
		filepath.Join(t.TempDir(), "gone"): "create it",
		os.DevNull:                         "is no directory",
	} {
		b, err := NewBudget(Limits{Scratch: dir})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := b.scratch.file(t.Context(), 1, 0); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %q", dir, err, want)
		}
	}
}
