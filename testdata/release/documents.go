package main

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
)

// file is a file of a release.
type file struct {
	name    string // with slashes
	mode    fs.FileMode
	content []byte
}

// documents returns the files that are the same for all targets: the manual pages and completions, which the program
// of this host makes, the unit, the example of a configuration and the texts.
func (r *release) documents(ctx context.Context, work string) ([]file, error) {
	program := filepath.Join(work, "man", "strongroom")
	if err := r.compile(ctx, host(), program, "man"); err != nil {
		return nil, err
	}
	pages := filepath.Join(work, "pages")
	if err := os.Mkdir(pages, 0o755); err != nil {
		return nil, fmt.Errorf("making a temporary directory: %w", err)
	}
	c := exec.CommandContext(ctx, program, "man", pages)
	c.Env = append(os.Environ(), "SOURCE_DATE_EPOCH="+strconv.FormatInt(r.date.Unix(), 10))
	if err := runTool(c); err != nil {
		return nil, err
	}
	files, err := readDir(pages, "man/")
	if err != nil {
		return nil, err
	}
	for shell, name := range map[string]string{"bash": "strongroom.bash", "zsh": "_strongroom", "fish": "strongroom.fish"} {
		script, err := exec.CommandContext(ctx, program, "completion", shell).Output()
		if err != nil {
			return nil, fmt.Errorf("making the completion for %s: %w", shell, err)
		}
		files = append(files, file{name: "completions/" + name, mode: 0o644, content: script})
	}
	return r.addTexts(files)
}

// texts are the files of the source in a release, by their names in it.
var texts = map[string]string{
	"LICENSE":                    "LICENSE",
	"README.md":                  "README.md",
	"CHANGELOG.md":               "CHANGELOG.md",
	"strongroom.yaml":            "config/starter.yaml",
	"systemd/strongroom.service": "deploy/systemd/strongroom.service",
	"systemd/sysusers.conf":      "testdata/release/package/sysusers.conf",
}

func (r *release) addTexts(files []file) ([]file, error) {
	for name, from := range texts {
		content, err := os.ReadFile(filepath.Join(r.root, from))
		if err != nil {
			return nil, fmt.Errorf("reading a file of the release: %w", err)
		}
		files = append(files, file{name: name, mode: 0o644, content: content})
	}
	return files, nil
}

// readDir returns the files in a directory, with a prefix before their names.
func readDir(dir, prefix string) ([]file, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("reading the files of the release: %w", err)
	}
	var files []file
	for _, e := range entries {
		content, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			return nil, fmt.Errorf("reading a file of the release: %w", err)
		}
		files = append(files, file{name: prefix + e.Name(), mode: 0o644, content: content})
	}
	return files, nil
}

const (
	localProgram    = "ExecStart=/usr/local/bin/strongroom "
	packagedProgram = "ExecStart=/usr/bin/strongroom "
)

// packagedUnit returns the unit with the path that the program has in a package.
func packagedUnit(unit []byte) ([]byte, error) {
	if n := bytes.Count(unit, []byte(localProgram)); n != 1 {
		return nil, fmt.Errorf("the unit has %q %d times, not once: the package would start another program", localProgram, n)
	}
	return bytes.Replace(unit, []byte(localProgram), []byte(packagedProgram), 1), nil
}
