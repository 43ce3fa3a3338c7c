package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// oneDisk is a database, an archive and the local state on one disk, in the plain configuration: no
// scratch directory is named. The database has a file that is too large to be encoded in memory.
func oneDisk(t *testing.T) (dir, config string) {
	t.Helper()
	t.Setenv("TMPDIR", "")
	dir, err := os.MkdirTemp("", "strongroom-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	t.Setenv("STRONGROOM_STATE_DIR", filepath.Join(dir, "state"))
	db := filepath.Join(dir, "db")
	if err := os.Mkdir(db, 0o755); err != nil {
		t.Fatal(err)
	}
	large := bytes.Repeat([]byte("all work and no play makes a log file\n"), 33<<20/38)
	for name, content := range map[string][]byte{"log.0000000001": large, "log.0000000002": nil} {
		if err := writeLog(filepath.Join(db, name), content); err != nil {
			t.Fatal(err)
		}
	}
	config = filepath.Join(dir, "strongroom.yaml")
	text := "archives:\n" + inDir("orders", db, filepath.Join(dir, "archive"), "    compression: zstd\n")
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir, config
}

// runIn runs the program in this process.
func runIn(args ...string) (code int, output string) {
	var out, errs bytes.Buffer
	code = run(args, &out, &errs)
	return code, out.String() + errs.String()
}

// A host with one disk archives large files without any setting: scratch files are in the local
// state, and check reports where and how much space stays free.
func TestScratchInTheLocalState(t *testing.T) {
	dir, config := oneDisk(t)
	if code, output := runIn("check", "--quick", "--config", config); code != 0 || !strings.Contains(output, "ok      scratch") ||
		!strings.Contains(output, filepath.Join(dir, "state", "scratch")) || !strings.Contains(output, "256.0 MiB stay free") {
		t.Errorf("check: exit code %d: %s", code, output)
	}
	if code, output := runIn("backup", "--config", config, "orders"); code != 0 {
		t.Fatalf("backup: exit code %d: %s", code, output)
	}
	left, err := os.ReadDir(filepath.Join(dir, "state", "scratch"))
	if err != nil || len(left) > 0 {
		t.Errorf("in the scratch directory are %v, %v", left, err)
	}
}

// Where the scratch directory cannot be made, a large file cannot be encoded. Check fails as the
// backup does, until the file is archived; without such a file it is a note.
func TestScratchThatCannotBeMade(t *testing.T) {
	dir, config := oneDisk(t)
	if err := os.Mkdir(filepath.Join(dir, "state"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "state", "scratch"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, output := runIn("check", "--quick", "--config", config); code != exitFailed || !strings.Contains(output, "failed  scratch") {
		t.Errorf("check: exit code %d: %s", code, output)
	}
	if code, output := runIn("backup", "--config", config, "orders"); code != exitFailed || !strings.Contains(output, "scratch") {
		t.Errorf("backup: exit code %d: %s", code, output)
	}
	t.Setenv("TMPDIR", t.TempDir())
	if code, output := runIn("backup", "--config", config, "orders"); code != 0 {
		t.Fatalf("with another directory: exit code %d: %s", code, output)
	}
	t.Setenv("TMPDIR", "")
	if code, output := runIn("check", "--quick", "--config", config); code != 0 || !strings.Contains(output, "note    scratch") {
		t.Errorf("check of an archive that has the file: exit code %d: %s", code, output)
	}
}

// Check without a configuration fails for missing scratch space exactly where the same backup does.
func TestCheckOfSourceFindsMissingScratch(t *testing.T) {
	dir, _ := oneDisk(t)
	t.Setenv("TMPDIR", filepath.Join(dir, "missing"))
	db, url := filepath.Join(dir, "db"), "file://"+filepath.Join(dir, "archive")
	for _, encode := range [][]string{
		{"--compression", "zstd"},
		{"--recipient", "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"},
	} {
		args := append([]string{"--source", db, url}, encode...)
		if code, output := runIn(append(quickly("check"), args...)...); code != exitFailed || !strings.Contains(output, "failed  scratch") {
			t.Errorf("%v: exit code %d: %s", encode, code, output)
		}
		if code, output := runIn(append(quickly("backup"), args...)...); code != exitFailed || !strings.Contains(output, "scratch") {
			t.Errorf("%v: exit code %d: %s", encode, code, output)
		}
	}
}
