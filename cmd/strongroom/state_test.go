package main

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// If systemd names several state directories, the first is used.
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

// A backup to a URL keeps its local state in the state directory of the named configuration.
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
		t.Fatalf("no local state in the configured place: %v, %v", entries, err)
	}
}

// Without a state directory that outlives a restart, no backup can go on with encrypted objects:
// check reports that before the first backup takes a week.
func TestCheckNotesTemporaryState(t *testing.T) {
	dir := t.TempDir()
	temporary, link := filepath.Join(dir, "temporary"), filepath.Join(dir, "link")
	t.Setenv("TMPDIR", temporary)
	if err := errors.Join(os.Mkdir(temporary, 0o755), os.Symlink(temporary, link)); err != nil {
		t.Fatal(err)
	}
	key := "age1w8g9czfak57jqakjf9ec64casw5t479fs6r8ndknkhv2tkls3e8safjgxz"
	budget, err := encoding.NewBudget(encoding.Limits{})
	if err != nil {
		t.Fatal(err)
	}
	encrypts, err1 := encoding.New(encoding.Settings{Recipients: []string{key}, Budget: budget})
	compresses, err2 := encoding.New(encoding.Settings{Compression: encoding.Zstd, Budget: budget})
	if err := errors.Join(err1, err2); err != nil {
		t.Fatal(err)
	}
	for state, noted := range map[string]bool{
		"/var/lib/strongroom-of-a-test":          false,
		filepath.Join(temporary, "state"):        true,
		filepath.Join(link, "state", "of", "it"): true,
		"/tmp/state":                             true,
		"":                                       true,
	} {
		if f, ok := stateFinding(state, encrypts); ok != noted || ok && f.Result != storecheck.Note {
			t.Errorf("state directory %q: %+v, %v", state, f, ok)
		}
		for _, e := range []*encoding.Encoder{nil, compresses} {
			if f, ok := stateFinding(state, e); ok {
				t.Errorf("state directory %q, and nothing is encrypted: %+v", state, f)
			}
		}
	}
	t.Setenv("STRONGROOM_STATE_DIR", filepath.Join(temporary, "state"))
	db := t.TempDir()
	logDir(t, db, 0, 2, 100)
	configuration := filepath.Join(dir, "strongroom.yaml")
	text := "archives:\n" + inDir("a", db, filepath.Join(dir, "archive"), "    encryption: {recipients: ["+key+"]}\n")
	if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := run([]string{"--config", configuration, "check", "--quick"}, &out, &errs)
	if code != exitDone || !strings.Contains(out.String(), "note    state") {
		t.Errorf("exit code %d: %s%s", code, out.String(), errs.String())
	}
}

// An archive's local state is found under the name that earlier versions gave it.
func TestLocalStateHasTheFormerPlace(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"file:///a", "s3://b/p?region=eu&token=" + marker} {
		s := witness(t.TempDir(), url)
		if s.Former != providers.FormerPlace(url) || strings.Contains(s.Place+s.Former, marker) {
			t.Errorf("%s: %+v", url, s)
		}
	}
}
