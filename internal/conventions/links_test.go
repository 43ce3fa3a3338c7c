package conventions_test

import (
	"fmt"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`^#+ (.+)$`)
	dropped = regexp.MustCompile(`[^\p{L}\p{N} _-]`) // what GitHub leaves out of an anchor
	address = regexp.MustCompile(`https://github\.com/strongroom-dev/strongroom/(?:blob|tree)/main/([\w./-]+)(?:#([\w-]+))?`)
	mention = regexp.MustCompile(`[\w./-]*\b[\w-]+\.md\b`)
)

// prose returns the lines of a document, with an empty line for each line of a code block.
func prose(t *testing.T, name string) []string {
	t.Helper()
	all := lines(t, name)
	inCode := false
	for i, line := range all {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence || inCode {
			all[i] = ""
		}
		inCode = inCode != fence
	}
	return all
}

// anchors returns the anchors that GitHub gives the headings of a document.
func anchors(t *testing.T, name string) map[string]bool {
	t.Helper()
	all := map[string]bool{"": true}
	for _, line := range prose(t, name) {
		if m := heading.FindStringSubmatch(line); m != nil {
			anchor := strings.ReplaceAll(dropped.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")
			next := anchor
			for n := 1; all[next]; n++ { // the second heading of a name gets -1, and so on
				next = fmt.Sprintf("%s-%d", anchor, n)
			}
			all[next] = true
		}
	}
	return all
}

// checkLink reports a link to a file or a heading that does not exist. The name is relative to the root.
func checkLink(t *testing.T, from string, line int, name, anchor string) {
	t.Helper()
	info, err := os.Stat(filepath.Join(root, name))
	switch {
	case err != nil:
		t.Errorf("%s:%d: a link to %s: there is no such file", from, line, name)
	case anchor != "" && (info.IsDir() || !strings.HasSuffix(name, ".md") || !anchors(t, name)[anchor]):
		t.Errorf("%s:%d: a link to %s#%s: there is no such heading", from, line, name, anchor)
	}
}

// A runbook with a link that leads nowhere is found at the worst time.
func TestLinksLeadSomewhere(t *testing.T) {
	t.Parallel()
	n := 0
	for _, from := range files(t, ".md") {
		for i, line := range prose(t, from) {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if strings.Contains(m[1], ":") {
					continue // an address: below, if it is one of this repository
				}
				n++
				name, anchor, _ := strings.Cut(m[1], "#")
				if name == "" {
					name = from
				} else {
					name = path.Join(path.Dir(from), name)
				}
				checkLink(t, from, i+1, name, anchor)
			}
		}
	}
	if n < 100 {
		t.Errorf("%d links: the documents have more", n)
	}
}

// texts are the suffixes of files whose comments and messages name documents.
var texts = []string{".md", ".go", ".yml", ".yaml", ".json", ".service", ".txtar", "Makefile", "Dockerfile"}

// Alerts, issue forms and messages have addresses of documents of this repository. An operator follows them in
// a hurry.
func TestAddressesLeadSomewhere(t *testing.T) {
	t.Parallel()
	n := 0
	for _, suffix := range texts {
		for _, from := range files(t, suffix) {
			for i, line := range lines(t, from) {
				if !strings.Contains(line, "strongroom-dev") {
					continue
				}
				for _, m := range address.FindAllStringSubmatch(line, -1) {
					n++
					checkLink(t, from, i+1, m[1], m[2])
				}
			}
		}
	}
	if n < 10 {
		t.Errorf("%d addresses: the alerts alone have more", n)
	}
}

// A comment or a message that names a document which was renamed sends its reader to nothing. The changelog
// names documents as they were.
func TestNamedDocumentsExist(t *testing.T) {
	t.Parallel()
	exists := map[string]bool{}
	for _, name := range files(t, ".md") {
		exists[name] = true
	}
	for _, suffix := range texts {
		for _, from := range files(t, suffix) {
			if from == "CHANGELOG.md" || strings.HasPrefix(from, "internal/conventions/") || strings.HasSuffix(from, ".min.js") {
				continue
			}
			for i, line := range lines(t, from) {
				if !strings.Contains(line, ".md") {
					continue
				}
				for _, name := range mention.FindAllString(address.ReplaceAllString(line, ""), -1) {
					if strings.HasSuffix(name, "usr/share/doc/strongroom/CHANGELOG.md") || path.Base(name) == "notes.md" {
						continue // where a package installs it; made for a release
					}
					if path.Base(name) == "CHANGELOG.md" {
						name = "CHANGELOG.md"
					}
					inDocs := path.Join("docs", path.Base(name))
					if !exists[path.Clean(name)] && !exists[path.Join(path.Dir(from), name)] && (name != path.Base(name) || !exists[inDocs]) {
						t.Errorf("%s:%d names %s: there is no such document", from, i+1, name)
					}
				}
			}
		}
	}
}

// reference are the documents for reference and for developers. They are not read in a hurry.
var reference = []string{
	"benchmarks.md", "cli.md", "design.md", "format.md", "protocol.md", "providers.md", "releasing.md", "testing.md",
}

const pageWords = 1800 // a page for operators has at most about 1,500

// An operator finds a page by its task: the list is in docs/operations.md. One page with all of it grew to 13,000
// words, and nothing in it was found in a hurry.
func TestPagesForOperators(t *testing.T) {
	t.Parallel()
	listed := map[string]bool{}
	for _, m := range link.FindAllStringSubmatch(strings.Join(prose(t, "docs/operations.md"), "\n"), -1) {
		name, _, _ := strings.Cut(m[1], "#")
		listed[path.Join("docs", name)] = true
	}
	for _, name := range files(t, ".md") {
		if path.Dir(name) != "docs" || slices.Contains(reference, path.Base(name)) {
			continue
		}
		if !listed[name] && name != "docs/operations.md" {
			t.Errorf("docs/operations.md does not list %s", name)
		}
		if n := len(strings.Fields(strings.Join(lines(t, name), " "))); n > pageWords {
			t.Errorf("%s has %d words: split it by task", name, n)
		}
	}
}
