package restoredir

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// checkUse returns ErrInUse if a database runs in the target or around it.
func (d *Dir) checkUse(ctx context.Context) error {
	if d.isNew {
		return nil // the locks around it were checked before it was made
	}
	return d.use.all(ctx)
}

// beforeChange is called before a name gets other content or is removed. It returns ErrOccupied if another restore has
// begun there, and ErrInUse if a database runs there: it may have been started since the restore began.
func (d *Dir) beforeChange(ctx context.Context) error {
	if err := d.checkMark(); err != nil || d.fresh {
		return err
	}
	if err := d.use.again(ctx); err != nil {
		return err
	}
	d.changed.Store(true)
	return nil
}

// MkdirAll makes a directory and those above it. Unmark removes those that it has made.
func (d *Dir) MkdirAll(dir string) error {
	if dir == "." || d.isThere[dir] {
		return nil
	}
	if info, err := d.root.Stat(dir); err == nil && info.IsDir() {
		d.noteDir(dir)
		return nil
	}
	if err := d.MkdirAll(path.Dir(dir)); err != nil {
		return err
	}
	err := d.root.Mkdir(dir, 0o700)
	if err == nil {
		d.mkdirs = append(d.mkdirs, dir)
		d.noteDir(dir)
	}
	return err
}

// noteDir notes that a directory exists: a set has few directories and many files.
func (d *Dir) noteDir(dir string) {
	if d.isThere == nil {
		d.isThere = map[string]bool{}
	}
	d.isThere[dir] = true
}

// HasContent reports whether the directory held a file already, whole and as archived.
func (d *Dir) HasContent(ctx context.Context, f *manifest.File) (bool, error) {
	if d.isNew {
		return false, nil
	}
	return d.isRight(ctx, f)
}

// isRight reports whether the directory holds a file, whole and as archived.
func (d *Dir) isRight(ctx context.Context, f *manifest.File) (bool, error) {
	info, err := d.root.Lstat(f.Name)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%s: reading its attributes: %w", f.Name, err)
	}
	if info.IsDir() {
		return false, fmt.Errorf("%w: %s is a directory in the target", ErrOccupied, f.Name)
	}
	if !info.Mode().IsRegular() || info.Size() != f.Size {
		return false, nil
	}
	in, err := d.root.Open(f.Name)
	if err != nil {
		return false, fmt.Errorf("%s: checking it: %w", f.Name, err)
	}
	defer in.Close()
	if info, err = in.Stat(); err != nil {
		return false, fmt.Errorf("%s: checking it: %w", f.Name, err)
	}
	is, err := bufcopy.Sums(ctx, in, f.Size)
	if err != nil {
		return false, fmt.Errorf("%s: checking it: %w", f.Name, err)
	}
	if is.SHA256 != f.SHA256 {
		return false, nil
	}
	d.noteRight(f.Name, info)
	return true, nil
}

// noteRight notes that a file with these attributes is right.
func (d *Dir) noteRight(name string, info fs.FileInfo) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.seen != nil {
		d.seen[name] = sightingOf(info)
	}
}

// confirm checks that each file still is what this restore has found right or has written: without a lock that reaches
// it, another host may have replaced or cut a file since. It reads a file that looks different again.
func (d *Dir) confirm(ctx context.Context) error {
	d.below.close() // the paths count, wherever the open directories are by now
	for i := range d.files {
		f := &d.files[i]
		root, name := d.in(f.Name)
		info, err := root.Lstat(name)
		if err == nil && d.seen[f.Name].isSame(info) {
			continue
		}
		isRight, err := d.isRight(ctx, f)
		if err != nil {
			return err
		}
		if !isRight {
			return fmt.Errorf("%w: another process has changed %s in %s since it was restored",
				ErrOccupied, f.Name, d.work)
		}
		if err := d.syncFile(f.Name); err != nil {
			return err
		}
	}
	return nil
}

// SyncFile makes the content of a file durable that was there already: the process that wrote it may not have done so.
// Commit does that for all at once where it can.
func (d *Dir) SyncFile(name string) error {
	if d.writing.all {
		d.mu.Lock()
		defer d.mu.Unlock()
		d.writing.kept = true
		return nil
	}
	return d.syncFile(name)
}

func (d *Dir) syncFile(name string) error {
	f, err := d.root.Open(name)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil && !disk.CannotSync(err) {
		return fmt.Errorf("%s: making it durable: %w", name, err)
	}
	return nil
}

// WriteFile makes one file of what fetch writes. When fetch returns nil it must have checked the content. Once the file
// is durable it gets its name, and replaces what had that name: at the latest when Commit returns. Until then it has a
// random name, which no other process has opened.
func (d *Dir) WriteFile(ctx context.Context, f *manifest.File, fetch func(*disk.File) error) error {
	if err := context.Cause(d.writing.ctx); err != nil {
		return err
	}
	w := written{file: f, tmp: newTemp(path.Dir(f.Name))}
	root, name := d.in(w.tmp)
	out, err := root.OpenFile(name, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return fmt.Errorf("%s: making it: %w", f.Name, err)
	}
	if err := d.fill(&w, out, fetch); err != nil {
		return d.drop(&w, errors.Join(err, out.Close()))
	}
	return d.makeDurable(ctx, w, out)
}

// fill writes the content and the times of a new file.
func (d *Dir) fill(w *written, out *disk.File, fetch func(*disk.File) error) error {
	if err := fetch(out); err != nil {
		return err
	}
	root, name := d.in(w.tmp)
	if err := root.SetTime(out, name, w.file.Modified); err != nil {
		return fmt.Errorf("%s: setting its time: %w", w.file.Name, err)
	}
	info, err := out.Stat()
	if err != nil {
		return fmt.Errorf("%s: reading its attributes: %w", w.file.Name, err)
	}
	w.seen = sightingOf(info)
	if w.seen.size != w.file.Size {
		return fmt.Errorf("%w: another process has changed %s in %s while it was written: it has %d bytes, not %d",
			ErrOccupied, w.file.Name, d.work, w.seen.size, w.file.Size)
	}
	return nil
}

// RemoveExtra removes the log files that the snapshot does not have, which would be a danger beside the restored set.
// It returns those that it has removed, also with an error.
func (d *Dir) RemoveExtra(ctx context.Context) (removed []string, err error) {
	for _, name := range d.extra {
		if err := d.beforeChange(ctx); err != nil {
			return removed, err
		}
		if err := d.root.Remove(name); err != nil {
			return removed, fmt.Errorf("removing %s: %w", name, err)
		}
		removed = append(removed, name)
	}
	return removed, nil
}

// removeEmptied removes a file, which may be gone already.
func (d *Dir) removeEmptied(name string) error {
	if err := d.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// newTemp returns a random name for a file while it is made, in the directory of the file itself. Two restores never
// write to one file.
func newTemp(dir string) string {
	var random [8]byte
	_, _ = rand.Read(random[:]) // never fails
	return path.Join(dir, tempPrefix+hex.EncodeToString(random[:])+tempSuffix)
}

func isTemp(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(base, tempPrefix) && strings.HasSuffix(base, tempSuffix)
}
