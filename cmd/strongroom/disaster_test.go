package main

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"filippo.io/age"
)

// An operator who has lost a host types what docs/disaster.md has, and has no time for a command that no longer
// works. The test runs the commands of the page, in their order, with nothing but the URL and the identity. Each
// runs with an empty state directory and without a configuration, as on a new host.
func TestDisasterPage(t *testing.T) {
	t.Parallel()
	whole(t)
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "orders.key")
	if err := os.WriteFile(key, []byte(id.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	page, err := os.ReadFile("../../docs/disaster.md")
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(page), "\n"); n > 75 {
		t.Errorf("the page has %d lines: two screens have less", n)
	}
	db := t.TempDir()
	logDir(t, db, 0, 4, 2000)
	for name, c := range map[string]struct{ backup, read []string }{
		"plain":     {},
		"encrypted": {[]string{"--recipient", id.Recipient().String()}, []string{"--identity", key}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			url, to := "file://"+filepath.Join(t.TempDir(), "archive"), filepath.Join(t.TempDir(), "orders")
			succeed(t, append([]string{"backup", "--source", db, url}, c.backup...)...)
			values := strings.NewReplacer(`"$url"`, url, "/var/lib/orders", to)
			var ran []string
			for _, m := range pageCommand.FindAllStringSubmatch(string(page), -1) {
				args := strings.Fields(values.Replace(m[1]))
				ran = append(ran, args[0])
				if args[0] == "restore" {
					args = append(args, c.read...)
				}
				succeed(t, expand(t, args)...)
			}
			if got := strings.Join(ran, " "); got != "list restore restore inspect verify" {
				t.Errorf("the page has the commands %s", got)
			}
			sameDir(t, to, db)
		})
	}
}

// pageCommand is a command of the program in an indented block of a page.
var pageCommand = regexp.MustCompile(`(?m)^ {4,}strongroom (.+)$`)

// expand replaces each pattern in arguments by the files that it matches, as a shell does.
func expand(t *testing.T, args []string) []string {
	t.Helper()
	var all []string
	for _, arg := range args {
		names := []string{arg}
		if strings.Contains(arg, "*") {
			var err error
			if names, err = filepath.Glob(arg); err != nil || len(names) == 0 {
				t.Fatalf("%s matches no file (%v)", arg, err)
			}
		}
		all = append(all, names...)
	}
	return all
}
