package restoredir

import (
	"fmt"
	"io/fs"
	"os"
	"strings"
	"unicode/utf8"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// CheckDistinct returns an error if two restored files are one file, because the target's file system takes their
// names for one: the later one has replaced the other. File systems differ in which names they take for one. Some
// ignore letter case, the Unicode form of a letter, or a dot at the end. A manifest has no two names that differ in
// letter case only.
func (d *Dir) CheckDistinct(files []manifest.File) error {
	return checkDistinct(files, d.root.Lstat)
}

func checkDistinct(files []manifest.File, stat func(name string) (fs.FileInfo, error)) error {
	plain := true
	for i := range files {
		plain = plain && isPlain(files[i].Name)
	}
	if plain {
		return nil
	}
	type restored struct {
		file *manifest.File
		info fs.FileInfo
	}
	seen := make(map[string]restored, len(files))
	for i := range files {
		f := &files[i]
		info, err := stat(f.Name)
		if err != nil {
			return fmt.Errorf("%s: checking that it is there: %w", f.Name, err)
		}
		stamp := disk.Stamp(info)
		if was, ok := seen[stamp]; ok && was.file.SHA256 != f.SHA256 && os.SameFile(was.info, info) {
			return fmt.Errorf("%q and %q are one file in the target, since its file system takes the two names for one; "+
				"restore to another file system, or each of the two to a directory of its own", was.file.Name, f.Name)
		}
		seen[stamp] = restored{f, info}
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
