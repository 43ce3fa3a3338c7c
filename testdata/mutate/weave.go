package main

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// All mutations are compiled at once. For each function that a mutation changes, a variant is added to the file,
// and the function begins with a call of the variant that the environment selects. So a mutation needs no
// compilation, only the tests that execute it.

// chosen is the environment variable with the number of the selected mutation.
const chosen = "STRONGROOM_MUTANT"

// A variant is a changed function.
type variant struct {
	mutation int
	function string // receiver and name
	text     string // the whole changed declaration, with the original name
}

// weave writes the variants of some mutations into the copy of the tree. It returns the numbers of those that do
// not compile.
func (t *trial) weave(ctx context.Context, all map[int]*mutation) (bad map[int]bool, err error) {
	variants := map[string][]variant{} // by file
	for number, m := range all {
		if err := t.variantsOf(ctx, number, m, variants); err != nil {
			return nil, fmt.Errorf("%s: %w", m.Name, err)
		}
	}
	bad = map[int]bool{}
	for range 20 {
		dirs := map[string]bool{}
		for file, some := range variants {
			some = slices.DeleteFunc(slices.Clone(some), func(v variant) bool { return bad[v.mutation] })
			if err := t.weaveFile(file, some); err != nil {
				return nil, err
			}
			dirs["./"+filepath.Dir(file)] = true
		}
		arguments := []string{"build", "-gcflags=-e", "-o", os.DevNull}
		for dir := range dirs {
			arguments = append(arguments, dir)
		}
		out, err := t.goDo(ctx, arguments...)
		if err == nil {
			return bad, nil
		}
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if n := len(bad); t.blame(string(out), bad) == n {
			return nil, fmt.Errorf("the mutations do not compile together: %w\n%s", err, out)
		}
	}
	return nil, errors.New("the mutations do not compile together after 20 attempts")
}

// variantsOf adds the variants of a mutation.
func (t *trial) variantsOf(ctx context.Context, number int, m *mutation, variants map[string][]variant) error {
	changed, err := m.changed(ctx, t)
	if err != nil {
		return err
	}
	var names []string
	for file, now := range changed {
		before, after, err := twoVersions(file, t.src[file], now)
		if err != nil {
			return err
		}
		for function, text := range after {
			if was, ok := before[function]; ok && was != text {
				names = append(names, function)
				variants[file] = append(variants[file], variant{number, function, text})
			}
		}
	}
	slices.Sort(names)
	switch {
	case names == nil:
		return errors.New("it changes no function")
	case m.patch != "" && !slices.Equal(names, m.Changes):
		return fmt.Errorf("it changes %q and should change %q: its context is not unique", names, m.Changes)
	}
	return nil
}

func twoVersions(file string, was, now []byte) (before, after map[string]string, err error) {
	if before, err = declarations(file, was); err == nil {
		after, err = declarations(file, now)
	}
	return before, after, err
}

// declarations returns the text of each function of a file.
func declarations(file string, src []byte) (map[string]string, error) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, src, parser.SkipObjectResolution)
	if err != nil {
		return nil, err
	}
	all := map[string]string{}
	for _, d := range parsed.Decls {
		if f, ok := d.(*ast.FuncDecl); ok {
			all[functionName(set, src, f)] = textOf(set, src, f)
		}
	}
	return all, nil
}

func textOf(set *token.FileSet, src []byte, n ast.Node) string {
	return string(src[set.Position(n.Pos()).Offset:set.Position(n.End()).Offset])
}

func functionName(set *token.FileSet, src []byte, f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	return "(" + textOf(set, src, f.Recv.List[0].Type) + ")." + f.Name.Name
}

