package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
)

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
	if folds, err := v.repo.FoldsCase(ctx); err != nil || !folds {
		return err
	}
	for _, key := range unseen {
		o, err := v.repo.Store.Stat(ctx, key)
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
