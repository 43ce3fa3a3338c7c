package archiver

import (
	"context"
	"fmt"
	"io"
	"slices"
	"sync/atomic"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/guard"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// storeFiles reads each file once for its checksums, and puts the content that the archive does not have yet. It hashes
// the next file while one is sent. The entries are in the order of files.
func (r *backupRun) storeFiles(ctx context.Context, files []source.File) ([]manifest.File, error) {
	var bytes int64
	for i := range files {
		bytes += files[i].Size
	}
	objects.AddTotals(r.repo.Progress, len(files), bytes)
	entries := make([]manifest.File, len(files))
	ctx, stop := r.src.CancelOnDiskPressure(ctx)
	defer stop()
	memory, groups := newBundleBuffers(), bundles(files, r.mostEncoded)
	store := func(ctx context.Context, group []int) error { return r.storeGroup(ctx, memory, files, group, entries) }
	err := objects.EachAtOnce(ctx, r.repo.Transfers, groups, store)
	if cause := context.Cause(ctx); cause != nil && (err == nil || guard.IsPressure(cause)) {
		err = cause // the loop was left early, even if every started transfer succeeded
	}
	return entries, err
}

// storeGroup stores the files that share an object, or one file, once they have settled. It sets their entries.
func (r *backupRun) storeGroup(ctx context.Context, buffers bundleBuffers, files []source.File, group []int, entries []manifest.File) error {
	for _, i := range group {
		if err := r.settle(ctx, &files[i]); err != nil {
			return err
		}
	}
	release, err := r.repo.Acquire(ctx)
	if err != nil {
		return err
	}
	defer release()
	if len(group) > 1 {
		return r.storeBundle(ctx, buffers, files, group, entries)
	}
	i := group[0]
	if entries[i], err = r.storeFile(ctx, &files[i], parentEntry(r.src.Parent(), files[i].Name)); err != nil {
		return fmt.Errorf("%s: %w", files[i].Name, err)
	}
	objects.FileDone(r.repo.Progress)
	return nil
}

func parentEntry(parent *manifest.Manifest, name string) *manifest.File {
	if parent == nil {
		return nil
	}
	return scan.Entry(parent.Files, name)
}

// storeFile stores one file and returns its entry; was is the parent's entry, or nil.
func (r *backupRun) storeFile(ctx context.Context, f *source.File, was *manifest.File) (manifest.File, error) {
	if e, ok, err := r.src.ReuseCompared(f, was); ok || err != nil {
		return e, err
	}
	e := manifest.File{Name: f.Name, Modified: scan.Modified(f), Snapshot: r.next, State: scan.StateOf(f)}
	content, err := r.src.Capture.Open(f.Name)
	if err != nil {
		return e, fmt.Errorf("opening: %w", err)
	}
	defer content.Close()
	d, err := r.scan(ctx, content, f, was)
	if err != nil {
		return e, fmt.Errorf("reading: %w", err)
	}
	e.Size, e.SHA256, e.Check = d.Whole.Size, d.Whole.SHA256, r.src.Check(f.Name, d.Log)
	r.repo.Progress.BytesDone.Add(f.Size - e.Size)
	from, sums := int64(0), d.Whole
	switch {
	case r.src.CanReuseBase && was != nil && !r.src.NeedsLostObject(was) && was.SHA256 == e.SHA256 && (e.State == manifest.Tail || len(was.Parts) == 1):
		e.Parts, e.Snapshot = was.Parts, was.Snapshot
		r.repo.Progress.BytesDone.Add(e.Size)
		return e, nil
	case r.src.CanReuseBase && e.State == manifest.Tail && was != nil && !r.src.NeedsLostObject(was) && was.Size > 0 && d.Prefix == was.SHA256 && len(was.Parts) < manifest.MaxTailParts:
		// The log only grew at its end: only the new bytes are stored.
		e.Parts = slices.Clone(was.Parts)
		from, sums = was.Size, d.Rest
		r.repo.Progress.BytesDone.Add(was.Size)
	}
	part, err := r.storePart(ctx, f.Name, content, from, sums)
	if err != nil {
		return e, err
	}
	e.Parts = append(e.Parts, part)
	r.added(&e, was, sums.Size)
	return e, nil
}

// scan reads a file, and checks that it was not written to during that. If an earlier backup of this process has read
// the beginning of a tail, scan reads only the new bytes.
func (r *backupRun) scan(ctx context.Context, content source.Content, f *source.File, was *manifest.File) (scan.Scan, error) {
	var prefix int64
	if was != nil && was.Size <= f.Size {
		prefix = was.Size
	}
	s, err := r.src.ResumeTail(ctx, content, f, was)
	if err != nil {
		return scan.Scan{}, err
	}
	if s == nil {
		s = scan.NewScanner(f, r.src.Layout)
	}
	d, err := s.File(ctx, objects.NewHashing(content, r.repo.Progress), f.Size, prefix, scan.BeforeTail(f, was))
	if err == nil {
		err = content.Unchanged()
	}
	if err != nil {
		return d, err
	}
	if d.HasTrailing != nil {
		r.src.Warn("%s: the bytes after its last whole entry are no entry, and are not archived: %v", f.Name, d.HasTrailing)
	}
	return d, r.src.KeepTail(ctx, content, f, s, &d)
}

// settle waits until a closed file's last modification is MtimeGranularity ago. It is called before the file is read:
// a write in the same step as the last one leaves no trace in the times, and must come before the read. A time after
// the capture counts as the capture's time, unless the file's status is known not to have changed for long.
func (r *backupRun) settle(ctx context.Context, f *source.File) error {
	last := f.Modified
	if changed := f.ID().Changed; last.After(r.src.Capture.At) && changed != 0 {
		last = time.Unix(0, changed)
	}
	if last.After(r.src.Capture.At) {
		last = r.src.Capture.At
	}
	wait := min(scan.MtimeGranularity, scan.MtimeGranularity-time.Since(last)) // the clock may have been set back
	if wait <= 0 || f.State == source.Tail {
		return nil
	}
	return objects.Sleep(ctx, wait)
}

// added counts content that was stored for this snapshot.
func (r *backupRun) added(e, was *manifest.File, bytes int64) {
	r.src.Mu.Lock()
	defer r.src.Mu.Unlock()
	r.addedSize += bytes
	if was != nil && was.State == manifest.Closed && e.State == manifest.Closed && was.SHA256 != e.SHA256 {
		r.src.Res.Changed = append(r.src.Res.Changed, values.Changed{Name: e.Name, Kind: scan.ChangeKind(was, e)})
	}
}

// storePart puts a section of a file, unless an object with its content can be adopted.
func (r *backupRun) storePart(ctx context.Context, name string, content io.ReaderAt, from int64, sums store.Sums) (manifest.Part, error) {
	body := &counted{ReaderAt: io.NewSectionReader(content, from, sums.Size), progress: r.repo.Progress}
	defer body.finish(sums.Size)
	how, err := r.pickEncoding(body.ReaderAt, sums.Size)
	if err != nil {
		return manifest.Part{}, err
	}
	part := manifest.Part{
		Object: manifest.DataKey(name, sums.SHA256, r.next, how, r.recipients()),
		Size:   sums.Size, SHA256: sums.SHA256, Encoding: how,
	}
	if how != manifest.Plain {
		return r.storeEncoded(ctx, part, body, sums)
	}
	adopted, taken, err := r.adopt(ctx, &part, sums)
	if err != nil || adopted {
		return part, err
	}
	at, err := r.chooseKey(ctx, &placement{key: part.Object, body: body, sums: sums, taken: taken})
	if err == nil {
		r.complete(&part, at.Key, sums, at.Stored)
	}
	return part, err
}

// sent counts an object of size bytes that holds content of a number of files.
func (r *backupRun) sent(files int, bytes int64, adopted bool) {
	r.src.Mu.Lock()
	defer r.src.Mu.Unlock()
	if adopted {
		r.src.Res.Adopted += files
		return
	}
	r.src.Res.Sent += files
	r.src.Res.SentBytes += bytes
	r.large = r.large || bytes > objects.SweepFrom
}

// counted reports to Progress the furthest byte that was read of an object. Senders read parts concurrently and more
// than once, so only the furthest byte counts.
type counted struct {
	io.ReaderAt
	progress *values.Progress
	furthest atomic.Int64
}

func (c *counted) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.ReaderAt.ReadAt(b, off)
	c.reach(off + int64(n))
	return n, err
}

func (c *counted) reach(to int64) {
	for {
		was := c.furthest.Load()
		if to <= was {
			return
		}
		if c.furthest.CompareAndSwap(was, to) {
			c.progress.BytesDone.Add(to - was)
			return
		}
	}
}

// finish counts the bytes that did not have to be read.
func (c *counted) finish(size int64) { c.reach(size) }
