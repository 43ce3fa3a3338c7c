package nested

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/manifest"
)

// The bounds of a search for the archives below an address.
const (
	MaxBelow       = 1000 // archives
	maxBelowVisits = 1000 // directories without an archive
)

// FindBelow returns the prefixes of at most some archives below the address, and the top level's keys.
func FindBelow(ctx context.Context, a *objects.Objects, most int) (found, top []string, complete bool, err error) {
	complete = true
	dirs := []string{""}
	for visits := 0; len(dirs) > 0; visits++ {
		if visits == maxBelowVisits || len(found) >= most {
			return found, top, false, nil
		}
		keys, whole, err := listDir(ctx, a, dirs[0])
		if err != nil {
			return nil, nil, false, err
		}
		complete = complete && whole
		if dirs[0] == "" {
			top = keys
		} else if beginsArchive(keys, dirs[0]) {
			is, err := hasArchive(ctx, a.Store, dirs[0])
			if err != nil && !errors.Is(err, fs.ErrPermission) {
				return nil, nil, false, err
			}
			if is || err != nil { // otherwise it is another program's archive.json
				found = append(found, dirs[0])
				keys = nil
			}
		}
		dirs = dirs[1:]
		for _, key := range keys {
			if strings.HasSuffix(key, "/") {
				if len(dirs) == maxWaitingDirs {
					complete = false
					break
				}
				dirs = append(dirs, key)
			}
		}
	}
	return found, top, complete, nil
}

// listDir lists the keys and directories in a directory. A directory without read permission counts as empty.
func listDir(ctx context.Context, a *objects.Objects, dir string) (keys []string, complete bool, err error) {
	for o, err := range a.Store.List(ctx, dir, "/", "") {
		switch {
		case errors.Is(err, fs.ErrPermission) && ctx.Err() == nil:
			return keys, false, nil
		case err != nil:
			return nil, false, fmt.Errorf("searching for archives: %w", err)
		case len(keys) == maxSearchedEntries:
			return keys, false, nil
		}
		keys = append(keys, o.Key)
	}
	return keys, true, nil
}

// beginsArchive reports whether a directory has a key that only archives have.
func beginsArchive(keys []string, dir string) bool {
	for _, key := range keys {
		switch strings.TrimPrefix(key, dir) {
		case manifest.ArchiveKey, manifest.ManifestsPrefix, manifest.LedgerPrefix:
			return true
		}
	}
	return false
}
