package archive

import (
	"fmt"
	"hash/fnv"
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// Pending describes the files that changed since the newest snapshot.
type Pending struct {
	Files  int   // the number of pending files: closed ones, and a tail that grew
	Bytes  int64 // the bytes of the pending files; for a tail, only its new bytes
	Closed int   // the number of closed files in Files
	// Largest is the size of the largest section of a pending file that is stored as one object.
	Largest int64
	// Fingerprint identifies the pending closed files by their names, sizes and times. It is 0 if there are
	// none.
	Fingerprint uint64
}

// Pending compares captured files with the newest snapshot that this Archive has read or made and keeps in
// memory. It sends no request to the store, and reads no content. Before the first Backup or Newest, all files
// of the source are pending. It returns an error for a file name that the format does not allow.
func (a *Archive) Pending(captured []source.File) (Pending, error) {
	a.mu.Lock()
	known := a.known
	a.mu.Unlock()
	var newest *manifest.Manifest
	if known != nil {
		newest = known.m
	}
	var plan Plan
	var err error
	if stamps := a.stampsOfPages(known); stamps != nil {
		plan, err = planByStamps(captured, known, stamps)
		newest = tailsOf(known)
	} else {
		plan, err = MakePlan(captured, newest, nil)
	}
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
		if f.State != source.Closed {
			ahead.Largest = max(ahead.Largest, bytes)
			continue
		}
		ahead.Largest = max(ahead.Largest, f.Size) // also the one that was the tail: it is stored once more, whole
		ahead.Closed++
		io.WriteString(mark, fmt.Sprintf("%s\x00%d %d\n", f.Name, f.Size, f.Modified.UnixNano()))
	}
	if ahead.Closed > 0 {
		ahead.Fingerprint = mark.Sum64()
	}
	return ahead, nil
}

// stampsOfPages returns the stamps of a snapshot whose entries are not all in memory; nil if they are.
func (a *Archive) stampsOfPages(s *snapshot) *localstate.FileStamps {
	if s == nil || s.m.IsWhole() {
		return nil
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stamps == nil || a.stamps.Snapshot != s.ref {
		return localstate.NewStamps(s.m.Archive, s.ref, 0) // another archive is at the address since
	}
	return a.stamps
}

// planByStamps is MakePlan with stamps in place of the entries of closed files. The plan has only files to upload.
func planByStamps(captured []source.File, s *snapshot, stamps *localstate.FileStamps) (Plan, error) {
	if err := checkCaptured(captured); err != nil {
		return Plan{}, err
	}
	var plan Plan
	tails := tailsOf(s)
	p := partialBase{seen: stamps, m: s.m, rows: make([]int, len(s.m.Pages)+1)}
	for i := range s.m.Pages {
		p.rows[i+1] = min(p.rows[i]+s.m.Pages[i].Count, stamps.Len())
	}
	for i := range captured {
		f := &captured[i]
		if row := p.find(f); row != nil && row.LooksLike(f) {
			continue
		}
		if was := entry(tails.Files, f.Name); was != nil && looksSame(f, was) {
			continue
		}
		plan.Upload = append(plan.Upload, *f)
	}
	return plan, nil
}

// tailsOf returns a manifest with those entries of a snapshot that are in memory.
func tailsOf(s *snapshot) *manifest.Manifest {
	m := *s.m
	m.Files = nil
	for i := range s.pages {
		m.Files = append(m.Files, s.pages[i].Files...)
	}
	return &m
}
