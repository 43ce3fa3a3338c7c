package archive

import (
	"context"
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// A tailRead records how far a tail was read. The next backup of the same process then reads only the bytes that were
// appended since.
type tailRead struct {
	name    string
	id      source.ID
	sum     manifest.Hash // of the bytes that were read
	end     manifest.Hash // of the last tailEnd of these bytes
	scanner *scanner      // at the end of its last whole entry
}

// tailEnd is how many of the last bytes read before are read again to check that they are unchanged. They differ if a
// crash cut the log back and the database has continued since. Other writes in place are found when the file is closed
// and read as a whole.
const tailEnd = 64 << 10

func sumTailEnd(ctx context.Context, r io.ReaderAt, size int64) (manifest.Hash, error) {
	s := digest.New()
	err := bufcopy.Range(ctx, r, max(0, size-tailEnd), size, s)
	return s.Sums().SHA256, err
}

// keepTail records how far a tail was read.
func (r *backupRun) keepTail(ctx context.Context, content io.ReaderAt, f *source.File, s *scanner, d *scan) error {
	if f.State != source.Tail || f.ID() == (source.ID{}) {
		return nil
	}
	s.rewind()
	s.rest, s.restThen = nil, nil
	end, err := sumTailEnd(ctx, content, s.whole.Size())
	if err != nil {
		return err
	}
	r.Archive.mu.Lock()
	defer r.Archive.mu.Unlock()
	r.tailRead = &tailRead{name: f.Name, id: f.ID(), sum: d.whole.SHA256, end: end, scanner: s}
	return nil
}

// resumeTail returns a scanner at the end of the parent's entry of a tail. It returns nil if this process has not read
// those bytes, or has read them from another file.
func (r *backupRun) resumeTail(ctx context.Context, content io.ReaderAt, f *source.File, was *manifest.File) (*scanner, error) {
	if f.State != source.Tail {
		return nil, nil
	}
	t, err := r.tailReadOf(ctx, content, f, was)
	if t == nil || err != nil {
		return nil, err
	}
	return t.scanner.copy(), nil
}

// tailReadOf returns how this process has read a file, which may be closed by now, up to the end of the parent's entry;
// nil if it has not, or has read other bytes.
func (r *backupRun) tailReadOf(ctx context.Context, content io.ReaderAt, f *source.File, was *manifest.File) (*tailRead, error) {
	r.Archive.mu.Lock()
	t := r.tailRead
	r.Archive.mu.Unlock()
	if t == nil || was == nil || t.name != f.Name || t.id.Device != f.ID().Device || t.id.Inode != f.ID().Inode ||
		(t.scanner.log == nil) == r.layout.ChecksEntries() || t.scanner.whole.Size() != was.Size || t.sum != was.SHA256 || f.Size < was.Size {
		return nil, nil
	}
	if end, err := sumTailEnd(ctx, content, was.Size); err != nil || end != t.end {
		return nil, err
	}
	return t, nil
}
