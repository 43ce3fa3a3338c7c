package restorer

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// spoolMemory is the size up to which Cat buffers a file in memory until it is checked.
const spoolMemory = 32 << 20

// Cat implements the method of archive.Archive.
func Cat(ctx context.Context, a *repo.Repo, m *manifest.Manifest, name string, w io.Writer) error {
	defer a.Begin()()
	m, err := a.WithPages(ctx, m, repo.PagesOf([]string{name}))
	if err != nil {
		return err
	}
	f := scan.Entry(m.Files, name)
	if f == nil {
		return fmt.Errorf("%w: %q in snapshot %d", values.ErrNoFile, name, m.Sequence)
	}
	objects.AddTotals(a.Progress, 1, f.Size)
	s := a.NewSlots()
	if err := s.Acquire(ctx); err != nil {
		return err
	}
	if f.Size <= spoolMemory {
		var mem memory
		if err := a.FetchFile(ctx, s, f, &mem); err != nil {
			return a.ExplainDamage(ctx, m, thaw.ExplainFrozen(ctx, a.Objects, []manifest.File{*f}, err))
		}
		_, err := mem.WriteTo(w)
		return err
	}
	tmp, err := os.CreateTemp("", "strongroom-cat-*")
	if err != nil {
		return fmt.Errorf("creating a temporary file for %s until it is checked: %w", name, err)
	}
	defer tmp.Close()
	if err := os.Remove(tmp.Name()); err != nil {
		return fmt.Errorf("unlinking a temporary file: %w", err)
	}
	if err := a.FetchFile(ctx, s, f, fileSink{tmp}); err != nil {
		return a.ExplainDamage(ctx, m, thaw.ExplainFrozen(ctx, a.Objects, []manifest.File{*f}, err))
	}
	if _, err := tmp.Seek(0, io.SeekStart); err != nil {
		return fmt.Errorf("reading back %s: %w", name, err)
	}
	_, err = io.Copy(w, tmp)
	return err
}

// memory is a sink in memory.
type memory struct{ bytes.Buffer }

func (m *memory) Rewind(length int64) error {
	m.Truncate(int(length))
	return nil
}

// fileSink is a sink in a file, from its beginning.
type fileSink struct{ sinkFile }

type sinkFile interface {
	io.WriteSeeker
	Truncate(size int64) error
}

func (f fileSink) Rewind(length int64) error {
	_, err := f.Seek(length, io.SeekStart)
	return errors.Join(err, f.Truncate(length))
}
