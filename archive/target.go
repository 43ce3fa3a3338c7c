package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

const (
	// IncompleteMarker stands in a directory from the first byte of a restore into it
	// until the last.
	IncompleteMarker = "RESTORE-INCOMPLETE"
	// PartialSuffix is added to the name of a directory that does not exist yet, while
	// a restore makes it.
	PartialSuffix = ".strongroom-partial"
	// CompleteSuffix is added to the name of a new directory for a file that lies beside it
	// while it gets its name. By this file the next restore recognizes what lies under the
	// partial name, which has no marker any more.
	CompleteSuffix = ".strongroom-complete"

	lostFound = "lost+found" // is in the top of an empty ext4, and nobody but root may read it

	tempPrefix = ".strongroom-"
	tempSuffix = ".tmp"
)

// A target is the directory of a restore. Everything is done through root, which no
// name can leave, be it by dots or by symbolic links that lie there.
type target struct {
	dir   string // where the restored set will be
	work  string // where it is made: dir itself, or beside it
	root  *disk.Root
	lock  *disk.File // the directory, locked against a second restore
	fresh bool       // work is renamed to dir at the end
	isNew bool       // work did not exist before: no other process has a file of it
	began bool       // a restore of ours had begun here before

	use     *useCheck
	was     []byte      // the marker that lay there, nil: none
	last    *marker     // what it says, nil: nothing that can be read
	next    marker      // what this restore's marker says of the directory
	mkdirs  []string    // directories that were made for the files, in that order
	dirs    []string    // directories that were there
	changed atomic.Bool // a name in dir has other content than before, or has gone
}

// openTarget looks at the target, refuses it if a restore must not touch it, and
// makes and locks it.
func openTarget(dir string, m *manifest.Manifest, o *RestoreOptions) (*target, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("the target %s: %w", dir, err)
	}
	t := &target{dir: dir, work: dir}
	if t.fresh, err = examine(dir, m, o); err != nil {
		return nil, err
	}
	if t.fresh {
		t.work += PartialSuffix
	}
	t.use = newUseCheck(t.work)
	if t.fresh {
		if err := t.use.locks(); err != nil {
			return nil, err
		}
		if err := disk.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return nil, fmt.Errorf("making the target's parent: %w", err)
		}
		err := disk.NewDir(t.work, 0o700)
		if t.isNew = err == nil; err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("making the target: %w", err)
		}
		if info, err := os.Lstat(t.work); err != nil || !info.IsDir() {
			return nil, inTheWay(t.work)
		}
	}
	if t.root, err = disk.OpenRoot(t.work); err != nil {
		return nil, fmt.Errorf("opening the target: %w", err)
	}
	if err := t.acquireLock(m, o.Include); err != nil {
		t.close()
		return nil, err
	}
	return t, nil
}

func inTheWay(work string) error {
	return fmt.Errorf("%w: %s is in the way and is no directory of a restore; remove it", ErrOccupied, work)
}

// examine says whether dir has to be made, or fails if it may not be used.
func examine(dir string, m *manifest.Manifest, o *RestoreOptions) (fresh bool, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(dir); err == nil {
			return false, fmt.Errorf("%w: %s is a link that leads nowhere; remove it", ErrOccupied, dir)
		}
		return true, nil
	case err != nil:
		return false, fmt.Errorf("looking at the target: %w; give a directory that is empty or does not exist yet", err)
	}
	k, isMarked := markerIn(dir)
	if o.Overwrite || isMarked && k.goesOn(m, o.Include) {
		return false, nil
	}
	entries = slices.DeleteFunc(entries, isOfRestore)
	if len(entries) == 0 {
		return false, nil
	}
	// To replace what is there is no way out where a database runs.
	if err := newUseCheck(dir).locks(); err != nil {
		return false, err
	}
	if isMarked && k.isLike(m, o.Include) && !k.Occupied && k.Sequence > m.Sequence {
		return false, fmt.Errorf("%w: %s holds %s, and a restore of snapshot %d was interrupted there, which is newer; "+
			"restore that one, choose a new directory, or replace what is there (--overwrite)",
			ErrOccupied, dir, some(entries), k.Sequence)
	}
	return false, fmt.Errorf("%w: %s holds %s; choose a new directory, or replace what is there (--overwrite)", ErrOccupied, dir, some(entries))
}

func some(entries []os.DirEntry) string {
	if n := len(entries) - 1; n > 0 {
		return fmt.Sprintf("%s and %d more", entries[0].Name(), n)
	}
	return entries[0].Name()
}

