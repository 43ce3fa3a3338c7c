package restorer

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

func describeRestore(a *repo.Repo, files []manifest.File) *values.RestoreResult {
	res := &values.RestoreResult{Files: len(files)}
	s := a.NewSlots()
	for _, run := range objects.GroupByBundle(files) {
		if len(run) > 1 {
			res.Requests++
			continue
		}
		for _, p := range files[run[0]].Parts {
			res.Requests += s.Requests(p.Stored.Size)
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

// isVacant reports whether a directory is empty or does not exist.
func isVacant(dir string) bool {
	entries, err := os.ReadDir(dir)
	return errors.Is(err, fs.ErrNotExist) || err == nil && len(entries) == 0
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
