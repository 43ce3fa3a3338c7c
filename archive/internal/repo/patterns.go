package repo

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// SelectFiles returns the files that match one of the patterns; all files if there is no pattern. A pattern without a
// file is ErrNoFile: it is most likely mistyped, and what it should name would be missing unnoticed.
func SelectFiles(files []manifest.File, include []string) ([]manifest.File, error) {
	if len(include) == 0 {
		return files, nil
	}
	isName := namesAmong(files, include)
	for i, pattern := range include { // also if there is no name to compare it with
		if _, _, isRange := cutRange(pattern); isRange || isName[i] {
			continue
		}
		if _, err := path.Match(pattern, ""); err != nil {
			const how = "the pattern %q: %w; *, ? and [a-z] are special, and \\ before them makes them literal"
			return nil, fmt.Errorf(how, pattern, err)
		}
	}
	var chosen []manifest.File
	matches := make([]int, len(include))
	for _, f := range files {
		isChosen := false
		for i, pattern := range include {
			if isName[i] && hasName(pattern, f.Name) || !isName[i] && matchesPattern(pattern, f.Name) {
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
		return chosen, fmt.Errorf("%w: nothing matches %q", values.ErrNoFile, unmatched)
	}
	return chosen, nil
}

// namesAmong returns for each pattern of the form of a range whether files have it as their name. Then it is that name,
// and no range: A..B may be a file.
func namesAmong(files []manifest.File, include []string) []bool {
	isName := make([]bool, len(include))
	for i, pattern := range include {
		if _, _, isRange := cutRange(pattern); !isRange {
			continue
		}
		isName[i] = slices.ContainsFunc(files, func(f manifest.File) bool { return hasName(pattern, f.Name) })
	}
	return isName
}

// hasName reports whether a pattern is a name, character by character, or a base name if it has no slash.
func hasName(pattern, name string) bool {
	pattern, isWhole := cutWhole(pattern)
	return pattern == name || !isWhole && pattern == path.Base(name)
}

// matchesPattern reports whether a name matches a valid pattern or lies in a range.
func matchesPattern(pattern, name string) bool {
	pattern, isWhole := cutWhole(pattern)
	if !isWhole {
		name = path.Base(name)
	}
	if from, through, ok := cutRange(pattern); ok && pattern != name {
		return from <= name && name <= through
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// cutWhole reports whether a pattern is of whole names, since it has a slash. It returns the pattern without "./" at its
// beginning, which no name has.
func cutWhole(pattern string) (rest string, isWhole bool) {
	if rest, isWhole = strings.CutPrefix(pattern, "./"); isWhole {
		return rest, true
	}
	return pattern, path.Base(pattern) != pattern
}

// cutRange returns the first and the last name of a range, such as 00000010.jdb..0000001f.jdb.
func cutRange(pattern string) (from, through string, ok bool) {
	from, through, ok = strings.Cut(pattern, "..")
	return from, through, ok && from != "" && through != ""
}
