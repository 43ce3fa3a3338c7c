package restoredir

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/manifest"
)

// On a file system that takes two names for one, the second file replaces the first. A restore must not report such a
// directory as complete. A link stands for that file system here.
func TestNamesThatAreOneFile(t *testing.T) {
	t.Parallel()
	const composed, decomposed = "caf\u00e9.log", "cafe\u0301.log"
	dir := t.TempDir()
	path := func(name string) string { return filepath.Join(dir, name) }
	err := errors.Join(os.WriteFile(path(composed), []byte("x"), 0o600), os.Link(path(composed), path(decomposed)),
		os.Link(path(composed), path("cafe.log.")), os.WriteFile(path("other.log"), []byte("x"), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	stat := func(name string) (fs.FileInfo, error) { return os.Lstat(path(name)) }
	x, y := manifest.Sum([]byte("x")), manifest.Sum([]byte("y"))
	for _, c := range []struct {
		files []manifest.File
		one   bool
	}{
		{[]manifest.File{{Name: decomposed, SHA256: x}, {Name: composed, SHA256: y}}, true},
		{[]manifest.File{{Name: "cafe.log.", SHA256: x}, {Name: composed, SHA256: y}}, true},
		{[]manifest.File{{Name: decomposed, SHA256: x}, {Name: composed, SHA256: x}}, false}, // either is right
		{[]manifest.File{{Name: composed, SHA256: x}, {Name: "other.log", SHA256: y}}, false},
	} {
		err := checkDistinct(c.files, stat)
		if (err != nil) != c.one || c.one && !strings.Contains(err.Error(), c.files[0].Name) {
			t.Errorf("%q and %q: %v", c.files[0].Name, c.files[1].Name, err)
		}
	}
	if err := checkDistinct([]manifest.File{{Name: composed}, {Name: "missing.log"}}, stat); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}
