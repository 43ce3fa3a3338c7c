package main

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mutated are the files from which mutations are drawn: the code that keeps the data safe. They do not include the
// model of the protocol, which is not part of the program.
var mutated = []string{
	"archive/*.go", "archive/encoding/*.go", "archive/internal/*/*.go", "archive/retention/*.go", "archive/values/*.go",
	"manifest/*.go",
	"providers/file/*.go", "internal/digest/*.go", "source/*.go", "source/*/*.go", "store/*.go", "store/storecheck/*.go",
}

// draw returns all mutations of single expressions and statements, in the order of a seed. The order depends on
// their names, so that a change of the code moves few of them.
func draw(seed uint64) ([]mutation, error) {
	var all []mutation
	for _, glob := range mutated {
		files, err := filepath.Glob(glob)
		if err != nil {
			return nil, err
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") || strings.HasSuffix(filepath.Dir(file), "test") || isForeign(file) {
				continue
			}
			more, err := sitesOf(file)
			if err != nil {
				return nil, err
			}
			all = append(all, more...)
		}
	}
	place := map[string][32]byte{}
	for i := range all {
		place[all[i].Name] = sha256.Sum256(fmt.Appendf(nil, "%d %s", seed, all[i].Name))
	}
	slices.SortFunc(all, func(a, b mutation) int {
		x, y := place[a.Name], place[b.Name]
		return cmp.Or(bytes.Compare(x[:], y[:]), cmp.Compare(a.Name, b.Name))
	})
	return all, nil
}

// isForeign reports whether a file is for systems other than Linux.
func isForeign(file string) bool { return strings.HasSuffix(file, "_other.go") }

func hashOf(b []byte) string {
	sum := sha256.Sum256(b)
	return hex.EncodeToString(sum[:8])
}

// sites collects the mutations of a file.
type sites struct {
	file     string
	src      []byte
	set      *token.FileSet
	function string // the present function
	extent   block  // of the function
	names    map[string]int
	all      []mutation
}

// sitesOf lists the mutations of a file.
func sitesOf(file string) ([]mutation, error) {
	src, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	s := &sites{file: filepath.ToSlash(file), src: src, set: token.NewFileSet(), names: map[string]int{}}
	parsed, err := parser.ParseFile(s.set, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		s.function = f.Name.Name
		if f.Recv != nil {
			s.function = "(" + s.text(f.Recv.List[0].Type) + ")." + s.function
		}
		s.extent = blockOf(s.set, f)
		ast.Inspect(f, s.visit)
	}
	return s.all, nil
}

// visit adds the mutations of one node.
func (s *sites) visit(n ast.Node) bool {
	switch n := n.(type) {
	case *ast.IfStmt:
		cond := s.text(n.Cond)
		s.add(n.Cond.Pos(), n.Cond.End(), "!("+cond+")", "if "+cond+" is negated")
	case *ast.BinaryExpr:
		other, ok := swapped[n.Op]
		if ok && !isText(n) {
			s.add(n.OpPos, n.OpPos+token.Pos(len(n.Op.String())), other.String(), s.text(n)+" has "+other.String())
		}
	case *ast.ReturnStmt:
		if k := len(n.Results); k > 0 {
			if id, ok := n.Results[k-1].(*ast.Ident); ok && id.Name == "err" {
				s.add(id.Pos(), id.End(), "nil", s.text(n)+" loses its error")
			}
		}
	case *ast.ExprStmt:
		if call, ok := n.X.(*ast.CallExpr); ok && !isLog(s.text(call.Fun)) {
			s.add(call.Pos(), call.End(), "_ = 0", s.text(call)+" is left out")
		}
	}
	return true
}

var swapped = map[token.Token]token.Token{
	token.LSS: token.LEQ, token.LEQ: token.LSS, token.GTR: token.GEQ, token.GEQ: token.GTR,
	token.EQL: token.NEQ, token.NEQ: token.EQL, token.LAND: token.LOR, token.LOR: token.LAND,
	token.ADD: token.SUB, token.SUB: token.ADD,
}

// isText reports whether an expression concatenates strings, for which there is no other operator.
func isText(n *ast.BinaryExpr) bool {
	text := func(e ast.Expr) bool {
		switch e := e.(type) {
		case *ast.BasicLit:
			return e.Kind == token.STRING
		case *ast.BinaryExpr:
			return isText(e)
		}
		return false
	}
	return n.Op == token.ADD && (text(n.X) || text(n.Y))
}

// isLog reports whether a call only writes to the log.
func isLog(function string) bool {
	for _, level := range []string{".Log.Debug", ".Log.Info", ".Log.Warn", ".log.Debug", ".log.Info", ".log.Warn"} {
		if strings.HasSuffix(function, level) {
			return true
		}
	}
	return false
}

func (s *sites) offset(p token.Pos) int { return s.set.Position(p).Offset }

// text returns the source of a node, on one line.
func (s *sites) text(n ast.Node) string {
	return strings.Join(strings.Fields(string(s.src[s.offset(n.Pos()):s.offset(n.End())])), " ")
}

// maxChange is the number of characters of a change in a name.
const maxChange = 120

func (s *sites) add(from, to token.Pos, replacement, change string) {
	if r := []rune(change); len(r) > maxChange {
		change = string(r[:maxChange/2]) + "…" + string(r[len(r)-maxChange/2:])
	}
	name := s.file + " " + s.function + ": " + change
	if s.names[name]++; s.names[name] > 1 {
		name = fmt.Sprintf("%s (%d)", name, s.names[name])
	}
	at := s.set.Position(from)
	m := mutation{
		areas: []area{{s.file, at.Line, at.Column, s.extent}},
		Name:  name, Packages: packagesOf(s.file), Hash: hashOf(s.src),
		file: s.file, from: s.offset(from), to: s.offset(to), replacement: replacement,
	}
	start := bytes.LastIndexByte(s.src[:m.from], '\n') + 1
	end := m.to + bytes.IndexByte(append(s.src[m.to:len(s.src):len(s.src)], '\n'), '\n')
	m.shown = fmt.Sprintf("  %d - %s\n  %d + %s\n", at.Line, bytes.TrimSpace(s.src[start:end]),
		at.Line, strings.TrimSpace(string(s.src[start:m.from])+replacement+string(s.src[m.to:end])))
	s.all = append(s.all, m)
}

// packagesOf returns the packages whose tests cover a file, the file's own first.
func packagesOf(file string) []string {
	own := "./" + filepath.ToSlash(filepath.Dir(file))
	switch {
	case own == "./archive":
		return []string{own}
	case strings.HasPrefix(own, "./source/entries"):
		return []string{own, "./source/je", "./source/noxu"}
	case strings.HasPrefix(own, "./source/"):
		return []string{own, "./source"}
	}
	return []string{own, "./archive"}
}
