package archive

import (
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// A tailBefore is what the parent snapshot has of a tail. It separates damage from what is
// being written: what follows the last whole entry may be half an entry, but what was whole
// once stays so, and what was half is whole some time later.
type tailBefore struct {
	size    int64         // 0: it has none of it, or more than there is now
	sum     manifest.Hash // of those bytes
	whole   int64         // where the last whole entry ended: at size, unless damaged
	damaged bool
	stale   bool // the file was written to since, long enough after for an entry to be whole
}

func beforeTail(f *source.File, was *manifest.File) tailBefore {
	if was == nil || f.State != source.Tail || was.State != manifest.Tail || was.Size > f.Size {
		return tailBefore{}
	}
	b := tailBefore{
		size: was.Size, sum: was.SHA256, whole: was.Size,
		damaged: was.Damaged(), stale: f.Modified.Sub(was.Modified) > mtimeGranularity,
	}
	if b.damaged {
		b.whole = *was.Check.At
	}
	return b
}

// damages reports whether a tail whose whole entries end at a byte before its end is
// damaged there. Prefix is the hash of as many bytes as the parent has of it.
//
// A tail that was damaged stays so while its bytes are the same. If they are others, the
// database has repaired it: it dropped what followed the last whole entry, and went on there.
func (b tailBefore) damages(end int64, prefix manifest.Hash) bool {
	switch {
	case b.size == 0:
		return false
	case b.damaged && prefix != b.sum:
		return end < b.whole
	}
	return end < b.size || end == b.size && b.stale
}