// acquireLock takes the lock.
func (t *target) acquireLock(m *manifest.Manifest, include []string) error {
	var err error
	if t.lock, err = t.root.Open("."); err != nil {
		return fmt.Errorf("locking the target: %w", err)
	}
	if err := unix.Flock(int(t.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return fmt.Errorf("%w: another restore is writing to %s", ErrOccupied, t.work)
	}
	// Whoever held the lock may have finished meanwhile and given the directory its
	// name: then this is no longer the place of a restore.
	mine, err1 := t.lock.Stat()
	there, err2 := os.Stat(t.work)
	if err1 != nil || err2 != nil || !os.SameFile(mine, there) {
		return fmt.Errorf("%w: another restore has just ended in %s", ErrOccupied, t.work)
	}
	return t.readMarker(m, include)
}

// abandon removes a new directory that nothing was written to.
func (t *target) abandon() {
	if t.fresh && !t.began {
		disk.RemoveName(t.work) // it fails, as it should, where something lies in it
	}
}

func (t *target) close() {
	if t.lock != nil {
		// A process that is just being started has the descriptor, too, until it executes its
		// program: closing it here would leave the lock for that moment.
		unix.Flock(int(t.lock.Fd()), unix.LOCK_UN)
		t.lock.Close()
	}
	t.root.Close()
}

// syncDir makes the names in a directory durable.
func (t *target) syncDir(name string) error {
	d, err := t.root.Open(name)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}

// temp is the name under which a file is made, in the directory of the file itself.
func temp(name string) string {
	return path.Join(path.Dir(name), tempPrefix+manifest.Sum([]byte(name)).String()[:16]+tempSuffix)
}

func isTemp(name string) bool {
	base := path.Base(name)
	return strings.HasPrefix(base, tempPrefix) && strings.HasSuffix(base, tempSuffix)
}

// finish takes the marker away and gives a new directory its name.
func (t *target) finish() error {
	var err error
	if t.fresh {
		err = t.noteComplete()
	} else {
		err = t.root.Remove(IncompleteMarker)
	}
	if err == nil {
		err = t.syncDir(".")
	}
	if err != nil {
		return fmt.Errorf("removing %s: %w", IncompleteMarker, err)
	}
	if !t.fresh {
		forgetComplete(t.dir)
		return syncAbove(t.dir)
	}
	// A crash before this leaves a complete set under the partial name, which the next
	// run checks and renames.
	if err := disk.RenameNew(t.work, t.dir); err != nil {
		if errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) {
			err = disk.RenameOver(t.work, t.dir) // fails on anything but an empty directory
		}
		if err != nil {
			return fmt.Errorf("the restored set is complete in %s and cannot be renamed to %s: %w", t.work, t.dir, err)
		}
	}
	err = syncAbove(t.dir)
	forgetComplete(t.dir)
	return err
}

// syncAbove makes the name of a directory durable, and the names of those above it,
// which may have been made for it.
func syncAbove(dir string) error {
	for dir != filepath.Dir(dir) {
		dir = filepath.Dir(dir)
		d, err := disk.OpenDir(dir)
		if errors.Is(err, fs.ErrPermission) {
			return nil // nothing was made there
		}
		if err == nil {
			err = d.Sync()
			d.Close()
		}
		if err != nil && !disk.CannotSync(err) && !errors.Is(err, unix.EROFS) { // which above the target is no loss
			return fmt.Errorf("making the target's name durable: %w", err)
		}
	}
	return nil
}

// alreadyThere reports whether a directory holds just these files, every one right: then
// an earlier restore was stopped after all was done. It writes nothing, makes durable what is
// there, and removes what that restore left beside it.
func alreadyThere(ctx context.Context, dir string, files []manifest.File) (bool, error) {
	if info, err := os.Stat(dir); err != nil || !info.IsDir() || len(files) == 0 {
		return false, nil
	}
	root, err := disk.OpenRoot(dir)
	if err != nil {
		return false, fmt.Errorf("opening the target: %w", err)
	}
	defer root.Close()
	t := &target{root: root}
	belong, met, others := names(files), 0, false
	err = t.walk(func(name string) error {
		if !belong[name] {
			others = true
			return fs.SkipAll
		}
		met++
		return nil
	})
	if err != nil || others || met != len(files) {
		return false, err
	}
	for i := range files {
		if right, err := t.hasContent(ctx, &files[i]); err != nil || !right {
			return false, err
		}
		if err := t.syncFile(files[i].Name); err != nil {
			return false, err
		}
	}
	// The earlier restore may have been stopped before that.
	if err := t.syncDirs(files); err != nil && !disk.CannotSync(err) {
		return false, fmt.Errorf("making the restored names durable: %w", err)
	}
	forgetComplete(filepath.Clean(dir))
	return true, syncAbove(dir)
}
