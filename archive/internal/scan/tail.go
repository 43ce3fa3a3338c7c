package scan

import (
	"context"
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// A TailRead records how far a tail was read. The next backup of the same process then reads only the bytes that were
// appended since.
type TailRead struct {
	Name    string
	ID      source.ID
	Sum     manifest.Hash // of the bytes that were read
	End     manifest.Hash // of the last tailEnd of these bytes
	Scanner *Scanner      // at the end of its last whole entry
}

// tailEnd is how many of the last bytes read before are read again to check that they are unchanged. They differ if a
// crash cut the log back and the database has continued since. Other writes in place are found when the file is closed
// and read as a whole.
const tailEnd = 64 << 10

func SumTailEnd(ctx context.Context, r io.ReaderAt, size int64) (manifest.Hash, error) {
	s := digest.New()
	err := bufcopy.Range(ctx, r, max(0, size-tailEnd), size, s)
	return s.Sums().SHA256, err
}
