package archive

import (
	"context"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Thaw makes the objects readable that a restore of a snapshot reads, or that these files of it need; without names, of
// all. It requests what is frozen and not requested yet, and waits until all can be read, which may take days. After an
// interruption, the same call goes on. Errors: ErrNoFile, ErrNoThaw, store.ErrNoThawCapacity.
func (a *Archive) Thaw(ctx context.Context, m *manifest.Manifest, names []string, o values.ThawOptions) error {
	defer a.repo.Begin()()
	needed := repo.AllPages
	if len(names) > 0 {
		needed = repo.PagesOf(names)
	}
	m, err := a.repo.WithPages(ctx, m, needed)
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
	if err := thaw.Files(ctx, a.repo.Objects, files, &o); err != nil {
		return fmt.Errorf("thawing snapshot %d: %w", m.Sequence, err)
	}
	return nil
}
