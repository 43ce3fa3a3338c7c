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

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// RestoreOptions are the options of Restore. The zero value restores all files to an empty directory.
type RestoreOptions struct {
	// Include are path.Match patterns of whole names, or of base names if they contain no slash; or ranges,
	// such as 00000010.jdb..0000001f.jdb. An empty list includes all files.
	Include   []string
	DryRun    bool // report what would be done; it reads only the target's file names, and writes nothing
	Overwrite bool // accept a target with files; files with the right content are kept
	// DeleteExtra deletes log files in the target that the snapshot does not have. Without it, Restore deletes
	// only those of an interrupted restore that it continues.
	DeleteExtra bool
}

// RestoreResult is what a restore did.
type RestoreResult struct {
	Files    int      // the number of files to restore, including those already present
	Bytes    int64    // the plain size of these files
	Fetched  int      // files that were fetched
	Skipped  int      // files whose content in the target was right already
	Requests int      // in a dry run: the number of reads that the files need
	Free     int64    // in a dry run: the free bytes on the target's file system; -1 if unknown
	Damaged  []string // files that were damaged when they were archived
	Removed  []string // extra files that were deleted, or would be in a dry run
}

// Restore writes the files of a snapshot to a directory. It fetches several files at once, and gives each its
// name only after its content was checked and made durable. A new directory appears once it is complete. An
// existing one contains the file RESTORE-INCOMPLETE while files are missing. After a failure, the same call
// with the same options continues the restore, also with a newer snapshot.
//
// If a database runs in the directory or around it, Restore writes nothing; if the database starts later,
// Restore stops. The error is then ErrInUse. Other errors: ErrNoFile, ErrOccupied, ErrNoSpace, ErrDamaged.
func (a *Archive) Restore(ctx context.Context, m *manifest.Manifest, dir string, o RestoreOptions) (*RestoreResult, error) {
	defer a.hold()()
	files, err := selectFiles(m.Files, o.Include)
	if err != nil {
		return nil, err
	}
	res := describeRestore(files)
	if entry(files, IncompleteMarker) != nil {
		return res, fmt.Errorf("%s is a log file of snapshot %d and has the name of the marker of a restore; "+
			"restore the other files by patterns, and fetch this file separately", IncompleteMarker, m.Sequence)
	}
	if len(files) == 0 && len(o.Include) > 0 {
		return res, fmt.Errorf("%w: nothing in snapshot %d matches %q", ErrNoFile, m.Sequence, o.Include)
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
		if err := t.removeEmptied(name); err != nil { // one of them may have become the marker
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

// checkSpace returns ErrNoSpace if the missing files need more than the free space of the file system.
func (t *target) checkSpace(files []manifest.File) error {
	var need int64
	for i := range files {
		if info, err := t.root.Lstat(files[i].Name); err != nil || info.Size() != files[i].Size {
			need += files[i].Size
		}
	}
	var s unix.Statfs_t
	if err := unix.Statfs(t.work, &s); err != nil {
		return nil // not every file system reports it; a write to a full one fails anyway
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
		err = context.Cause(ctx) // the loop may have ended early without a failed file
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

// outcome is the result for one file of a restore.
type outcome uint8

const (
	notDone outcome = iota
	wasRight
	wasFetched
)

// restoreRun restores files that are adjacent in one object, or a single file. It skips those that are right
// already.
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

// writeFile creates one file from the bytes that fetch writes to a sink. Fetch must check them.
func (t *target) writeFile(ctx context.Context, f *manifest.File, fetch func(sink) error) error {
	tmp := temp(f.Name)
	out, err := t.root.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return fmt.Errorf("%s: creating it: %w", f.Name, err)
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
		// From here on, the file under this name is checked and durable.
		err = t.root.Rename(tmp, f.Name)
	}
	if err != nil {
		return errors.Join(err, t.removeEmptied(tmp))
	}
	return nil
}

// hasContent reports whether the target already has the file with the archived content.
func (t *target) hasContent(ctx context.Context, f *manifest.File) (bool, error) {
	info, err := t.root.Lstat(f.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: checking it: %w", f.Name, err)
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
	is, err := bufcopy.Sums(ctx, in, f.Size)
	if err != nil {
		return false, fmt.Errorf("%s: checking it: %w", f.Name, err)
	}
	return is.SHA256 == f.SHA256, nil
}

// syncFile makes the content of an existing file durable, since its writer may not have done so.
func (t *target) syncFile(name string) error {
	f, err := t.root.Open(name)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil && !disk.CannotSync(err) {
		return fmt.Errorf("%s: making it durable: %w", name, err)
	}
	return nil
}

// syncDirs makes every directory durable, deepest first: those of the restored files, and existing ones from
// which this restore or an interrupted one removed files.
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
