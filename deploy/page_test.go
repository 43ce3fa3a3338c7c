package deploy

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

var (
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	unheard = regexp.MustCompile(`[^a-z0-9 _-]`) // what GitHub leaves out of an anchor
)

// anchors are those of a page's headings.
func anchors(page string) map[string]bool {
	all := map[string]bool{"": true}
	for _, m := range heading.FindAllStringSubmatch(page, -1) {
		all[strings.ReplaceAll(unheard.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-")] = true
	}
	return all
}

// A runbook with a link that leads nowhere is found at the worst time.
func TestPageLinks(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	links := link.FindAllStringSubmatch(string(b), -1)
	if len(links) < 30 {
		t.Fatalf("%d links", len(links))
	}
	for _, m := range links {
		path, anchor, _ := strings.Cut(m[1], "#")
		page := b
		if path != "" {
			info, err := os.Stat(filepath.Join("../docs", path))
			switch {
			case err != nil:
				t.Errorf("%s: %v", m[1], err)
				continue
			case info.IsDir():
				continue
			}
			if page, err = os.ReadFile(filepath.Join("../docs", path)); err != nil {
				t.Fatal(err)
			}
		}
		if !anchors(string(page))[anchor] {
			t.Errorf("%s: there is no such heading", m[1])
		}
	}
}

// docs/operations.md names every shipped file.
func TestPageNamesWhatIsShipped(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile("../docs/operations.md")
	if err != nil {
		t.Fatal(err)
	}
	err = filepath.WalkDir(".", func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) == ".go" {
			return err
		}
		name := filepath.Base(path)
		if filepath.Dir(filepath.Dir(path)) == "policies" {
			name = strings.TrimSuffix(name, filepath.Ext(name))
		}
		if !strings.Contains(string(b), name) {
			t.Errorf("docs/operations.md does not name %s", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
