package encoding

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
)

// run feeds a program. It is skipped with -short where it is not installed.
func run(t *testing.T, stdin []byte, name string, args ...string) []byte {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil && testing.Short() {
		t.Skipf("%v; without -short this fails", err)
	} else if err != nil {
		t.Fatalf("%v; apt-get install %s", err, name)
	}
	cmd := exec.CommandContext(t.Context(), path, args...)
	cmd.Stdin = bytes.NewReader(stdin)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, stderr.String())
	}
	return out
}

// Stored content can be read with common programs, and their output can be read here.
func TestProgramsByHand(t *testing.T) {
	t.Parallel()
	id, key := newKey(t)
	other, otherKey := newKey(t)
	dir := t.TempDir()
	keyFile, otherFile := filepath.Join(dir, "key.txt"), filepath.Join(dir, "other.txt")
	for name, text := range map[string]string{keyFile: id.String(), otherFile: other.String()} {
		if err := os.WriteFile(name, []byte("# made by a test\n"+text+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := NewDecoder(other)
	levels := []string{Fastest, Normal, Better, Best}
	if testing.Short() {
		levels = levels[:1]
	}
	for _, level := range levels {
		e := newEncoder(t, Settings{Compression: Zstd, Level: level, Recipients: []string{key, otherKey}})
		contents := [][]byte{text(3 << 20), make([]byte, maxWindow+1)}
		if level == Fastest {
			contents = append(contents, nil, []byte("a"), text(64<<10), random(64<<10+1))
		}
		for _, plain := range contents {
			same := func(what string, got []byte) {
				t.Helper()
				if !bytes.Equal(got, plain) {
					t.Fatalf("%s, %d bytes: other bytes came out", what, len(plain))
				}
			}
			same("zstd -d", run(t, encode(t, e, plain, manifest.Zstd), "zstd", "-d", "-c"))
			if level == Fastest { // nothing is compressed
				same("age -d", run(t, encode(t, e, plain, manifest.Age), "age", "-d", "-i", keyFile))
			}
			both := encode(t, e, plain, manifest.ZstdAge)
			same("age -d | zstd -d", run(t, run(t, both, "age", "-d", "-i", otherFile), "zstd", "-d", "-c"))
		}
	}
	for _, plain := range [][]byte{nil, []byte("a"), text(1000), random(200_000), make([]byte, 20<<20)} {
		for _, level := range []string{"-1", "-3", "-19"} {
			packed := run(t, plain, "zstd", "-c", level)
			if got, err := decode(d, packed, manifest.Zstd, len(plain)); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("zstd %s of %d bytes: %v", level, len(plain), err)
			}
			if level == "-3" {
				continue
			}
			both := run(t, packed, "age", "-r", key, "-r", otherKey)
			if got, err := decode(d, both, manifest.ZstdAge, len(plain)); err != nil || !bytes.Equal(got, plain) {
				t.Errorf("zstd %s | age of %d bytes: %v", level, len(plain), err)
			}
		}
	}
}
