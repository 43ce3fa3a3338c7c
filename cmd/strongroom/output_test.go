package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// errFull is the error of a full disk.
var errFull = errors.New("no space left on device")

type fullDisk struct{}

func (fullDisk) Write([]byte) (int, error) { return 0, errFull }

// A script that saves the output of a command must get an exit code if the output is incomplete.
func TestFullOutput(t *testing.T) {
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 3, 100)
	config := filepath.Join(to, "strongroom.yaml")
	if err := os.WriteFile(config, []byte("archives:\n"+inDir("a", dir, to+"/a", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	log := filepath.Join(dir, "00000000.jdb")
	for _, args := range [][]string{
		{"backup", "a"},
		{"backup", "a", "--force", "--json"},
		{"check", "--quick"},
		{"check", "--quick", "--json"},
		{"check", "--quick", "--files"},
		{"list"},
		{"show", "a"},
		{"diff", "a@1", "a@2"},
		{"cat", "a", "00000000.jdb"},
		{"inspect", log},
		{"inspect", "--json", log},
		{"verify", "a"},
		{"status"},
		{"prune", "a", "--keep-last", "1", "--dry-run"},
		{"hold", "a@1"},
		{"release", "a@1"},
		{"drill", "a"},
		{"archived", "a", log},
		{"version"},
		{"--version"},
		{"--help"},
		{"backup", "--help"},
		{"completion", "bash"},
		{"restore", "a", "--to", to + "/r", "--dry-run"},
	} {
		var stderr bytes.Buffer
		code := run(append([]string{"--config", config}, args...), fullDisk{}, &stderr)
		if code != exitFailed || !strings.Contains(stderr.String(), errFull.Error()) {
			t.Errorf("%q: exit code %d: %s", args, code, stderr.String())
		}
	}
}

// The names in an archive are those that an attacker may have chosen.
func TestInvisibleCharactersAreEscaped(t *testing.T) {
	t.Parallel()
	for name, want := range map[string]string{
		"a\u202etxt.bdj":      `a\u202etxt.bdj`, // right to left
		"a\u2066b\u2069":      `a\u2066b\u2069`,
		"a\u200bb\ufeff":      `a\u200bb\ufeff`, // zero width
		"a\u034fb\u3164":      `a\u034fb\u3164`, // printable by its category, and yet invisible
		"a\ufe0fb\u2800":      `a\ufe0fb\u2800`,
		"a\U000e0101b":        `a\U000e0101b`,
		"a\x1b[2J\x7f\u009b":  `a\x1b[2J\x7f\u009b`,
		"a\xffb":              `a\xffb`,
		"größer 日本 e\u0301 😀": "größer 日本 e\u0301 😀",
	} {
		if got := sanitizeTerminal(name); got != want {
			t.Errorf("%q becomes %s, not %s", name, got, want)
		}
		if got := quoteName(name); got != want && got != `"`+want+`"` {
			t.Errorf("the name %q becomes %s", name, got)
		}
		var out bytes.Buffer
		w := textWriter(&out)
		for i := range len(name) { // also if characters come in parts
			if _, err := w.Write([]byte{name[i]}); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Flush(); err != nil || out.String() != want {
			t.Errorf("%q is written as %s, %v", name, out.String(), err)
		}
	}
}

// JSON has the same meaning, and nothing that a terminal would not show.
func TestInvisibleCharactersInJSON(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	name := "a\u202eb\u200b\U000e0101\x7f\tgröße"
	if err := (&app{stdout: &out, json: true}).print([]string{name}, nil); err != nil {
		t.Fatal(err)
	}
	if strings.ContainsFunc(out.String(), func(r rune) bool { return r != '\n' && !isVisible(r) }) {
		t.Errorf("the output is %q", out.String())
	}
	var got []string
	if err := json.Unmarshal(out.Bytes(), &got); err != nil || len(got) != 1 || got[0] != name {
		t.Errorf("it decodes to %q, %v", got, err)
	}
}

// A cell of a table cannot begin another row.
func TestCellsStayInTheirRow(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	if err := table(&out, [][]string{{"a\nb", "c\td"}}); err != nil || out.String() != "a\\nb  c\\td\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}

// Scripts and bug reports use either: both print one text.
func TestVersionHasOneText(t *testing.T) {
	t.Parallel()
	var command, flag, errs bytes.Buffer
	if run([]string{"version"}, &command, &errs) != exitDone || run([]string{"--version"}, &flag, &errs) != exitDone ||
		command.String() != flag.String() || command.String() != tool()+"\n" {
		t.Errorf("%q and %q: %s", &command, &flag, &errs)
	}
}
