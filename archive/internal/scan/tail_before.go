package scan

import (
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// A TailBefore is the parent snapshot's state of a tail. It separates damage from a write in progress: the bytes after
// the last whole entry may be half an entry. But a whole entry stays whole, and half an entry becomes whole some time
// later.
type TailBefore struct {
	size    int64         // 0 if the parent has none of the file, or more than there is now
	sum     manifest.Hash // of those bytes
	whole   int64         // where the last whole entry ended: at size, unless damaged
	damaged bool
	stale   bool // the file was written to since, so late that an unfinished entry must be whole now
}

func BeforeTail(f *source.File, was *manifest.File) TailBefore {
	if was == nil || f.State != source.Tail || was.State != manifest.Tail || was.Size > f.Size {
		return TailBefore{}
	}
	b := TailBefore{
		size: was.Size, sum: was.SHA256, whole: was.Size,
		damaged: was.Damaged(), stale: f.Modified.Sub(was.Modified) > MtimeGranularity,
	}
	if b.damaged {
		b.whole = *was.Check.At
	}
	return b
}

// damages reports whether a tail whose whole entries end at byte end, before its last byte, is damaged there. prefix is
// the hash of its first bytes, up to the length that the parent has.
//
// A damaged tail stays damaged while its bytes are the same. If they differ, the database has repaired it: it dropped
// the bytes after the last whole entry, and continued there.
func (b TailBefore) damages(end int64, prefix manifest.Hash) bool {
	switch {
	case b.size == 0:
		return false
	case b.damaged && prefix != b.sum:
		return end < b.whole
	}
	return end < b.size || end == b.size && b.stale
}
