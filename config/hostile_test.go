package config

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Files that are made to be slow, deep or large are refused soon.
func TestHostileFiles(t *testing.T) {
	t.Parallel()
	n := MaxSize
	if testing.Short() {
		n /= 16
	}
	var bomb strings.Builder
	bomb.WriteString("a0: &a0 [x, x, x, x, x, x, x, x, x]\n")
	for _, c := range "123456789" {
		prev := string(c - 1)
		bomb.WriteString("a" + string(c) + ": &a" + string(c) + " [" + strings.Repeat("*a"+prev+", ", 9) + "x]\n")
	}
	files := map[string]string{
		"flow":      strings.Repeat("[", n),
		"mappings":  strings.Repeat("{a: ", n/4),
		"sequences": strings.Repeat("- ", n/2),
		"keys":      strings.Repeat("? ", n/2),
		"mapping":   strings.Repeat("a: 1\n", n/5),
		"tags":      strings.Repeat("!a ", n/3),
		"anchors":   strings.Repeat("&a ", n/3),
		"colons":    strings.Repeat(":", n),
		"quotes":    strings.Repeat("'", n),
		"documents": strings.Repeat("---\n", n/4),
		"columns":   strings.Repeat("- ", 400) + "x",
		"bomb":      bomb.String(),
		"long":      strings.Repeat(" ", MaxSize+1),
		"pattern":   minimal("layout: files\npattern: '"+strings.Repeat("(", 100_000)+"'", ""),
		"repeats":   minimal("layout: files\npattern: 'a{1000}{1000}'", ""),
	}
	for name, yaml := range files {
		begin := time.Now()
		_, err := parse(yaml)
		if err == nil || len(err.Error()) > 5000 {
			t.Errorf("%s: %.200v", name, err)
		}
		// It is milliseconds for most. The bound leaves room for -race on a busy host; a bomb takes longer than any.
		if took := time.Since(begin); took > 5*time.Minute {
			t.Errorf("%s took %v", name, took)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add(string(Starter()))
	f.Add(minimal("layout: segments\npattern: '(x)'\nbase: 16\nclosed: quiet\nquiet: 60s", "schedule: '0 4 * * mon'\ntime_zone: Asia/Tokyo"))
	f.Add(minimal("", "node: ${N}\ntransfers: ${N}\njitter: [1, {a: *b, ? c : !d e}]\n<<: x") + "defaults: {schedule: '@every 1m'}\n")
	f.Add("a: |\n  b\n--- >\n c\n...\n%YAML 1.2\n")
	f.Fuzz(func(t *testing.T, yaml string) {
		c, err := Parse("f", []byte(yaml), func(name string) (string, bool) { return os.DevNull, name == "N" })
		if err == nil {
			for _, a := range c.Archives {
				if _, err := ParseSchedule(a.Schedule, a.Location()); a.Schedule != "" && err != nil {
					t.Errorf("a bad schedule: %v", err)
				}
			}
			return
		}
		e, ok := errors.AsType[*Error](err)
		if !ok || c != nil || !utf8.ValidString(err.Error()) || strings.ContainsAny(err.Error(), "\x00\x1b\r") {
			t.Errorf("the error is %q", err)
		}
		for _, p := range e.Problems {
			if p.Message == "" || p.Line > 0 && p.Column < 1 {
				t.Errorf("a problem is %+v", p)
			}
		}
	})
}
