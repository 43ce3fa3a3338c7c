package archive

import (
	"fmt"
	"hash/fnv"
	"io"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// Pending is what a source holds and the newest snapshot does not.
type Pending struct {
	Files  int   // closed files, and a tail that grew
	Bytes  int64 // of those; of a tail that grew, what is new
	Closed int   // of Files, those that are closed
	// Fingerprint is the same as long as the closed files that are ahead are the same, as far as
	// names, sizes and times tell.
	Fingerprint uint64
}

// Pending compares captured files with the newest snapshot that this Archive has read or made,
// which it keeps in memory: it asks the store for nothing, and reads no content. Before the
// first Backup or Newest all of the source is ahead.
func (a *Archive) Pending(captured []source.File) (Pending, error) {
	a.mu.Lock()
	known := a.known
	a.mu.Unlock()
	var newest *manifest.Manifest
	if known != nil {
		newest = known.m
	}
	plan, err := MakePlan(captured, newest, nil)
	if err != nil {
		return Pending{}, err
	}
	var ahead Pending
	mark := fnv.New64a()
	for i := range plan.Upload {
		f := &plan.Upload[i]
		was, bytes := parentEntry(newest, f.Name), f.Size
		if was != nil && was.State == manifest.Tail && was.Size <= f.Size {
			bytes -= was.Size
		}
		if f.State == source.Tail && bytes == 0 {
			continue
		}
		ahead.Files++
		ahead.Bytes += bytes
		if f.State == source.Closed {
			ahead.Closed++
			io.WriteString(mark, fmt.Sprintf("%s\x00%d %d\n", f.Name, f.Size, f.Modified.UnixNano()))
		}
	}
	if ahead.Closed > 0 {
		ahead.Fingerprint = mark.Sum64()
	}
	return ahead, nil
}
