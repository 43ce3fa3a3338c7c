package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/manifest"
)

// RestoreOptions is what a restore needs to know besides the snapshot and the target.
type RestoreOptions struct {
	// Include are path.Match patterns of whole names, or of base names when they hold no
	// slash; or ranges, such as 00000010.jdb..0000001f.jdb. None: all files.
	Include   []string
	DryRun    bool // say what would be done; nothing is read or written but the target's names
	Overwrite bool // the target may hold files; those that are right are kept
	// DeleteExtra: log files in the target that the snapshot does not have are removed. Without it,
	// only those that an interrupted restore was to make, which this one continues.
	DeleteExtra bool
}

// RestoreResult is what a restore did.
type RestoreResult struct {
	Files    int      // in the restored set
	Bytes    int64    // of the set
	Fetched  int      // files that were fetched
	Skipped  int      // files that were right already
	Requests int      // for a dry run: how many reads the files take
	Free     int64    // for a dry run: bytes that are free where the target is, -1 if nobody knows
	Damaged  []string // files that were damaged when they were archived
	Removed  []string // files that were in the way
}

// Restore makes the files of a snapshot in a directory. Several files are fetched at
// once; each gets its name only when its content was checked and is durable. A
// directory that does not exist yet appears when all is done; in an existing one the
// file RESTORE-INCOMPLETE stands while anything is missing. After any failure the same
// call, with the same options, continues where the last one stopped, be it with a newer
// snapshot. Where a database runs in the directory or
// around it, nothing is written, or, if it was started later, nothing more; then the error
// is ErrInUse. Errors: ErrNoFile, ErrOccupied, ErrInUse, ErrNoSpace, ErrDamaged.
func (a *Archive) Restore(ctx context.Context, m *manifest.Manifest, dir string, o RestoreOptions) (*RestoreResult, error) {
	defer a.hold()()
	files, err := selectFiles(m.Files, o.Include)
	if err != nil {
		return nil, err
	}
	res := describeRestore(files)
	if entry(files, IncompleteMarker) != nil {
		return res, fmt.Errorf("%s is a log file of snapshot %d and has the name that marks a restore; leave it out with --include and fetch it by itself", IncompleteMarker, m.Sequence)
	}
	if len(files) == 0 && len(o.Include) > 0 {
		return res, fmt.Errorf("%w: nothing in snapshot %d fits %q", ErrNoFile, m.Sequence, o.Include)
	}
	if err := a.canOpen(ctx, m, files, !o.DryRun); err != nil {
		return res, fmt.Errorf("restore: %w", a.explainDamage(ctx, m, err))
	}
	if o.DryRun {
		res.Removed, err = previewTarget(ctx, dir, m, files, &o)
		res.Free = freeAt(dir)
		return res, err
	}
	if there, err := alreadyThere(ctx, dir, files); err != nil || there {
		res.Skipped = len(files)
		return res, err
	}
	t, err := openTarget(dir, m, &o)
	if err != nil {
		return res, fmt.Errorf("restore: %w", err)
	}
	defer t.close()
	if err := a.restore(ctx, t, m, files, &o, res); err != nil {
		if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
			err = fmt.Errorf("%w: %w", ErrNoSpace, err)
		}
		return res, fmt.Errorf("restore: %w", a.explainDamage(ctx, m, err))
	}
	return res, nil
}

func (a *Archive) restore(ctx context.Context, t *target, m *manifest.Manifest, files []manifest.File, o *RestoreOptions, res *RestoreResult) error {
	var remove, foreign []string
	err := t.checkUse(ctx)
	if err == nil {
		remove, foreign, err = t.inspect(m, files, o)
	}
	if err == nil {
		err = t.checkSpace(files)
	}
	if err == nil {
		err = t.placeMarker(m, o.Include)
	}
	if err != nil {
		t.abandon()
		return err
	}
	for _, name := range remove {
		if err := t.removeEmptied(name); err != nil { // the marker was made of one
			return fmt.Errorf("removing %s: %w", name, err)
		}
	}
	err = a.restoreFiles(ctx, t, files, res)
	if err == nil {
		err = t.removeForeign(ctx, foreign, res)
	}
	if errors.Is(err, ErrInUse) {
		return errors.Join(err, t.unmark())
	}
	if err != nil {
		return err
	}
	if err := t.syncDirs(files); err != nil {
		return fmt.Errorf("making the restored names durable: %w", err)
	}
	return t.finish()
}

func names(files []manifest.File) map[string]bool {
	set := make(map[string]bool, len(files))
	for i := range files {
		set[files[i].Name] = true
	}
	return set
}

// checkSpace compares what is still to be written with what the file system has free.
func (t *target) checkSpace(files []manifest.File) error {
	var need int64
	for i := range files {
		if info, err := t.root.Lstat(files[i].Name); err != nil || info.Size() != files[i].Size {
			need += files[i].Size
		}
	}
	var s unix.Statfs_t
	if err := unix.Statfs(t.work, &s); err != nil {
		return nil // not every file system tells; a full one is noticed when it is full
	}
	if free := int64(s.Bavail) * int64(s.Bsize); free < need {
		return fmt.Errorf("%w: %s needs %.1f MiB more and has %.1f MiB free", ErrNoSpace, t.dir, float64(need)/(1<<20), float64(free)/(1<<20))
	}
	return nil
}

