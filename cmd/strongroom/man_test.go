package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/strongroom-dev/strongroom/archive/encoding"
	"github.com/strongroom-dev/strongroom/internal/manpages"
)

// A package has a manual page for each command. Each page has what --help has: the flags and the examples.
func TestManPages(t *testing.T) {
	t.Setenv("SOURCE_DATE_EPOCH", "1795910400")
	dir := t.TempDir()
	root := (&app{}).command()
	if err := manpages.Write(dir, root, "v0.1.0"); err != nil {
		t.Fatal(err)
	}
	wanted := 0
	eachCommand(root, func(c *cobra.Command) {
		if c.Name() == "help" {
			return
		}
		wanted++
		page := strings.ReplaceAll(readPage(t, filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1")), `\-`, "-")
		for _, want := range []string{".TH ", "strongroom v0.1.0", "Nov 2026", c.Short, "EXAMPLE", "SEE ALSO"} {
			if !strings.Contains(page, want) {
				t.Errorf("the page of %s has no %q", c.CommandPath(), want)
			}
		}
		c.Flags().VisitAll(func(f *pflag.Flag) {
			if !f.Hidden && !strings.Contains(page, `\fB--`+f.Name+`\fP`) {
				t.Errorf("the page of %s has no flag --%s", c.CommandPath(), f.Name)
			}
		})
		for line := range strings.Lines(c.Example) {
			if command := strings.Fields(line)[:2]; !strings.Contains(page, strings.Join(command, " ")) {
				t.Errorf("the page of %s has no example %s", c.CommandPath(), line)
			}
		}
	})
	pages, err := os.ReadDir(dir)
	if err != nil || len(pages) != wanted {
		t.Errorf("%d pages for %d commands: %v", len(pages), wanted, err)
	}
	if !strings.Contains(readPage(t, filepath.Join(dir, "strongroom.1")), encoding.IdentityVariable) {
		t.Errorf("strongroom(1) does not name %s", encoding.IdentityVariable)
	}
}

func readPage(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Error(err)
	}
	return string(b)
}
