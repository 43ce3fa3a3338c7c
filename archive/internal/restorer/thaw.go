package restorer

import (
	"context"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Thaw implements the method of archive.Archive.
func Thaw(ctx context.Context, a *repo.Repo, m *manifest.Manifest, names []string, o values.ThawOptions) error {
	defer a.Begin()()
	needed := repo.AllPages
	if len(names) > 0 {
		needed = repo.PagesOf(names)
	}
	m, err := a.WithPages(ctx, m, needed)
	if err != nil {
		return err
	}
	files := m.Files
	if len(names) > 0 {
		files = nil
	}
	for _, name := range names {
		f := scan.Entry(m.Files, name)
		if f == nil {
			return fmt.Errorf("%w: %q in snapshot %d", values.ErrNoFile, name, m.Sequence)
		}
		files = append(files, *f)
	}
	if err := thaw.Files(ctx, a.Objects, files, &o); err != nil {
		return fmt.Errorf("thawing snapshot %d: %w", m.Sequence, err)
	}
	return nil
}
