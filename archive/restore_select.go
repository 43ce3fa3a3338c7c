package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// selectFiles returns the files that match one of the patterns; all files if there is no pattern. A pattern without a
// file is ErrNoFile: it is most likely mistyped, and what it should name would be missing unnoticed.
func selectFiles(files []manifest.File, include []string) ([]manifest.File, error) {
	if len(include) == 0 {
		return files, nil
	}
	var chosen []manifest.File
	matches := make([]int, len(include))
	for _, f := range files {
		isChosen := false
		for i, pattern := range include {
			ok, err := matchesPattern(pattern, f.Name)
			if err != nil {
				const how = "the pattern %q: %w; *, ? and [a-z] are special, and \\ before them makes them literal"
				return nil, fmt.Errorf(how, pattern, err)
			}
			if ok {
				matches[i]++
				isChosen = true
			}
		}
		if isChosen {
			chosen = append(chosen, f)
		}
	}
	var unmatched []string
	for i, n := range matches {
		if n == 0 {
			unmatched = append(unmatched, include[i])
		}
	}
	if len(unmatched) > 0 {
		return chosen, fmt.Errorf("%w: nothing matches %q", ErrNoFile, unmatched)
	}
	return chosen, nil
}

// matchesPattern reports whether a name matches a pattern or lies in a range.
func matchesPattern(pattern, name string) (bool, error) {
	if path.Base(pattern) == pattern {
		name = path.Base(name)
	}
	if from, through, ok := strings.Cut(pattern, ".."); ok && from != "" && through != "" && pattern != name {
		return from <= name && name <= through, nil
	}
	return path.Match(pattern, name)
}

func (a *Archive) describeRestore(files []manifest.File) *RestoreResult {
	res := &RestoreResult{Files: len(files)}
	s := a.newSlots()
	for _, run := range groupByBundle(files) {
		if len(run) > 1 {
			res.Requests++
			continue
		}
		for _, p := range files[run[0]].Parts {
			res.Requests += s.requests(p.Stored.Size)
		}
	}
	for i := range files {
		f := &files[i]
		res.Bytes += f.Size
		if f.Damaged() {
			res.Damaged = append(res.Damaged, f.Name)
		}
	}
	return res
}

// freeAt returns the free bytes on the file system of dir or its nearest existing parent; -1 if unknown.
func freeAt(dir string) int64 {
	dir, err := filepath.Abs(dir)
	for err == nil {
		if _, err = os.Stat(dir); err == nil {
			if free, isKnown := disk.Free(dir); isKnown {
				return free
			}
			return -1
		}
		if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
			dir, err = filepath.Dir(dir), nil
		}
	}
	return -1
}
