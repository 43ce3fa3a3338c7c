package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// complete returns what a shell shows for a command line, and the directive behind it.
func complete(t *testing.T, args ...string) (found []string, directive string) {
	t.Helper()
	var out, errs strings.Builder
	if code := run(append([]string{cobra.ShellCompNoDescRequestCmd}, args...), &out, &errs); code != exitDone {
		t.Fatalf("%q: exit code %d: %s", args, code, errs.String())
	}
	for line := range strings.Lines(errs.String()) {
		if !strings.HasPrefix(line, "Completion ended with directive") { // cobra's own, which scripts discard
			t.Errorf("%q: a message: %s", args, line)
		}
	}
	lines := strings.Split(strings.TrimSuffix(out.String(), "\n"), "\n")
	return lines[:len(lines)-1], lines[len(lines)-1]
}

const (
	noFiles        = ":4"
	noFilesNoSpace = ":6"
	onlyDirs       = ":16"
	allFiles       = ":0"
)

func namesConfig(t *testing.T) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.yaml")
	text := "archives:\n"
	for _, name := range []string{"orders", "old", "users"} {
		text += fmt.Sprintf("  - {name: %s, source: {dir: /none/%s}, destination: 'file:///none/archives/%s'}\n", name, name, name)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// The names of the configuration complete each argument that is an archive, and nothing else does.
func TestCompletion(t *testing.T) {
	t.Parallel()
	config := namesConfig(t)
	for _, one := range []struct {
		line      string
		want      string
		directive string
	}{
		{"backup ", "orders old users", noFiles},
		{"backup o", "orders old", noFiles},
		{"backup orders ", "old users", noFiles},
		{"backup --source /db ", "", noFiles},
		{"restore u", "users", noFiles},
		{"restore users --to ", "", onlyDirs},
		{"restore users ", "", noFiles},
		{"copy orders --to u", "users", noFiles},
		{"verify --repair --from ol", "old", noFiles},
		{"hold us", "users@", noFilesNoSpace},
		{"hold --snapshot 3 us", "users", noFiles},
		{"diff orders@1 or", "orders@", noFilesNoSpace},
		{"cat or", "orders", noFiles},
		{"cat orders ", "", noFiles},
		{"archived or", "orders", noFiles},
		{"archived orders ", "", allFiles},
		{"archived orders a.jdb ", "", allFiles},
		{"inspect ", "", allFiles},
		{"inspect a.jdb ", "", allFiles},
		{"confirm orders ", "", noFiles},
		{"status ", "", noFiles},
		{"init ", "", allFiles},
		{"list s3://buck", "", noFiles},
		{"check --layout ", "je noxu bdb segments files", noFiles},
		{"list --log-level ", "debug info warn error", noFiles},
		{"help resto", "restore", noFiles},
	} {
		args := append([]string{"--config", config}, strings.Split(one.line, " ")...)
		found, directive := complete(t, args...)
		if !slices.Equal(found, strings.Fields(one.want)) || directive != one.directive {
			t.Errorf("%q: %q %s, want %q %s", one.line, found, directive, one.want, one.directive)
		}
	}
}

// A command whose usage has ARCHIVE completes names, also one that is added later.
func TestCompletionOfEachCommand(t *testing.T) {
	t.Parallel()
	config := namesConfig(t)
	eachCommand((&app{}).command(), func(c *cobra.Command) {
		if !strings.Contains(c.Use, "ARCHIVE") {
			return
		}
		if found, _ := complete(t, c.Name(), "--config", config, "use"); len(found) != 1 || !strings.HasPrefix(found[0], "users") {
			t.Errorf("%s completes %q, want users", c.Name(), found)
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if _, ok := c.GetFlagCompletionFunc(f.Name); !ok {
				t.Errorf("%s: the value of --%s is completed with the names of files", c.Name(), f.Name)
			}
		})
	})
}

// A completion runs at each press of a key: it reads no pipe, writes nothing and prints no error, whatever the
// configuration is.
func TestCompletionWithoutAConfiguration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	pipe, broken, secret := filepath.Join(dir, "pipe"), filepath.Join(dir, "broken"), filepath.Join(dir, "secret")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{broken: "archives: [{name: orders", secret: "token: hunter2\n"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	before := entriesOf(t, dir)
	for _, config := range []string{pipe, broken, secret, dir, filepath.Join(dir, "none"), "/dev/null", "/dev/zero", ""} {
		if found, _ := complete(t, "backup", "--config", config, ""); len(found) > 0 {
			t.Errorf("%s: completed with %q", config, found)
		}
	}
	if after := entriesOf(t, dir); !slices.Equal(before, after) {
		t.Errorf("the directory had %q, and has %q", before, after)
	}
}

func entriesOf(t *testing.T, dir string) (names []string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}
