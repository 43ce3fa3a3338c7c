package archive

import (
	"context"
	"io"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// A tailRead is how far a tail was read, so that the next backup of the same process
// reads only what was appended since.
type tailRead struct {
	name    string
	id      source.ID
	sum     manifest.Hash // of what was read
	end     manifest.Hash // of the last tailEnd bytes of that
	scanner *scanner      // at the end of its last whole entry
}

// tailEnd is how much of what was read before is read again, to see that it is still
// there: a database that was cut back by a crash and has gone on since differs in it. What
// else is written to in place shows when the file is closed, and read as a whole.
const tailEnd = 64 << 10

func sumTailEnd(ctx context.Context, r io.ReaderAt, size int64) (manifest.Hash, error) {
	s := digest.New()
	err := copyRange(ctx, r, max(0, size-tailEnd), size, s)
	return s.Sums().SHA256, err
}

// keepTail remembers how far a tail was read.
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

// resumeTail gives a scanner that stands where the parent's entry of a tail ends, or nil
// where that was not read by this process, or from what is another file now.
func (r *backupRun) resumeTail(ctx context.Context, content io.ReaderAt, f *source.File, was *manifest.File) (*scanner, error) {
	r.Archive.mu.Lock()
	t := r.tailRead
	r.Archive.mu.Unlock()
	if t == nil || was == nil || f.State != source.Tail || t.name != f.Name || t.id.Device != f.ID().Device || t.id.Inode != f.ID().Inode ||
		(t.scanner.log == nil) == r.layout.ChecksEntries() || t.scanner.whole.Size() != was.Size || t.sum != was.SHA256 || f.Size < was.Size {
		return nil, nil
	}
	if end, err := sumTailEnd(ctx, content, was.Size); err != nil || end != t.end {
		return nil, err
	}
	return t.scanner.copy(), nil
}
