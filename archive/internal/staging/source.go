package staging

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/internal/thaw"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// SnapshotSource is a Source that reads the files of a snapshot.
type SnapshotSource struct {
	from   *repo.Repo
	M      *manifest.Manifest
	layout source.Layout
	Room   *Area
	// thaw is how what must be thawed is thawed. If it is nil, the error is a FrozenError.
	Thaw *values.ThawOptions
	// fetch returns the content of a file.
	Fetch func(ctx context.Context, f *manifest.File) (*Object, error)
}

func NewSnapshotSource(from *repo.Repo, m *manifest.Manifest, room *Area) (*SnapshotSource, error) {
	o := source.LayoutOptions{Name: m.Layout}
	switch m.Layout {
	case "files":
		o.Pattern = ".*"
	case "segments":
		o.Pattern = "(.*)" // the manifest states which of them is the newest
	case "je", "noxu":
		o.NoEntries = !slices.ContainsFunc(m.Files, func(f manifest.File) bool { return f.Check != nil })
	}
	layout, err := source.NewLayout(o)
	if err != nil {
		return nil, fmt.Errorf("its layout: %w", err)
	}
	s := &SnapshotSource{from: from, M: m, layout: layout, Room: room}
	s.Fetch = s.FetchOwn
	return s, nil
}

// FetchOwn reads a file from the archive of the snapshot.
func (s *SnapshotSource) FetchOwn(ctx context.Context, f *manifest.File) (*Object, error) {
	to, content, err := s.Room.NewObject(ctx, f.Size)
	if err != nil {
		return nil, err
	}
	err, thawErr := thaw.ReadThawing(ctx, s.from.Objects, f, s.Thaw, func() error {
		return s.from.FetchFile(ctx, nil, f, &PartWriter{To: to})
	})
	if err = cmp.Or(thawErr, err); err != nil {
		content.Release()
		if s.Thaw == nil {
			err = thaw.ExplainFrozen(ctx, s.from.Objects, s.M.Files, err)
		}
		return nil, s.from.ExplainDamage(ctx, s.M, err)
	}
	return content, nil
}

// Layout implements Source.
func (s *SnapshotSource) Layout() source.Layout { return s.layout }

// Agrees compares files by their hashes, which both manifests contain. The original may have files that changed
// without a change of size and time; the local state of the database's host recognized them.
func (s *SnapshotSource) Agrees(f *source.File, was *manifest.File) bool {
	e := scan.Entry(s.M.Files, f.Name)
	return e != nil && e.SHA256 == was.SHA256
}

// Capture implements Source.
func (s *SnapshotSource) Capture(ctx context.Context, _ func(source.File) bool) (*source.Capture, error) {
	files := make([]source.File, len(s.M.Files))
	for i := range s.M.Files {
		f := &s.M.Files[i]
		files[i] = source.File{Name: f.Name, Size: f.Size, Modified: f.Modified, State: source.Closed}
		if f.State == manifest.Tail {
			files[i].State = source.Tail
		}
	}
	return source.NewCapture(files, s.M.Created, func(f source.File) (source.Content, error) {
		content, err := s.Fetch(ctx, scan.Entry(s.M.Files, f.Name))
		if err != nil {
			return nil, err
		}
		return &fetchedContent{content, sync.OnceFunc(content.Release)}, nil
	}), nil
}

// fetchedContent is the content of a file that was read from an archive. It never changes.
type fetchedContent struct {
	*Object
	release func()
}

func (f *fetchedContent) Close() error {
	f.release()
	return nil
}

func (f *fetchedContent) Unchanged() error { return nil }
