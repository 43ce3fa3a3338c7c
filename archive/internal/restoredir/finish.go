package restoredir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Unmark restores an existing directory to what it was before Begin, unless a name in it was changed. It is for a
// restore that ended with ErrInUse.
func (d *Dir) Unmark() error {
	if d.fresh || d.changed.Load() || d.mark == nil {
		return nil
	}
	if err := d.checkMark(); err != nil {
		return err
	}
	for _, dir := range slices.Backward(d.mkdirs) {
		d.root.Remove(dir) // fails, as it should, if anything is in it
	}
	err := error(nil)
	if d.was != nil {
		err = d.writeMarker(d.was)
	} else if err = d.root.Remove(IncompleteMarker); err == nil {
		err = d.syncDir(".")
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", IncompleteMarker, err)
	}
	return nil
}

// syncDirs makes every directory durable, deepest first: those of the restored files, and those that were there before,
// from which this restore or an interrupted one removed files.
func (d *Dir) syncDirs(files []manifest.File) error {
	dirs := map[string]bool{".": true}
	for _, dir := range d.dirs {
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
		if err := d.syncDir(dir); err != nil {
			return err
		}
	}
	return nil
}

// Finish checks that no other process has changed the restored files, makes their names durable, removes the marker,
// and gives a new directory its name.
func (d *Dir) Finish(ctx context.Context) error {
	if err := d.confirm(ctx); err != nil {
		return err
	}
	if err := d.syncDirs(d.files); err != nil {
		return fmt.Errorf("making the restored names durable: %w", err)
	}
	err := d.checkMark()
	if err != nil {
		return err
	}
	if d.fresh {
		err = d.noteComplete()
	} else {
		err = d.root.Remove(IncompleteMarker)
	}
	if err == nil {
		err = d.syncDir(".")
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", IncompleteMarker, err)
	}
	if !d.fresh {
		forgetComplete(d.dir)
		return syncAbove(d.dir)
	}
	// A crash before this leaves a complete set under the partial name, which the next run checks and renames.
	if err := disk.RenameNew(d.work, d.dir); err != nil {
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			err = disk.RenameOver(d.work, d.dir) // fails on anything but an empty directory
		}
		if err != nil {
			return fmt.Errorf("the restored set is complete in %s and cannot be renamed to %s: %w", d.work, d.dir, err)
		}
	}
	err = syncAbove(d.dir)
	forgetComplete(d.dir)
	return err
}

// syncDir makes the names in a directory durable.
func (d *Dir) syncDir(name string) error {
	f, err := d.root.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// syncAbove makes the name of a directory durable, and the names of those above it, which may have been made for it.
func syncAbove(dir string) error {
	for dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		f, err := disk.OpenDir(dir)
		if errors.Is(err, fs.ErrPermission) {
			return nil // nothing was made there
		}
		if err == nil {
			err = f.Sync()
			f.Close()
		}
		if err != nil && !disk.CannotSync(err) && !errors.Is(err, unix.EROFS) { // above the target that is no loss
			return fmt.Errorf("making the target's name durable: %w", err)
		}
	}
	return nil
}

// AlreadyThere reports whether a directory holds exactly these files, each with its content: then an earlier restore
// was stopped after all was done. It writes nothing, makes the files durable, and removes what that restore left
// beside the directory. A file with a second name is of no restore; nor is, without o.Overwrite, one that belongs
// neither to this user nor to the directory's owner. With o.Overwrite, each file must be one that ReplaceShared keeps.
func AlreadyThere(ctx context.Context, dir string, files []manifest.File, o Options) (bool, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() || len(files) == 0 {
		return false, nil
	}
	root, err := disk.OpenRoot(dir)
	if err != nil {
		return false, fmt.Errorf("opening the target: %w", err)
	}
	defer root.Close()
	d := &Dir{root: root, work: dir, isPreview: true}
	there, temps, isOnly, err := d.compareNames(files, false)
	if err != nil || !isOnly || len(there) != len(files) {
		return false, err
	}
	if isKept, err := d.areKept(there, o.Overwrite); err != nil || !isKept {
		return false, err
	}
	d.isPreview = false
	for _, f := range there {
		if same, err := d.HasContent(ctx, f); err != nil || !same {
			return false, err
		}
		if err := d.syncFile(f.Name); err != nil {
			return false, err
		}
	}
	for _, name := range temps {
		err := d.checkTemp(name)
		if err == nil {
			err = d.removeEmptied(name)
		}
		if err != nil {
			return false, fmt.Errorf("removing %s: %w", name, err)
		}
	}
	// The earlier restore may have been stopped before that.
	if err := d.syncDirs(files); err != nil && !disk.CannotSync(err) {
		return false, fmt.Errorf("making the restored names durable: %w", err)
	}
	forgetComplete(filepath.Clean(dir))
	return true, syncAbove(dir)
}
