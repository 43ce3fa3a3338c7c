package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A mutation is a small fault.
type mutation struct {
	Name     string   // the patch's name, or file, function and change
	Why      string   // for a patch: why a test must find it
	Packages []string // the packages whose tests run, in this order
	Run      string   // for go test -run: long tests that run as well; empty for none
	Changes  []string // the functions that a patch changes, in order of their names
	Hash     string   // of the patch, or of the file that it changes

	areas []area // its locations
	patch string // the patch's file; empty for a drawn mutation

	file        string // for a drawn mutation: its file, and the range that it replaces
	from, to    int
	replacement string
	shown       string // the change, as printed
}

// patches reads the patches, which begin with lines such as "# why: …", "# packages: …",
// "# changes: …", with the functions, and, if a short test is not enough, "# run: …".
func patches(dir string) ([]mutation, error) {
	files, err := filepath.Glob(filepath.Join(dir, "*.patch"))
	if err != nil {
		return nil, err
	}
	var all []mutation
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		m := mutation{Name: "patch " + strings.TrimSuffix(filepath.Base(file), ".patch"), Hash: hashOf(b)}
		if m.patch, err = filepath.Abs(file); err != nil {
			return nil, err
		}
		for line := range strings.Lines(string(b)) {
			key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
			switch key {
			case "# why":
				m.Why = value
			case "# packages":
				m.Packages = strings.Fields(value)
			case "# changes":
				m.Changes = strings.Split(value, ", ")
			case "# run":
				m.Run = value
			}
		}
		if m.Why == "" || len(m.Packages) == 0 || len(m.Changes) == 0 {
			return nil, fmt.Errorf("%s: a line \"# why: \", \"# packages: \" or \"# changes: \" is missing", file)
		}
		all = append(all, m)
	}
	return all, nil
}

// changed returns the contents of the files that a mutation changes, with the mutation.
func (m *mutation) changed(ctx context.Context, t *trial) (map[string][]byte, error) {
	files := []string{m.file}
	if m.patch != "" {
		var err error
		if files, err = patchedFiles(m.patch); err != nil {
			return nil, err
		}
	}
	for _, name := range files {
		if _, ok := t.src[name]; !ok {
			b, err := os.ReadFile(filepath.Join(t.tree, name))
			if err != nil {
				return nil, err
			}
			t.src[name] = b
		}
	}
	if m.patch == "" {
		src := t.src[m.file]
		return map[string][]byte{m.file: bytes.Join([][]byte{src[:m.from], []byte(m.replacement), src[m.to:]}, nil)}, nil
	}
	now, err := gitApply(ctx, t.src, files, m.patch)
	if err != nil {
		return nil, err
	}
	return now, m.findAreas(files, t.src, now)
}

// findAreas records the functions that an applied patch has changed.
func (m *mutation) findAreas(files []string, was, now map[string][]byte) error {
	m.areas = nil
	for _, name := range files {
		before, after := bytes.Split(was[name], []byte("\n")), bytes.Split(now[name], []byte("\n"))
		first, last := 0, 0 // lines that are the same, from the beginning and from the end
		for first < min(len(before), len(after)) && bytes.Equal(before[first], after[first]) {
			first++
		}
		for last < min(len(before), len(after))-first && bytes.Equal(before[len(before)-1-last], after[len(after)-1-last]) {
			last++
		}
		functions, err := functionsOf(name, was[name])
		if err != nil {
			return err
		}
		for _, f := range functions {
			if f.FromLine <= len(before)-last && f.ToLine > first {
				m.areas = append(m.areas, area{file: name, function: f})
			}
		}
	}
	return nil
}

// functionsOf returns the blocks of a file's functions.
func functionsOf(name string, src []byte) ([]block, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, name, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []block
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			all = append(all, blockOf(set, f))
		}
	}
	return all, nil
}

func blockOf(set *token.FileSet, n ast.Node) block {
	from, to := set.Position(n.Pos()), set.Position(n.End())
	return block{from.Line, from.Column, to.Line, to.Column}
}

// patchedFiles returns the files that a patch changes.
func patchedFiles(patch string) ([]string, error) {
	b, err := os.ReadFile(patch)
	if err != nil {
		return nil, err
	}
	var files []string
	for line := range strings.Lines(string(b)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "+++ b/"); ok {
			files = append(files, name)
		}
	}
	if files == nil {
		return nil, fmt.Errorf("%s changes no file", patch)
	}
	return files, nil
}

// gitApply applies a patch to some files. The patch's line numbers may be wrong, but its context must exist.
func gitApply(ctx context.Context, src map[string][]byte, files []string, patch string) (map[string][]byte, error) {
	dir, err := os.MkdirTemp("", "mutate-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	for _, name := range files {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, src[name], 0o644)); err != nil {
			return nil, err
		}
	}
	c := exec.CommandContext(ctx, "git", "apply", patch)
	c.Dir = dir
	c.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(dir)) // dir is not in a repository
	if out, err := c.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("the code has changed, so the patch does not apply; adapt the patch: %w: %s", err, out)
	}
	now := map[string][]byte{}
	for _, name := range files {
		if now[name], err = os.ReadFile(filepath.Join(dir, name)); err != nil {
			return nil, err
		}
	}
	return now, nil
}

// describe returns the description of a survivor.
func (m *mutation) describe() string {
	if m.patch != "" {
		return "    " + m.Why + "\n"
	}
	return m.shown
}
