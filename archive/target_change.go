package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"slices"
)

// checkUse returns ErrInUse if a database runs in the target or around it.
func (t *target) checkUse(ctx context.Context) error {
	if t.isNew {
		return nil // the locks around it were checked before it was made
	}
	return t.use.all(ctx)
}

// beforeChange is called before a name gets other content or goes. It returns ErrInUse if a
// database runs there: it may have been started since the restore began.
func (t *target) beforeChange(ctx context.Context) error {
	if t.fresh {
		return nil
	}
	if err := t.use.again(ctx); err != nil {
		return err
	}
	t.changed.Store(true)
	return nil
}

// unmark leaves an existing directory as it was, if no name in it was changed.
func (t *target) unmark() error {
	if t.fresh || t.changed.Load() {
		return nil
	}
	for _, dir := range slices.Backward(t.mkdirs) {
		t.root.Remove(dir) // it fails, as it should, where something lies in it
	}
	err := error(nil)
	if t.was != nil {
		err = t.writeMarker(t.was)
	} else if err = t.root.Remove(IncompleteMarker); err == nil {
		err = t.syncDir(".")
	}
	if err != nil {
		return fmt.Errorf("taking %s away: %w", IncompleteMarker, err)
	}
	return nil
}

// mkdirAll makes a directory and those above it, and remembers which it has made.
func (t *target) mkdirAll(dir string) error {
	if dir == "." {
		return nil
	}
	if info, err := t.root.Stat(dir); err == nil && info.IsDir() {
		return nil
	}
	if err := t.mkdirAll(path.Dir(dir)); err != nil {
		return err
	}
	err := t.root.Mkdir(dir, 0o700)
	if err == nil {
		t.mkdirs = append(t.mkdirs, dir)
	}
	return err
}

// writeMarker makes the marker say b, in one step: after a power loss half of one would
// not show whose restore it is, and the same command would refuse to go on.
func (t *target) writeMarker(b []byte) error {
	if info, err := t.root.Lstat(IncompleteMarker); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is in the way and is no file; remove it", ErrOccupied, IncompleteMarker)
	}
	tmp := temp(IncompleteMarker)
	f, err := t.root.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = t.root.Rename(tmp, IncompleteMarker)
	}
	if err != nil {
		return errors.Join(err, t.removeEmptied(tmp))
	}
	return t.syncDir(".")
}

// removeEmptied removes a file that may have gone.
func (t *target) removeEmptied(name string) error {
	if err := t.root.Remove(name); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// removeForeign removes what would be a danger beside the restored set.
func (t *target) removeForeign(ctx context.Context, foreign []string, res *RestoreResult) error {
	for _, name := range foreign {
		if err := t.beforeChange(ctx); err != nil {
			return err
		}
		if err := t.root.Remove(name); err != nil {
			return fmt.Errorf("removing %s: %w", name, err)
		}
		res.Removed = append(res.Removed, name)
	}
	return nil
}
