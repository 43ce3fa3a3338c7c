package disk

import (
	"path/filepath"
	"strings"
)

// RealPath returns an absolute path without symbolic links, as far as it exists.
func RealPath(path string) string {
	path, err := filepath.Abs(path)
	if err != nil {
		return path
	}
	if there, err := filepath.EvalSymlinks(path); err == nil {
		return there
	}
	if dir := filepath.Dir(path); dir != path {
		return filepath.Join(RealPath(dir), filepath.Base(path))
	}
	return path
}

// IsInside reports whether a path is a directory or is below it, whatever symbolic links lead there. Neither needs to
// exist.
func IsInside(path, dir string) bool {
	path, dir = RealPath(path), RealPath(dir)
	return path == dir || strings.HasPrefix(path, strings.TrimSuffix(dir, "/")+"/")
}