// weaveFile writes a file with the given variants.
func (t *trial) weaveFile(file string, some []variant) error {
	src := t.src[file]
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, file, src, parser.SkipObjectResolution)
	if err != nil {
		return err
	}
	var edits []edit
	var tail strings.Builder
	for _, d := range parsed.Decls {
		f, ok := d.(*ast.FuncDecl)
		if !ok {
			continue
		}
		name := functionName(set, src, f)
		mine := slices.DeleteFunc(slices.Clone(some), func(v variant) bool { return v.function != name })
		if len(mine) == 0 {
			continue
		}
		named, call := nameParameters(set, f)
		edits = append(edits, named...)
		var dispatch strings.Builder
		for _, v := range mine {
			variantName := f.Name.Name + "_m" + strconv.Itoa(v.mutation)
			before := call.before + variantName + call.after
			if f.Type.Results != nil {
				fmt.Fprintf(&dispatch, " if mutantChosen == %d { return %s };", v.mutation, before)
			} else {
				fmt.Fprintf(&dispatch, " if mutantChosen == %d { %s; return };", v.mutation, before)
			}
			at := set.Position(f.Name.Pos()).Offset - set.Position(f.Pos()).Offset
			fmt.Fprintf(&tail, "\n%s %d\n%s%s%s\n", marker, v.mutation, v.text[:at], variantName, v.text[at+len(f.Name.Name):])
		}
		edits = append(edits, edit{set.Position(f.Body.Lbrace).Offset + 1, 0, dispatch.String()})
	}
	slices.SortStableFunc(edits, func(a, b edit) int { return b.at - a.at })
	woven := string(src)
	for _, e := range edits {
		woven = woven[:e.at] + e.text + woven[e.at+e.cut:]
	}
	chooser := filepath.Join(t.tree, filepath.Dir(file), "mutant_chosen.go")
	content := fmt.Sprintf("package %s\n\nimport (\n\t\"os\"\n\t\"strconv\"\n)\n\nvar mutantChosen, _ = strconv.Atoi(os.Getenv(%q))\n", parsed.Name.Name, chosen)
	return errors.Join(
		os.WriteFile(chooser, []byte(content), 0o644),
		os.WriteFile(filepath.Join(t.tree, file), []byte(woven+tail.String()), 0o644),
	)
}

// marker begins the line before each variant.
const marker = "//mutant"

// edit is a change of a text: cut bytes at an offset are replaced by text.
type edit struct {
	at, cut int
	text    string
}

// call is the call of a variant: the parts before and after its name.
type call struct{ before, after string }

// nameParameters gives names to the receiver and all parameters of a function, and returns a call with them.
func nameParameters(set *token.FileSet, f *ast.FuncDecl) (edits []edit, c call) {
	n := 0
	names := func(field *ast.Field) (all []string) {
		fresh := func() string { n++; return fmt.Sprintf("unnamed%d", n) }
		if len(field.Names) == 0 {
			name := fresh()
			edits = append(edits, edit{set.Position(field.Type.Pos()).Offset, 0, name + " "})
			return []string{name}
		}
		for _, id := range field.Names {
			name := id.Name
			if name == "_" {
				name = fresh()
				edits = append(edits, edit{set.Position(id.Pos()).Offset, 1, name})
			}
			all = append(all, name)
		}
		return all
	}
	if f.Recv != nil {
		c.before = names(f.Recv.List[0])[0] + "."
	}
	var all []string
	for _, field := range f.Type.Params.List {
		more := names(field)
		if _, ok := field.Type.(*ast.Ellipsis); ok {
			more[0] += "..."
		}
		all = append(all, more...)
	}
	c.after = "(" + strings.Join(all, ", ") + ")"
	return edits, c
}

// blame records in bad the mutations whose variants have compiler errors, and returns the size of bad.
func (t *trial) blame(out string, bad map[int]bool) int {
	for line := range strings.Lines(out) {
		parts := strings.SplitN(line, ":", 3)
		if len(parts) < 3 || !strings.HasSuffix(parts[0], ".go") {
			continue
		}
		number, err := strconv.Atoi(parts[1])
		src, readErr := os.ReadFile(filepath.Join(t.tree, parts[0]))
		if err != nil || readErr != nil {
			continue
		}
		lines := strings.Split(string(src), "\n")
		for i := min(number, len(lines)) - 1; i >= 0; i-- {
			if text, ok := strings.CutPrefix(lines[i], marker+" "); ok {
				if m, err := strconv.Atoi(text); err == nil {
					bad[m] = true
				}
				break
			}
		}
	}
	return len(bad)
}
