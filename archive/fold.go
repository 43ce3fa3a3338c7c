package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Some file systems take names that differ in letter case only for one name: those of macOS and Windows, and many
// network shares. If two snapshots have the log files A.log and a.log, both have their objects in the directory that
// was made first. Listings then show keys that no manifest names, and reads find the objects under either name.

// foldCase returns the same text for keys that such a file system takes for one. Keys are ASCII: other characters of
// a log file's name are percent-encoded. So different Unicode forms of a name are different keys everywhere.
func foldCase(key string) string { return strings.ToLower(key) }

// foldsCase reports whether the store takes keys that differ in letter case only for one. It must have an
// archive.json.
func (a *Archive) foldsCase(ctx context.Context) (bool, error) {
	switch _, err := a.store.Stat(ctx, strings.ToUpper(manifest.ArchiveKey)); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("checking whether the store ignores letter case: %w", err)
	}
	return true, nil
}

// findFolded requests the objects that no listing has shown, if the store ignores letter case.
func (v *verifyRun) findFolded(ctx context.Context) error {
	var unseen []string
	for key, n := range v.needs {
		if !n.found {
			unseen = append(unseen, key)
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	if folds, err := v.foldsCase(ctx); err != nil || !folds {
		return err
	}
	for _, key := range unseen {
		o, err := v.store.Stat(ctx, key)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return fmt.Errorf("checking %s: %w", key, err)
		}
		v.listed(&o)
		if v.report.Unreferenced > 0 && len(v.o.Snapshots) == 0 { // the listing has counted it under the other name
			v.report.Unreferenced--
		}
	}
	return nil
}
