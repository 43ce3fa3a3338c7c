package disk

import (
	"os"
	"path/filepath"
	"testing"
)

// Guards compare directories that may not exist yet, and paths that symbolic links lead to. Names that begin alike are
// no directories within each other, and everything is within the root.
func TestIsInside(t *testing.T) {
	t.Parallel()
	home := t.TempDir()
	a, link := filepath.Join(home, "a"), filepath.Join(home, "link")
	if err := os.Mkdir(a, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(a, link); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		path, dir string
		want      bool
	}{
		{a, a, true},
		{a + "/", a, true},
		{a + "/b/c", a, true},
		{a + "/../a/b", a, true},
		{link + "/b", a, true},
		{a + "/b", link, true},
		{a, "/", true},
		{"/", "/", true},
		{"/", a, false},
		{home, a, false},
		{a + "b", a, false},
		{a, a + "b", false},
		{a + "/../b", a, false},
	} {
		if got := IsInside(test.path, test.dir); got != test.want {
			t.Errorf("%s is inside %s: %t", test.path, test.dir, got)
		}
	}
}
