package objects

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

// FoldCase returns the same text for keys that such a file system takes for one. Keys are ASCII: other characters of
// a log file's name are percent-encoded. So different Unicode forms of a name are different keys everywhere.
func FoldCase(key string) string { return strings.ToLower(key) }

// FoldsCase reports whether the store takes keys that differ in letter case only for one. It must have an
// archive.json.
func (a *Objects) FoldsCase(ctx context.Context) (bool, error) {
	switch _, err := a.Store.Stat(ctx, strings.ToUpper(manifest.ArchiveKey)); {
	case errors.Is(err, fs.ErrNotExist):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("checking whether the store ignores letter case: %w", err)
	}
	return true, nil
}