func (a *Archive) restoreFiles(ctx context.Context, t *target, files []manifest.File, res *RestoreResult) error {
	var bytes int64
	for i := range files {
		bytes += files[i].Size
		if err := t.mkdirAll(path.Dir(files[i].Name)); err != nil {
			return fmt.Errorf("making the directory of %s: %w", files[i].Name, err)
		}
	}
	a.progress.plan(len(files), bytes)
	outcomes := make([]outcome, len(files))
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(a.transfers)
	for _, run := range groupByBundle(files) {
		if running.Err() != nil {
			break
		}
		g.Go(func() error { return a.restoreRun(running, t, files, run, outcomes) })
	}
	err := g.Wait()
	if err == nil {
		err = context.Cause(ctx) // the loop was left early, and all that had begun ended well
	}
	for _, o := range outcomes {
		switch o {
		case wasFetched:
			res.Fetched++
		case wasRight:
			res.Skipped++
		}
	}
	return err
}

// outcome is what became of a file of a restore.
type outcome uint8

const (
	notDone outcome = iota
	wasRight
	wasFetched
)

// restoreRun makes files that lie side by side in one object (or just one file), those
// that are not right already.
func (a *Archive) restoreRun(ctx context.Context, t *target, files []manifest.File, run []int, outcomes []outcome) error {
	var missing []int
	for _, i := range run {
		right, err := t.hasContent(ctx, &files[i])
		if err != nil {
			return err
		}
		if right {
			if err := t.syncFile(files[i].Name); err != nil {
				return err
			}
			a.progress.BytesDone.Add(files[i].Size)
			a.progress.file()
			outcomes[i] = wasRight
			continue
		}
		missing = append(missing, i)
	}
	together := a.openBundle(ctx, files, missing)
	defer together.close()
	for _, i := range missing {
		f := &files[i]
		if err := t.writeFile(ctx, f, func(to sink) error { return together.fetch(ctx, f, to) }); err != nil {
			return err
		}
		outcomes[i] = wasFetched
		a.progress.file()
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	return nil
}

// writeFile makes one file of what fetch writes to a sink, which must have checked it.
func (t *target) writeFile(ctx context.Context, f *manifest.File, fetch func(sink) error) error {
	tmp := temp(f.Name)
	out, err := t.root.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("%s: making it: %w", f.Name, err)
	}
	err = fetch(fileSink{out})
	if err == nil {
		err = t.root.Chtimes(tmp, f.Modified, f.Modified)
	}
	if err == nil {
		if err = out.Sync(); err != nil {
			err = fmt.Errorf("%s: making it durable: %w", f.Name, err)
		}
	}
	if closeErr := out.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("%s: closing it: %w", f.Name, closeErr)
	}
	if err == nil {
		err = t.beforeChange(ctx)
	}
	if err == nil {
		// From here on the name stands for content that was checked and is on disk.
		err = t.root.Rename(tmp, f.Name)
	}
	if err != nil {
		return errors.Join(err, t.removeEmptied(tmp))
	}
	return nil
}

// hasContent reports whether the target holds the file already, whole and as archived.
func (t *target) hasContent(ctx context.Context, f *manifest.File) (bool, error) {
	info, err := t.root.Lstat(f.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: looking at it: %w", f.Name, err)
	}
	if info.IsDir() {
		return false, fmt.Errorf("%w: %s is a directory in the target", ErrOccupied, f.Name)
	}
	if !info.Mode().IsRegular() || info.Size() != f.Size {
		return false, nil
	}
	in, err := t.root.Open(f.Name)
	if err != nil {
		return false, fmt.Errorf("%s: checking it: %w", f.Name, err)
	}
	defer in.Close()
	is, err := hashReader(ctx, in, f.Size)
	if err != nil {
		return false, fmt.Errorf("%s: checking it: %w", f.Name, err)
	}
	return is.SHA256 == f.SHA256, nil
}

// syncFile makes the content of a file durable that was there already: who wrote it may not
// have done so.
func (t *target) syncFile(name string) error {
	f, err := t.root.Open(name)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil && !cannotSync(err) {
		return fmt.Errorf("%s: making it durable: %w", name, err)
	}
	return nil
}

// cannotSync reports whether a file system has no fsync. EROFS is not that: an aborted one returns it.
func cannotSync(err error) bool { return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOTSUP) }

// syncDirs makes every directory durable, deepest first: those of the restored files, and
// those that were there before, from which this restore or an interrupted one removed files.
func (t *target) syncDirs(files []manifest.File) error {
	dirs := map[string]bool{".": true}
	for _, dir := range t.dirs {
		dirs[dir] = true
	}
	for i := range files {
		for dir := path.Dir(files[i].Name); !dirs[dir]; dir = path.Dir(dir) {
			dirs[dir] = true
		}
	}
	sorted := make([]string, 0, len(dirs))
	for dir := range dirs {
		sorted = append(sorted, dir)
	}
	slices.Sort(sorted)
	for _, dir := range slices.Backward(sorted) {
		if err := t.syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}
