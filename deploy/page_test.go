package deploy

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pages is the text of the pages that state how to install, permit and monitor.
func pages(t *testing.T) string {
	t.Helper()
	var all strings.Builder
	for _, name := range []string{"install", "bucket", "permissions", "monitoring"} {
		b, err := os.ReadFile(filepath.Join("../docs", name+".md"))
		if err != nil {
			t.Fatal(err)
		}
		all.Write(b)
	}
	return all.String()
}

// An operator finds every shipped file by the pages, and searches no directory for it.
func TestPageNamesWhatIsShipped(t *testing.T) {
	t.Parallel()
	text := pages(t)
	err := filepath.WalkDir(".", func(path string, e os.DirEntry, err error) error {
		if err != nil || e.IsDir() || filepath.Ext(path) == ".go" {
			return err
		}
		name := filepath.Base(path)
		if filepath.Dir(filepath.Dir(path)) == "policies" {
			name = strings.TrimSuffix(name, filepath.Ext(name))
		}
		if !strings.Contains(text, name) {
			t.Errorf("none of the pages names %s", path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
