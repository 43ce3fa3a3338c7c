package archiver

import (
	"fmt"
	"hash/fnv"
	"io"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// Pending implements the method of archive.Archive.
func Pending(a *repo.Repo, captured []source.File) (values.Pending, error) {
	known := a.Known()
	var newest *manifest.Manifest
	if known != nil {
		newest = known.Manifest
	}
	var plan values.Plan
	var err error
	if stamps := stampsOfPages(a, known); stamps != nil {
		plan, err = planByStamps(captured, known, stamps)
		newest = tailsOf(known)
	} else {
		plan, err = scan.MakePlan(captured, newest, nil)
	}
	if err != nil {
		return values.Pending{}, err
	}
	var ahead values.Pending
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
func stampsOfPages(a *repo.Repo, s *repo.Snapshot) *localstate.FileStamps {
	if s == nil || s.Manifest.IsWhole() {
		return nil
	}
	stamps := a.Stamps()
	if stamps == nil || stamps.Snapshot != s.Ref {
		return localstate.NewStamps(s.Manifest.Archive, s.Ref, 0) // another archive is at the address since
	}
	return stamps
}

// planByStamps is MakePlan with stamps in place of the entries of closed files. The plan has only files to upload.
func planByStamps(captured []source.File, s *repo.Snapshot, stamps *localstate.FileStamps) (values.Plan, error) {
	if err := scan.CheckCaptured(captured); err != nil {
		return values.Plan{}, err
	}
	var plan values.Plan
	tails := tailsOf(s)
	p := partialBase{seen: stamps, m: s.Manifest, rows: make([]int, len(s.Manifest.Pages)+1)}
	for i := range s.Manifest.Pages {
		p.rows[i+1] = min(p.rows[i]+s.Manifest.Pages[i].Count, stamps.Len())
	}
	for i := range captured {
		f := &captured[i]
		if row := p.find(f); row != nil && row.LooksLike(f) {
			continue
		}
		if was := scan.Entry(tails.Files, f.Name); was != nil && scan.LooksSame(f, was) {
			continue
		}
		plan.Upload = append(plan.Upload, *f)
	}
	return plan, nil
}

// tailsOf returns a manifest with those entries of a snapshot that are in memory.
func tailsOf(s *repo.Snapshot) *manifest.Manifest {
	m := *s.Manifest
	m.Files = nil
	for i := range s.Pages {
		m.Files = append(m.Files, s.Pages[i].Files...)
	}
	return &m
}
