package restoredir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// An fsync of each file costs more than its content if the files are small. Where the file system can store all writes
// at once, a batch of files is written, made durable by one syncfs(2), and only then gets its names. Elsewhere, and for
// few files, each file is synced by itself, several at once.

// Limits of a batch: a kill or a power loss costs no more than what it has.
const (
	batchFiles = 10_000
	batchBytes = 4 << 30
	batchTime  = 30 * time.Second
)

const (
	// syncsAtOnce bounds the files that are synced at once.
	syncsAtOnce = 16
	// renamesPerCheck is how many files get their names after one check that nothing else has begun in the directory.
	renamesPerCheck = 100
)

// written is a file that has its content, and is not durable yet.
type written struct {
	file *manifest.File
	tmp  string // its name until it is durable
	seen sighting
}

// batch has the files that the next syncfs makes durable.
type batch struct {
	files []written
	bytes int64
	since time.Time // when the first was added
}

func (b *batch) isFull() bool {
	return len(b.files) >= batchFiles || b.bytes >= batchBytes || time.Since(b.since) >= batchTime
}

// writing is how a restore makes its files durable.
type writing struct {
	all   bool // by syncfs
	batch batch
	kept  bool            // files that were there are to be made durable, too
	each  *errgroup.Group // of the files that are synced by themselves
	ctx   context.Context // ends when one of them fails

	syncing sync.Mutex
	failed  error // of the first syncfs that failed
}

// startWriting chooses how the files become durable. The descriptor of the lock is older than all writes, so that a
// syncfs on it reports each error of them.
func (d *Dir) startWriting(ctx context.Context) {
	d.writing.all = d.isOneFileSystem() && d.hasRoomForBatch() && d.lock.CanSyncAll(len(d.files))
	d.syncEach(ctx)
}

func (d *Dir) syncEach(ctx context.Context) {
	d.writing.each, d.writing.ctx = errgroup.WithContext(ctx)
	d.writing.each.SetLimit(syncsAtOnce)
}

// isOneFileSystem reports whether all directories of the files are on the file system of the target: a syncfs reaches
// one.
func (d *Dir) isOneFileSystem() bool {
	top, err := d.lock.Stat()
	if err != nil {
		return false
	}
	isChecked := map[string]bool{".": true}
	for i := range d.files {
		for dir := path.Dir(d.files[i].Name); !isChecked[dir]; dir = path.Dir(dir) {
			isChecked[dir] = true
			info, err := d.root.Stat(dir)
			if errors.Is(err, fs.ErrNotExist) {
				continue // it is made on the file system of the one above it
			}
			if err != nil || idOf(info).dev != idOf(top).dev {
				return false
			}
		}
	}
	return true
}

// hasRoomForBatch reports whether a batch fits beside the files that it replaces: these stay until it is durable.
func (d *Dir) hasRoomForBatch() bool {
	return d.sized == 0 || d.spare >= min(d.sized, batchBytes)
}

// makeDurable makes a written file durable and gives it its name: now, by itself, or later, with others. It closes out.
func (d *Dir) makeDurable(ctx context.Context, w written, out *disk.File) error {
	if !d.writing.all {
		whole := context.WithoutCancel(ctx) // an interrupted restore keeps the files that are whole
		d.writing.each.Go(func() error { return d.commitOne(whole, &w, out) })
		return nil
	}
	if err := out.Close(); err != nil {
		return d.drop(&w, fmt.Errorf("%s: closing it: %w", w.file.Name, err))
	}
	d.mu.Lock()
	b := &d.writing.batch
	if len(b.files) == 0 {
		b.since = time.Now()
	}
	b.files, b.bytes = append(b.files, w), b.bytes+w.file.Size
	var full []written
	if b.isFull() {
		full, *b = b.files, batch{}
	}
	d.mu.Unlock()
	return d.commitBatch(ctx, full)
}

// commitOne syncs one file and gives it its name.
func (d *Dir) commitOne(ctx context.Context, w *written, out *disk.File) error {
	err := out.Sync()
	if err != nil {
		err = fmt.Errorf("%s: making it durable: %w", w.file.Name, err)
	}
	if closeErr := out.Close(); err == nil && closeErr != nil {
		err = fmt.Errorf("%s: closing it: %w", w.file.Name, closeErr)
	}
	if err == nil {
		err = d.beforeChange(ctx)
	}
	if err == nil {
		err = d.giveName(w)
	}
	if err != nil {
		return d.drop(w, err)
	}
	return nil
}

// commitBatch makes files durable together, and gives them their names.
func (d *Dir) commitBatch(ctx context.Context, files []written) error {
	if len(files) == 0 {
		return nil
	}
	err := d.syncAll(ctx)
	for i := range files {
		if err == nil && i%renamesPerCheck == 0 {
			err = d.beforeChange(ctx)
		}
		if err == nil {
			err = d.giveName(&files[i])
		}
		if err != nil {
			_ = d.drop(&files[i], nil) // the next restore removes it
		}
	}
	return err
}

// syncAll makes everything durable that was written so far. A file system reports a failed write once, to whichever
// syncfs comes next, and that may be of another file's batch. So after one failure no batch is durable.
func (d *Dir) syncAll(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	w := &d.writing
	w.syncing.Lock()
	defer w.syncing.Unlock()
	if w.failed == nil {
		if err := d.lock.SyncAll(); err != nil {
			w.failed = fmt.Errorf("making the files in %s durable: %w", d.work, err)
		}
	}
	return w.failed
}

// giveName gives a durable file its name. From then on the name means content that was checked and is durable.
func (d *Dir) giveName(w *written) error {
	if err := d.checkWritten(w); err != nil {
		return err
	}
	root, tmp := d.in(w.tmp)
	if err := root.RenameFile(tmp, path.Join(path.Dir(tmp), path.Base(w.file.Name))); err != nil {
		return err
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen[w.file.Name] = w.seen
	return nil
}

// checkWritten returns an error if a name is not that of the file which was written, or if the file has another size:
// another process has changed it.
func (d *Dir) checkWritten(w *written) error {
	root, name := d.in(w.tmp)
	there, err := root.Lstat(name)
	if err != nil {
		return fmt.Errorf("%s: reading its attributes: %w", w.file.Name, err)
	}
	if is := sightingOf(there); is.id != w.seen.id || is.size != w.file.Size {
		return fmt.Errorf("%w: another process has changed %s in %s while it was written: it has %d bytes, not %d",
			ErrOccupied, w.file.Name, d.work, there.Size(), w.file.Size)
	}
	return nil
}

// drop removes a file that does not get its name because of err, and returns that error. If another restore has begun,
// which removes what it takes for the rest of an interrupted one, the error is ErrOccupied.
func (d *Dir) drop(w *written, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if other := d.checkMark(); other != nil {
			err = other
		}
	}
	return errors.Join(err, d.removeEmptied(w.tmp))
}

// Commit waits until all written files are durable and have their names. It must not run at the same time as WriteFile.
// After a failed WriteFile it keeps what the others have written, so that the same restore can continue with it.
func (d *Dir) Commit(ctx context.Context) error {
	err := d.writing.each.Wait()
	d.syncEach(ctx)
	d.mu.Lock()
	rest, isKept := d.writing.batch.files, d.writing.kept
	d.writing.batch = batch{}
	d.mu.Unlock()
	if isKept && len(rest) == 0 {
		return errors.Join(err, d.syncAll(ctx))
	}
	return errors.Join(err, d.commitBatch(ctx, rest))
}
