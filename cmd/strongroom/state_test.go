package main

import (
	"os"
	"path/filepath"
	"testing"
)

// Of several state directories that systemd names, the first is used.
func TestStateDirectoryOfSystemd(t *testing.T) {
	t.Setenv("STRONGROOM_STATE_DIR", "")
	t.Setenv("STATE_DIRECTORY", "/var/lib/a:/var/lib/b")
	if w := witness("", "file:///x"); w.Dir != "/var/lib/a" {
		t.Fatal(w.Dir)
	}
	t.Setenv("STRONGROOM_STATE_DIR", "/x:y")
	if w := witness("", "file:///x"); w.Dir != "/x:y" {
		t.Fatal(w.Dir)
	}
}

// A backup to a URL keeps its witness where the configuration that was named says.
func TestBackupToURLUsesConfiguredState(t *testing.T) {
	dir, db := t.TempDir(), t.TempDir()
	t.Setenv("STRONGROOM_STATE_DIR", filepath.Join(dir, "elsewhere"))
	logDir(t, db, 0, 2, 100)
	configuration := filepath.Join(dir, "strongroom.yaml")
	text := "state_dir: " + dir + "/state\narchives:\n  - name: a\n    source: {dir: " + db + "}\n    destination: file://" + dir + "/other\n"
	if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if code := run([]string{"--config", configuration, "backup", "--source", db, "--node", "n", "file://" + dir + "/archive"}, t.Output(), t.Output()); code != exitDone {
		t.Fatalf("exit code %d", code)
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "state")); err != nil || len(entries) == 0 {
		t.Fatalf("no witness in the configured place: %v, %v", entries, err)
	}
}
