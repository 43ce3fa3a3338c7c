package restoredir

import (
	"fmt"
	"io/fs"
	"strings"
	"unicode/utf8"

	"github.com/strongroom-dev/strongroom/manifest"
)

// CheckDistinct returns an error if two restored files are one file, because the target's file system takes their
// names for one: the later one has replaced the other. File systems differ in which names they take for one. Some
// ignore letter case, the Unicode form of a letter, or a dot at the end. A manifest has no two names that differ in
// letter case only.
func (d *Dir) CheckDistinct() error { return checkDistinct(d.files, d.root.Lstat) }

func checkDistinct(files []manifest.File, stat func(name string) (fs.FileInfo, error)) error {
	plain := true
	for i := range files {
		plain = plain && isPlain(files[i].Name)
	}
	if plain {
		return nil
	}
	seen := make(map[fileID]*manifest.File, len(files))
	for i := range files {
		f := &files[i]
		info, err := stat(f.Name)
		if err != nil {
			return fmt.Errorf("%s: checking that it is there: %w", f.Name, err)
		}
		id := idOf(info)
		if was := seen[id]; was != nil && was.SHA256 != f.SHA256 {
			return fmt.Errorf("%q and %q are one file in the target, since its file system takes the two names for one; "+
				"restore to another file system, or each of the two to a directory of its own", was.Name, f.Name)
		}
		seen[id] = f
	}
	return nil
}

// isPlain reports whether a name can collide only with one that differs in letter case.
func isPlain(name string) bool {
	for element := range strings.SplitSeq(name, "/") {
		if strings.HasSuffix(element, ".") || strings.HasSuffix(element, " ") {
			return false
		}
	}
	return !strings.ContainsFunc(name, func(r rune) bool { return r >= utf8.RuneSelf })
}
