package conventions

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// maxPicture bounds a picture in bytes: the README loads all of them, also in a slow network.
const maxPicture = 150 << 10

// The README shows pictures that exist, each for light and for dark pages, and no picture is left that nothing shows.
func TestPicturesOfTheReadme(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	var shown []string
	for _, m := range regexp.MustCompile(`(?:srcset|src)="([^"]+)"`).FindAllStringSubmatch(string(text), -1) {
		info, err := os.Stat(filepath.Join("../..", m[1]))
		if err != nil {
			t.Errorf("README.md shows %s, which does not exist: run make pictures", m[1])
			continue
		}
		if info.Size() > maxPicture || info.Size() == 0 {
			t.Errorf("%s has %d bytes", m[1], info.Size())
		}
		shown = append(shown, filepath.Base(m[1]))
		other := strings.NewReplacer("-light.", "-dark.", "-dark.", "-light.").Replace(m[1])
		if other == m[1] || !strings.Contains(string(text), `"`+other+`"`) {
			t.Errorf("README.md shows %s, and not %s", m[1], other)
		}
	}
	files, err := os.ReadDir("../../docs/pictures")
	if err != nil {
		t.Fatal(err)
	}
	if len(shown) < 4 {
		t.Errorf("README.md shows only %q", shown)
	}
	for _, f := range files {
		if !slices.Contains(shown, f.Name()) {
			t.Errorf("README.md does not show docs/pictures/%s", f.Name())
		}
	}
}
