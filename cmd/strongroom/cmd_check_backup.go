package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// tryOut checks whether a backup to a destination could continue, and probes the destination. It
// writes nothing where an archive is gone: its disk may not be mounted. src is nil if the job has
// no source.
func tryOut(ctx context.Context, j *job, to *openArchive, src *sourceReport, probe prober, report func(storecheck.Finding)) error {
	where := newProbeDir(to.url)
	defer where.clear()
	if f, ok := where.finding(); ok {
		report(f)
	}
	f, ok := to.Preflight(ctx)
	if ok {
		report(f)
		if f.Result == storecheck.Failed {
			return nil
		}
		if err := tryBackup(ctx, j, to, src, report); err != nil {
			return err
		}
	}
	trySpace(to, src, where, report)
	failed := false
	err := where.try(ctx, to.bucket, probe, func(f storecheck.Finding) {
		failed = failed || f.Result == storecheck.Failed
		report(f)
	})
	if err == nil && !ok && !failed {
		report(f) // no probe found the reason
	}
	return err
}

// tryBackup plans a backup, with all guards, and tests whether it could create its objects.
func tryBackup(ctx context.Context, j *job, to *openArchive, src *sourceReport, report func(storecheck.Finding)) error {
	if src == nil || src.Error != "" {
		return nil // what is wrong with the source was reported
	}
	dir, err := j.openSource()
	if err != nil {
		return err
	}
	o := j.o
	o.DryRun, o.TestPlaces = true, true
	res, err := to.Backup(ctx, dir, o)
	if ctx.Err() != nil {
		return fmt.Errorf("planning a backup: %w", context.Cause(ctx))
	}
	if err != nil {
		report(storecheck.Finding{
			Probe: "backup", Result: storecheck.Failed, Detail: message(err),
			Advice: strings.Replace(strings.TrimPrefix(acceptAdvice(j.name, err), "; "), "run again", "run strongroom backup", 1),
		})
		return nil
	}
	var bytes int64
	for i := range res.Plan.Upload {
		bytes += res.Plan.Upload[i].Size
	}
	report(storecheck.Finding{
		Probe: "backup", Result: storecheck.Good,
		Detail: fmt.Sprintf("a backup would read %s, %s", plural(len(res.Plan.Upload), "file"), size(bytes)),
	})
	return nil
}

// trySpace checks the space that a backup of the pending files needs: for scratch files, and at a
// destination in the file system.
func trySpace(to *openArchive, src *sourceReport, where *probeDir, report func(storecheck.Finding)) {
	var largest, bytes int64
	if src != nil && src.captured != nil {
		pending, err := to.Pending(src.captured)
		if err != nil {
			return // a name that the format does not allow, which was reported
		}
		largest, bytes = pending.Largest, pending.Bytes
	}
	if to.encoder != nil {
		report(scratchFinding(to, largest))
	}
	if f, ok := where.spaceFinding(bytes, to.encoder != nil); ok {
		report(f)
	}
}

// scratchFinding checks the scratch space for the largest pending file. Without a file that needs
// it, missing space is only a note.
func scratchFinding(to *openArchive, largest int64) storecheck.Finding {
	s := to.encoder.Space()
	needed := to.encoder.NeedsScratch(largest)
	at := largest
	if !needed {
		at = s.From + 1
	}
	if err := to.encoder.TryScratch(at); err != nil {
		f := storecheck.Finding{Probe: "scratch", Result: storecheck.Failed, Detail: message(err)}
		if !needed {
			f.Result, f.Advice = storecheck.Note, fmt.Sprintf("ignore this if no log file is larger than %s", size(s.From))
		}
		return f
	}
	detail := fmt.Sprintf("files over %s are encoded in %s", size(s.From), s.Dir)
	if s.Free >= 0 {
		detail += fmt.Sprintf(", where %s are free", size(s.Free))
	}
	if s.Reserve > 0 {
		detail += fmt.Sprintf("; %s stay free for other programs", size(s.Reserve))
	}
	return storecheck.Finding{Probe: "scratch", Result: storecheck.Good, Detail: detail}
}

// spaceFinding reports a destination in the file system that is too small for the pending bytes.
// Compressed they may fit.
func (s *probeDir) spaceFinding(pending int64, encoded bool) (storecheck.Finding, bool) {
	free, isKnown := disk.Free(s.nearest)
	if s.root == "" || !isKnown || free >= pending {
		return storecheck.Finding{}, false
	}
	f := storecheck.Finding{
		Probe: "space", Result: storecheck.Failed,
		Detail: fmt.Sprintf("%s has %s free, and a backup would store %s", s.nearest, size(free), size(pending)),
		Advice: "free some space, or use another destination",
	}
	if encoded {
		f.Result, f.Detail = storecheck.Note, f.Detail+", before they are encoded"
	}
	return f, true
}

// findUnreadable opens each file of a capture as a backup does, and reads its first byte. It
// returns the names of those that cannot be read, and the first reason. A file that the database
// has changed or deleted since is no fault.
func findUnreadable(ctx context.Context, capture *source.Capture) (names []string, first, err error) {
	for i := range capture.Files {
		if ctx.Err() != nil {
			return nil, nil, fmt.Errorf("reading the source: %w", context.Cause(ctx))
		}
		f := &capture.Files[i]
		err := tryRead(capture, f)
		if err == nil || errors.Is(err, source.ErrVanished) || errors.Is(err, source.ErrChanged) {
			continue
		}
		if names = append(names, f.Name); first == nil {
			first = err
		}
	}
	return names, first, nil
}

// tryRead opens a file of a capture and reads its first byte.
func tryRead(capture *source.Capture, f *source.File) error {
	content, err := capture.Open(f.Name)
	if err != nil {
		return err
	}
	defer content.Close()
	if f.Size == 0 {
		return nil
	}
	if _, err := content.ReadAt(make([]byte, 1), 0); err != nil && err != io.EOF {
		return err
	}
	return nil
}
