package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// While a large file is encoded, the scratch file is not on the database's disk, unless the
// operator allows that.
func TestScratchBesideTheDatabase(t *testing.T) {
	t.Setenv("STRONGROOM_STATE_DIR", t.TempDir())
	t.Setenv("TMPDIR", "")
	dir, err := os.MkdirTemp("", "strongroom-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	db, to := filepath.Join(dir, "db"), "file://"+filepath.Join(dir, "archive")
	if err := os.Mkdir(db, 0o755); err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("all work and no play makes a log file\n"), 33<<20/38)
	for name, content := range map[string][]byte{"log.0000000001": large, "log.0000000002": nil} {
		if err := writeLog(filepath.Join(db, name), content); err != nil {
			t.Fatal(err)
		}
	}
	backup := func() (int, string) {
		var out, errs bytes.Buffer
		code := run([]string{"backup", "--source", db, "--compression", "zstd", to}, &out, &errs)
		return code, errs.String()
	}
	if code, said := backup(); code != 1 || !strings.Contains(said, "is on the disk of the database") || !strings.Contains(said, "TMPDIR") {
		t.Fatalf("exit code %d: %s", code, said)
	}
	config := filepath.Join(dir, "strongroom.yaml")
	text := "archives:\n" + inDir("orders", db, filepath.Join(dir, "archive"), "    compression: zstd\n")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	if run([]string{"check", "--config", config}, &out, &errs); !strings.Contains(out.String(), "is on the disk of the database") {
		t.Errorf("check does not report it: %s%s", out.String(), errs.String())
	}
	t.Setenv("TMPDIR", os.TempDir())
	if code, said := backup(); code != 0 {
		t.Fatalf("exit code %d: %s", code, said)
	}
}
