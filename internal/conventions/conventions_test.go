package conventions_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/strongroom-dev/strongroom/"
)

// files returns the files whose names end in suffix, relative to the root. It skips directories of build
// results and of dependencies.
func files(t *testing.T, suffix string) []string {
	t.Helper()
	var all []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (name == ".git" || name == ".cache" || name == "bin" || d.Name() == "node_modules") {
			return fs.SkipDir
		}
		if !d.IsDir() && strings.HasSuffix(name, suffix) {
			all = append(all, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(all) == 0 {
		t.Fatalf("no file ends in %s", suffix)
	}
	return all
}

func lines(t *testing.T, name string) []string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(root, name))
	if err != nil {
		t.Fatal(err)
	}
	return strings.Split(string(b), "\n")
}

// worst are words that turn software into a person, or hide the actor of a sentence.
var worst = regexp.MustCompile(`(?i)\b(nobody|somebody|whoever|whom|meanwhile|afresh|anew|tells|told|so many|of which|looks whether|broken[- ]off|at hand|on trial|take along|takes along)\b`)

// stays are names that contain one of those words: an option of systemctl, a file of the
// state directory, an identifier of net/http, the id of a rule in buckets.
var stays = regexp.MustCompile(`--kill-whom|\+told\.json|http\.NoBody|end-uploads-that-were-broken-off`)

// New readers start with documents, comments and messages. These are the worst words that the glossary in
// docs/design.md replaces; the list is in CONTRIBUTING.md.
func TestPlainWords(t *testing.T) {
	t.Parallel()
	for _, suffix := range []string{".md", ".go", ".yml", ".yaml", ".json", ".service", ".txtar", "Makefile"} {
		for _, name := range files(t, suffix) {
			if name == "internal/conventions/conventions_test.go" || name == "CONTRIBUTING.md" || strings.HasSuffix(name, "package-lock.json") {
				continue // these files list the words
			}
			for i, line := range lines(t, name) {
				prose := stays.ReplaceAllString(line, "")
				if word := worst.FindString(prose); word != "" {
					t.Errorf("%s:%d: %q: %s", name, i+1, word, strings.TrimSpace(line))
				}
			}
		}
	}
}

const width = 120 // the same as in .editorconfig

// Lines of up to 120 columns are readable in an editor, a diff or a terminal. Tables and code blocks may be
// wider, because an address or a program's output may need it.
func TestDocumentsWrap(t *testing.T) {
	t.Parallel()
	for _, name := range files(t, ".md") {
		inCode := false
		for i, line := range lines(t, name) {
			if strings.HasPrefix(strings.TrimSpace(line), "```") {
				inCode = !inCode
			}
			if n := len([]rune(line)); n > width && !inCode && !strings.HasPrefix(line, "|") && !strings.HasPrefix(line, "    ") {
				t.Errorf("%s:%d has %d columns; wrap it at %d", name, i+1, n, width)
			}
		}
	}
}

// Newcomers rely on the table of packages in docs/design.md. A package imports only those packages of this
// module that its row names. Tests may import more.
func TestImportsAreThoseOfTheDesign(t *testing.T) {
	t.Parallel()
	allowed := designTable(t)
	seen := map[string]bool{}
	for _, name := range files(t, ".go") {
		dir := filepath.ToSlash(filepath.Dir(name))
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(dir, "testdata") || strings.HasPrefix(dir, "bench") {
			continue
		}
		row, ok := allowed[dir]
		if !ok {
			t.Errorf("docs/design.md has no row for the package %s", dir)
			allowed[dir] = []string{"*"}
			continue
		}
		seen[dir] = true
		for _, path := range imports(t, name) {
			if !slices.Contains(row, path) && !slices.Contains(row, "*") {
				t.Errorf("%s imports %s, which the row of %s in docs/design.md does not name", name, path, dir)
			}
		}
	}
	for dir := range allowed {
		if !seen[dir] && !slices.Contains(allowed[dir], "*") {
			t.Errorf("docs/design.md has a row for %s, which holds no package", dir)
		}
	}
}

// designTable returns the packages that each package may import, by its directory. A row with "all" allows
// every package.
func designTable(t *testing.T) map[string][]string {
	t.Helper()
	code := regexp.MustCompile("`([a-z0-9/_]+|[.])`")
	allowed := map[string][]string{}
	inTable := false
	for _, line := range lines(t, "docs/design.md") {
		if inTable = inTable && strings.HasPrefix(line, "|") || strings.HasPrefix(line, "| package | contents | imports |"); !inTable {
			continue
		}
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if len(cells) != 3 {
			t.Fatalf("docs/design.md: a row without three cells: %s", line)
		}
		var names []string
		for _, m := range code.FindAllStringSubmatch(cells[2], -1) {
			names = append(names, strings.TrimSuffix(m[1], "/"))
		}
		if strings.Contains(cells[2], "all") {
			names = append(names, "*")
		}
		for _, m := range code.FindAllStringSubmatch(cells[0], -1) {
			allowed[strings.TrimSuffix(m[1], "/")] = names
		}
	}
	if len(allowed) == 0 {
		t.Fatal("docs/design.md has no table of packages")
	}
	return allowed
}

// imports returns the packages of this module that a file imports.
func imports(t *testing.T, name string) []string {
	t.Helper()
	f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, name), nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, s := range f.Imports {
		path, err := strconv.Unquote(s.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		if rest, ok := strings.CutPrefix(path, module); ok {
			all = append(all, rest)
		}
	}
	return all
}
