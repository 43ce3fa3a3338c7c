package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// A mutation is a small fault.
type mutation struct {
	Name     string   // of the patch, or file:line: what
	Why      string   // of a patch: why a test must find it
	Packages []string // whose tests run
	Run      string   // of the long tests only these, as go test -run has it; empty: all

	patch string // of a patch: its file

	file        string // of a drawn one: where it is, and what it replaces
	from, to    int
	replacement string

	was []byte // the file before, to take it back
}

// mutations are all patches and, up to n in all, drawn ones.
func mutations(root string, n int, seed uint64) ([]mutation, error) {
	all, err := patches(filepath.Join(root, "testdata", "mutations"))
	if err != nil {
		return nil, err
	}
	var sites []mutation
	for _, glob := range []string{
		"archive/*.go", "archive/*/*.go", "manifest/*.go", "providers/file*.go", "source/*.go", "source/*/*.go",
	} {
		files, err := filepath.Glob(filepath.Join(root, glob))
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(filepath.Dir(file), "test") {
				continue
			}
			more, err := sitesOf(file)
			if err != nil {
				return nil, err
			}
			sites = append(sites, more...)
		}
	}
	random := rand.New(rand.NewPCG(seed, 15))
	random.Shuffle(len(sites), func(i, j int) { sites[i], sites[j] = sites[j], sites[i] })
	return append(all, sites[:max(0, min(len(sites), n-len(all)))]...), nil
}

// patches reads the patches, which begin with lines such as "# why: …", "# packages: …" and,
// if the long tests of those packages take more than two minutes, "# run: …".
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
		m := mutation{Name: strings.TrimSuffix(filepath.Base(file), ".patch")}
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
			case "# run":
				m.Run = value
			}
		}
		if m.Why == "" || len(m.Packages) == 0 {
			return nil, fmt.Errorf("%s: the lines \"# why: \" and \"# packages: \" are missing", file)
		}
		all = append(all, m)
	}
	return all, nil
}

// sitesOf lists the mutations of a file.
func sitesOf(file string) ([]mutation, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	var all []mutation
	add := func(from, to token.Pos, what, replacement string) {
		p := set.Position(from)
		all = append(all, mutation{
			Name: fmt.Sprintf("%s:%d:%d: %s", file, p.Line, p.Column, what), Packages: packagesOf(file),
			file: file, from: p.Offset, to: set.Position(to).Offset, replacement: replacement,
		})
	}
	text := func(n ast.Node) string { return string(src[set.Position(n.Pos()).Offset:set.Position(n.End()).Offset]) }
	ast.Inspect(parsed, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.IfStmt:
			add(n.Cond.Pos(), n.Cond.End(), "negated condition", "!("+text(n.Cond)+")")
		case *ast.BinaryExpr:
			if other, ok := swapped[n.Op]; ok {
				add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), n.Op.String()+" becomes "+other.String(), other.String())
			}
		case *ast.ReturnStmt:
			if k := len(n.Results); k > 0 {
				if id, ok := n.Results[k-1].(*ast.Ident); ok && id.Name == "err" {
					add(id.Pos(), id.End(), "a lost error", "nil")
				}
			}
		case *ast.ExprStmt:
			if call, ok := n.X.(*ast.CallExpr); ok {
				add(call.Pos(), call.End(), "a lost call", "_ = 0")
			}
		}
		return true
	})
	return all, nil
}

var swapped = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

// packagesOf are the packages whose tests cover a file.
func packagesOf(file string) []string {
	own := "./" + filepath.ToSlash(filepath.Dir(file))
	switch {
	case own == "./archive":
		return []string{own}
	case strings.HasPrefix(own, "./providers"):
		return []string{own, "./archive"}
	case strings.HasPrefix(own, "./source/entries"):
		return []string{own, "./source/je", "./source/noxu"}
	}
	return slices.Compact([]string{own, "./archive"})
}

func (m *mutation) apply(ctx context.Context, tree string) error {
	if m.patch != "" {
		return gitApply(ctx, tree, m.patch)
	}
	path := filepath.Join(tree, m.file)
	src, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	m.was = src
	return os.WriteFile(path, slices.Concat(src[:m.from], []byte(m.replacement), src[m.to:]), 0o644)
}

func (m *mutation) revert(tree string) error {
	if m.patch != "" {
		return gitApply(context.Background(), tree, "-R", m.patch)
	}
	return os.WriteFile(filepath.Join(tree, m.file), m.was, 0o644)
}

func gitApply(ctx context.Context, tree string, args ...string) error {
	c := exec.CommandContext(ctx, "git", append([]string{"apply", "--unidiff-zero", "-C1"}, args...)...)
	c.Dir = tree
	c.Env = append(os.Environ(), "GIT_CEILING_DIRECTORIES="+filepath.Dir(tree)) // the copy is no repository
	if out, err := c.CombinedOutput(); err != nil {
		return errors.Join(fmt.Errorf("applying the patch, which the code has outgrown: %w", err), errors.New(string(out)))
	}
	return nil
}

// describe shows a survivor.
func (m *mutation) describe() string {
	if m.patch != "" {
		return "    " + m.Why + "\n"
	}
	src, err := os.ReadFile(m.file)
	if err != nil {
		return ""
	}
	start := bytes.LastIndexByte(src[:m.from], '\n') + 1
	end := m.to + bytes.IndexByte(append(src[m.to:], '\n'), '\n')
	return fmt.Sprintf("  - %s\n  + %s%s%s\n", bytes.TrimSpace(src[start:end]), bytes.TrimLeft(src[start:m.from], "\t"), m.replacement, src[m.to:end])
}
