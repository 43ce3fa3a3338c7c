package guard

import (
	"context"
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// KeepTail records how far a tail was read.
func (r *Source) KeepTail(ctx context.Context, content io.ReaderAt, f *source.File, s *scan.Scanner, d *scan.Scan) error {
	if f.State != source.Tail || f.ID() == (source.ID{}) {
		return nil
	}
	s.Rewind()
	s.Rest, s.RestThen = nil, nil
	end, err := scan.SumTailEnd(ctx, content, s.Whole.Size())
	if err != nil {
		return err
	}
	r.Repo.KeepTailRead(&scan.TailRead{Name: f.Name, ID: f.ID(), Sum: d.Whole.SHA256, End: end, Scanner: s})
	return nil
}

// ResumeTail returns a scanner at the end of the parent's entry of a tail. It returns nil if this process has not read
// those bytes, or has read them from another file.
func (r *Source) ResumeTail(ctx context.Context, content io.ReaderAt, f *source.File, was *manifest.File) (*scan.Scanner, error) {
	if f.State != source.Tail {
		return nil, nil
	}
	t, err := r.tailReadOf(ctx, content, f, was)
	if t == nil || err != nil {
		return nil, err
	}
	return t.Scanner.Copy(), nil
}

// tailReadOf returns how this process has read a file, which may be closed by now, up to the end of the parent's entry;
// nil if it has not, or has read other bytes.
func (r *Source) tailReadOf(ctx context.Context, content io.ReaderAt, f *source.File, was *manifest.File) (*scan.TailRead, error) {
	t := r.Repo.TailRead()
	if t == nil || was == nil || t.Name != f.Name || t.ID.Device != f.ID().Device || t.ID.Inode != f.ID().Inode ||
		(t.Scanner.Log == nil) == r.Layout.ChecksEntries() || t.Scanner.Whole.Size() != was.Size || t.Sum != was.SHA256 || f.Size < was.Size {
		return nil, nil
	}
	if end, err := scan.SumTailEnd(ctx, content, was.Size); err != nil || end != t.End {
		return nil, err
	}
	return t, nil
}
