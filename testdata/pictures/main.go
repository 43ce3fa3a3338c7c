// Command pictures draws the terminal of the README: it runs strongroom demo, and writes its output as SVG files for
// light and dark pages. See make pictures.
package main

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
)

func main() {
	program := flag.String("strongroom", "bin/strongroom", "the `program` whose demo is drawn")
	out := flag.String("out", "docs/pictures", "the `directory` for terminal-light.svg and terminal-dark.svg")
	flag.Parse()
	if err := draw(*program, *out); err != nil {
		fmt.Fprintln(os.Stderr, "pictures:", err)
		os.Exit(1)
	}
}

func draw(program, out string) (err error) {
	dir, err := os.MkdirTemp("", "pictures-")
	if err != nil {
		return fmt.Errorf("making a directory for the demo: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	text, err := exec.Command(program, "demo", "--dir", filepath.Join(dir, "demo")).CombinedOutput()
	if err != nil {
		return fmt.Errorf("running %s demo: %w\n%s", program, err, text)
	}
	lines := session(strings.ReplaceAll(string(text), dir, "/tmp"))
	for name, c := range map[string]colours{"light": light, "dark": dark} {
		file := filepath.Join(out, "terminal-"+name+".svg")
		if err := os.WriteFile(file, []byte(svg(lines, c)), 0o644); err != nil {
			return fmt.Errorf("writing the picture: %w", err)
		}
	}
	return nil
}

// skipped are the beginnings of the titles of steps that the picture leaves out.
var skipped = []string{"The database writes more", "And once more", "The bit is flipped back"}

var hash = regexp.MustCompile(`([0-9a-f]{8})[0-9a-f]{56}`)

// session returns the lines of the picture: no step that repeats another one, no advice at the end, short hashes.
func session(text string) []string {
	var lines []string
	keep := true
	for line := range strings.Lines(text) {
		line = hash.ReplaceAllString(strings.TrimRight(line, "\n"), "$1…")
		if title, ok := strings.CutPrefix(line, "== "); ok {
			keep = true
			for _, s := range skipped {
				keep = keep && !strings.HasPrefix(title, s)
			}
		}
		if strings.HasPrefix(line, "All files are in") {
			break
		}
		if keep {
			lines = append(lines, wrap(line)...)
		}
	}
	return strings.Split(strings.Trim(strings.Join(lines, "\n"), "\n"), "\n")
}

// columns is the width of the terminal.
const columns = 104

// wrap breaks a line as a terminal does, but between words where it can.
func wrap(line string) (lines []string) {
	for rest := []rune(line); ; {
		if len(rest) <= columns {
			return append(lines, string(rest))
		}
		end := columns
		for i := columns; i > columns/2; i-- {
			if rest[i] == ' ' {
				end = i
				break
			}
		}
		lines = append(lines, string(rest[:end]))
		rest = append([]rune("    "), []rune(strings.TrimLeft(string(rest[end:]), " "))...)
	}
}
