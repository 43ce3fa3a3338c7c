package config

import (
	"errors"
	"strings"
	"testing"
	_ "time/tzdata" // the tests do not depend on what is installed
)

// parse reads a configuration with two variables in the environment.
func parse(yaml string) (*Config, error) {
	return Parse("strongroom.yaml", []byte(yaml), func(name string) (string, bool) {
		v, ok := map[string]string{"BUCKET": "backups", "EMPTY": "", "N": "12", "EVIL": "x\"\n- name: y", "LOGIN": "me:secret"}[name]
		return v, ok
	})
}

// mustParse is parse for a valid configuration.
func mustParse(t *testing.T, yaml string) *Config {
	t.Helper()
	c, err := parse(yaml)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// problems returns what is wrong with a configuration.
func problems(t *testing.T, yaml string) []Problem {
	t.Helper()
	c, err := parse(yaml)
	if err == nil {
		t.Fatalf("this was taken for right, as %+v:\n%s", c, yaml)
	}
	if c != nil {
		t.Error("a configuration in addition to the error")
	}
	e, ok := errors.AsType[*Error](err)
	if !ok || len(e.Problems) == 0 {
		t.Fatalf("a bare error: %v", err)
	}
	return e.Problems
}

// minimal is a right configuration with more keys in its source and its archive.
func minimal(source, archive string) string {
	var b strings.Builder
	b.WriteString("archives:\n  - name: orders\n    source:\n      dir: /var/lib/orders\n")
	for line := range strings.Lines(source) {
		b.WriteString("      " + strings.TrimRight(line, "\n") + "\n")
	}
	b.WriteString("    destination: file:///backup\n")
	for line := range strings.Lines(archive) {
		b.WriteString("    " + strings.TrimRight(line, "\n") + "\n")
	}
	return b.String()
}
