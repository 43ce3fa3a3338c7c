package encoding

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
)

func TestIdentities(t *testing.T) {
	t.Parallel()
	a, keyA := newKey(t)
	b, keyB := newKey(t)
	c, keyC := newKey(t)
	e := newEncoder(t, Settings{Compression: Zstd, Recipients: []string{keyA, keyB}})
	for _, how := range []string{manifest.Age, manifest.ZstdAge} {
		stored := encode(t, e, text(1000), how)
		for name, d := range map[string]*Decoder{"the first": NewDecoder(a), "the second": NewDecoder(b), "one among others": NewDecoder(c, b), "both": NewDecoder(a, b)} {
			if _, err := decode(d, stored, how, 1000, e.Recipients()...); err != nil {
				t.Errorf("%q with %s: %v", how, name, err)
			}
		}
		for name, d := range map[string]*Decoder{"none was given": NewDecoder(), "none of the 1 given": NewDecoder(c)} {
			_, err := decode(d, stored, how, 1000, e.Recipients()...)
			if !errors.Is(err, ErrNoIdentity) || errors.Is(err, ErrDamaged) {
				t.Fatalf("%q: %v", how, err)
			}
			for _, want := range []string{name, keyA, keyB} {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q: %v: does not name %s", how, err, want)
				}
			}
			if _, err := decode(d, stored, how, 1000); !errors.Is(err, ErrNoIdentity) || strings.Contains(err.Error(), "it needs") {
				t.Errorf("%q, of unknown recipients: %v", how, err)
			}
		}
		// An identity among the recipients that cannot open the part finds a damaged header.
		if _, err := decode(NewDecoder(c), stored, how, 1000, keyC); !errors.Is(err, ErrDamaged) || errors.Is(err, ErrNoIdentity) {
			t.Errorf("%q: %v", how, err)
		}
	}
	many := make([]string, 1000)
	for i := range many {
		many[i] = keyA
	}
	_, err := decode(NewDecoder(), nil, manifest.Age, 0, many...)
	if err == nil || len(err.Error()) > 4000 || !strings.Contains(err.Error(), "980 more") {
		t.Errorf("%v", err)
	}
	// Without identities everything else can be read.
	if _, err := decode(NewDecoder(), encode(t, e, text(1000), manifest.Zstd), manifest.Zstd, 1000); err != nil {
		t.Error(err)
	}
}

func TestLoadIdentities(t *testing.T) {
	a, key := newKey(t)
	b, _ := newKey(t)
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	one := file("one", "# created: 2026-01-01T00:00:00Z\n# public key: "+key+"\n"+a.String()+"\n")
	both := file("both", a.String()+"\r\n\r\n"+b.String()+"\r\n")
	t.Setenv(IdentityVariable, "")
	for _, c := range []struct {
		variable string
		files    []string
		want     int
	}{
		{"", nil, 0},
		{"", []string{one}, 1},
		{"", []string{one, both}, 3},
		{both, nil, 2},
		{both, []string{one}, 1}, // what is named on the command line is what counts
	} {
		t.Setenv(IdentityVariable, c.variable)
		if ids, err := LoadIdentities(t.Context(), c.files...); err != nil || len(ids) != c.want {
			t.Errorf("%q, %q: %d, %v", c.variable, c.files, len(ids), err)
		}
	}

	bad := strings.Replace(a.String(), a.String()[20:24], "QQQQ", 1)
	for name, c := range map[string]struct{ text, want string }{
		"empty":      {"", "no identities"},
		"public":     {key, "line 1"},
		"spoiled":    {"\n" + bad, "line 2"},
		"encrypted":  {"age-encryption.org/v1\n-> scrypt", "it is encrypted"},
		"armored":    {"-----BEGIN AGE ENCRYPTED FILE-----", "it is encrypted"},
		"ssh":        {"-----BEGIN OPENSSH PRIVATE KEY-----", "age-keygen"},
		"far larger": {strings.Repeat("# nothing\n", 200_000), "more than 1048576 bytes"},
	} {
		path := file(name, c.text)
		_, err := LoadIdentities(t.Context(), path)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), path) {
			t.Errorf("%s: %v, not %q", name, err, c.want)
		} else if strings.Contains(err.Error(), bad[30:]) {
			t.Errorf("%s: the error shows the key", name)
		}
	}
	t.Setenv(IdentityVariable, filepath.Join(dir, "missing"))
	if _, err := LoadIdentities(t.Context()); !errors.Is(err, os.ErrNotExist) || !strings.Contains(err.Error(), IdentityVariable) {
		t.Errorf("%v", err)
	}
	if _, err := LoadIdentities(t.Context(), dir); err == nil || errors.Is(err, io.EOF) {
		t.Errorf("a directory: %v", err)
	}
}
