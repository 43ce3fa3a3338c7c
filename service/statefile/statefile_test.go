package statefile

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"
)

// save writes a value.
func save(file string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	return write(file, b)
}

func TestWriteAndRead(t *testing.T) {
	file := filepath.Join(t.TempDir(), "below", "x.json")
	var got map[string]int
	if err := load(file, &got); err != nil || got != nil {
		t.Errorf("before it is there: %v, %v", got, err)
	}
	for n := range 2 {
		if err := save(file, map[string]int{"a": n}); err != nil {
			t.Fatal(err)
		}
		if err := load(file, &got); err != nil || got["a"] != n {
			t.Errorf("%v, %v", got, err)
		}
	}
	if i, err := os.Stat(file); err != nil || i.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", i, err)
	}
	for _, bad := range []string{"", "{", "[]", `{"a":"b"}`} {
		if err := os.WriteFile(file, []byte(bad), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := load(file, &got); err == nil {
			t.Errorf("%q is read", bad)
		}
	}
	if err := save(filepath.Join(file, "y"), 1); err == nil {
		t.Error("a file is no directory")
	}
}

// A write that fails leaves the old content.
func TestFailedWrite(t *testing.T) {
	file := filepath.Join(t.TempDir(), "x.json")
	if err := save(file, 1); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(file+".new", 0o700); err != nil {
		t.Fatal(err)
	}
	var got int
	if err := save(file, 2); err == nil {
		t.Error("it is written over a directory")
	}
	if err := load(file, &got); err != nil || got != 1 {
		t.Errorf("%v, %v", got, err)
	}
}

// The metrics show that the state is not written any more.
func TestFailuresAreCounted(t *testing.T) {
	before := Failures()
	failed := make(chan error, 1)
	NewDir("/dev/null/x", nil).Save("a.json", 1, func(err error) { failed <- err })
	if err := <-failed; err == nil || Failures() != before+1 {
		t.Errorf("%v, %d failures", err, Failures()-before)
	}
}

// load reads a value from the file itself, and nothing that a Dir has yet to write.
func load(file string, v any) error {
	return NewDir(filepath.Dir(file), nil).Read(filepath.Base(file), v)
}
