package guard

import (
	"slices"
	"strconv"
	"strings"
)

// maxDataDirs is the maximum number of directories to which JE deals its files.
const maxDataDirs = 256

// A dealtFile is the number of a log file and the directory that it was dealt to.
type dealtFile struct {
	number uint64
	dir    string
}

// wasPassedOver reports whether files were begun since the parent, and a directory did not get the number that was due
// to it. JE deals numbers round robin. The number of directories follows from the numbers that each of them holds. If
// several counts fit, each of them must show the missing number.
func (r *Source) wasPassedOver(dir string) bool {
	parent := r.Parent()
	var files []dealtFile
	var end, newest uint64
	for i := range parent.Files {
		_, n, _ := r.Layout.Position(parent.Files[i].Name)
		files, end = append(files, dealtFile{n, dirOf(parent.Files[i].Name)}), max(end, n)
	}
	for i := range r.Capture.Files {
		_, n, _ := r.Layout.Position(r.Capture.Files[i].Name)
		files, newest = append(files, dealtFile{n, dirOf(r.Capture.Files[i].Name)}), max(newest, n)
	}
	counts := dealtCounts(files)
	own := files[slices.IndexFunc(files, func(f dealtFile) bool { return f.dir == dir })].number
	return len(counts) > 0 && !slices.ContainsFunc(counts, func(n uint64) bool {
		turn := end + 1 + (own%n+n-(end+1)%n)%n // the first number after end that is dealt like own
		return turn > newest
	})
}

// dealtCounts returns the numbers of directories for which round robin puts each file into its directory. Counts that
// fit JE's names take precedence over all others. Of n directories, file N is in the one that is named after N mod n,
// plus 1.
func dealtCounts(files []dealtFile) []uint64 {
	var named, others []uint64
	for n := uint64(2); n <= maxDataDirs; n++ {
		switch {
		case isDealtByNames(files, n):
			named = append(named, n)
		case isDealtInTurns(files, n):
			others = append(others, n)
		}
	}
	if len(named) > 0 {
		return named
	}
	return others
}

func isDealtByNames(files []dealtFile, n uint64) bool {
	return !slices.ContainsFunc(files, func(f dealtFile) bool {
		k, err := strconv.ParseUint(strings.TrimPrefix(f.dir, "data"), 10, 64)
		return err != nil || f.number%n+1 != k
	})
}

// isDealtInTurns reports whether each of n turns belongs to one directory, and each directory has
// one turn.
func isDealtInTurns(files []dealtFile, n uint64) bool {
	dirs, turns := make(map[uint64]string, n), map[string]uint64{}
	for _, f := range files {
		turn := f.number % n
		if dir, ok := dirs[turn]; ok && dir != f.dir {
			return false
		}
		if was, ok := turns[f.dir]; ok && was != turn {
			return false
		}
		dirs[turn], turns[f.dir] = f.dir, turn
	}
	return true
}
