// Package restoredir writes the directory that a restore fills. It locks the directory against a second restore,
// refuses one that holds other files or where a database runs, marks it as incomplete until all files are durable, and
// gives a new directory its name at the end. It has no code of archives: the caller fetches the content.
//
// A restore calls Open, Begin, then for each file HasContent and SyncFile or WriteFile, then Commit, RemoveExtra, Finish
// and Close. Each error leaves the directory so that the same restore can continue later.
package restoredir

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Errors of this package, for errors.Is.
var (
	// ErrOccupied reports that a restore would mix with what the target holds.
	ErrOccupied = errors.New("the target is occupied")
	// ErrInUse reports that a database may be running where a restore would write.
	ErrInUse = errors.New("the target is in use")
	// ErrNoSpace reports that the target has no room for the restore.
	ErrNoSpace = errors.New("not enough space")
)

const (
	// IncompleteMarker is a file in the directory from the first byte of a restore until the last.
	IncompleteMarker = "RESTORE-INCOMPLETE"
	// PartialSuffix is added to the name of a directory that does not exist yet, while a restore makes it.
	PartialSuffix = ".strongroom-partial"
	// CompleteSuffix is added to the name of a new directory, for a file beside it, while the directory gets its
	// name. By this file the next restore recognizes the directory with the partial name, which has no marker any
	// more.
	CompleteSuffix = ".strongroom-complete"

	lostFound = "lost+found" // is in the root of an empty ext4, and only root may read it

	tempPrefix = ".strongroom-"
	tempSuffix = ".tmp"
)

// Options are what the caller of a restore allows.
type Options struct {
	Include     []string // the patterns that selected the files; none: the whole snapshot
	Overwrite   bool     // the directory may hold other files
	DeleteExtra bool     // log files that the snapshot does not have are removed
	Also        []string // other archives of the same database, whose interrupted restores may be continued
}

// A Dir is the directory of one restore. Everything is done through root, which no name can leave, be it by dots or by
// symbolic links in the directory. WriteFile, ReplaceShared, HasContent and SyncFile may be called
// concurrently.
type Dir struct {
	m     *manifest.Manifest // the snapshot
	files []manifest.File    // of it, to restore
	o     Options

	dir   string // where the restored set will be
	work  string // where it is made: dir itself, or beside it
	root  *disk.Root
	below subdirs
	lock  *disk.File // the directory, locked against a second restore
	fresh bool       // work is renamed to dir at the end
	isNew bool       // work did not exist before: no other process has a file of it
	began bool       // a restore of ours had begun here before

	isPreview bool // nothing may be changed

	use     *useCheck
	begun   *disk.File      // the marker of an interrupted restore, locked; nil: none
	was     []byte          // its content
	last    *marker         // the same, nil: nothing that can be read
	next    marker          // what this restore's marker records of the directory
	mark    *disk.File      // this restore's marker, locked; nil: none yet
	markID  fileID          // the marker in the directory that this restore has read or written; zero: none
	mkdirs  []string        // directories that were made for the files, in that order
	isThere map[string]bool // directories that MkdirAll has made or found
	dirs    []string        // directories that were there
	extra   []string        // files that RemoveExtra removes
	changed atomic.Bool     // a name in dir has other content than before, or has gone

	sized int64 // bytes of the files that are there and have the right size
	spare int64 // bytes that are free beyond what is to be written in any case; zero or less if that is unknown

	mu      sync.Mutex
	seen    map[string]sighting // the files that are right
	writing writing

	ownerOnce sync.Once // for what a new file in the directory is like
	ownerInfo fs.FileInfo
	ownerErr  error
}

// Open makes and locks a directory for a restore of these files of m. It returns ErrOccupied or ErrInUse for one that
// the restore must not change. The caller must close the Dir.
func Open(ctx context.Context, dir string, m *manifest.Manifest, files []manifest.File, o Options) (*Dir, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("the target %s: %w", dir, err)
	}
	d := &Dir{m: m, files: files, o: o, dir: dir, work: dir, seen: make(map[string]sighting, len(files))}
	if d.fresh, err = examine(ctx, dir, m, files, &o); err != nil {
		return nil, err
	}
	if d.fresh {
		d.work += PartialSuffix
	}
	d.use = newUseCheck(d.work)
	if d.fresh {
		if err := d.use.locks(); err != nil {
			return nil, err
		}
		if err := disk.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
			return nil, fmt.Errorf("making the target's parent: %w", err)
		}
		err := disk.NewDir(d.work, 0o700)
		if d.isNew = err == nil; err != nil && !errors.Is(err, fs.ErrExist) {
			return nil, fmt.Errorf("making the target: %w", err)
		}
		if info, err := os.Lstat(d.work); err != nil || !info.IsDir() {
			return nil, inTheWay(d.work)
		}
	}
	if d.root, err = disk.OpenRoot(d.work); err != nil {
		return nil, fmt.Errorf("opening the target: %w", err)
	}
	if err := d.acquireLock(); err != nil {
		if d.isNew {
			d.abandon()
		}
		d.Close()
		return nil, err
	}
	return d, nil
}

func inTheWay(work string) error {
	return fmt.Errorf("%w: %s is in the way and is no directory of a restore; remove it", ErrOccupied, work)
}

// examine reports whether dir must be made, or returns an error if it must not be used.
func examine(
	ctx context.Context, dir string, m *manifest.Manifest, files []manifest.File, o *Options,
) (fresh bool, err error) {
	entries, err := os.ReadDir(dir)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if _, err := os.Lstat(dir); err == nil {
			return false, fmt.Errorf("%w: %s is a link that leads nowhere; remove it", ErrOccupied, dir)
		}
		return true, nil
	case err != nil:
		return false, fmt.Errorf("reading the target: %w; give a directory that is empty or does not exist yet", err)
	}
	k, isMarked := markerIn(dir)
	if o.Overwrite || k != nil && k.continues(m, o) {
		return false, nil
	}
	entries = slices.DeleteFunc(entries, isOfRestore)
	if len(entries) == 0 {
		return false, nil
	}
	if isMarked && k == nil { // what is right was restored or is the user's, and stays as it is
		if isRight, err := holdsOnly(ctx, dir, files); err != nil || isRight {
			return false, err
		}
	}
	// Where a database runs, the error must not suggest to replace its files.
	if err := newUseCheck(dir).locks(); err != nil {
		return false, err
	}
	if k != nil && k.isLike(m, o) && !k.Occupied && k.lastOf(m.Archive) > m.Sequence {
		return false, fmt.Errorf("%w: %s holds %s, and a restore of snapshot %d was interrupted there, which is newer; "+
			"restore that one, choose a new directory, or replace what is there (--overwrite)",
			ErrOccupied, dir, some(entries), k.lastOf(m.Archive))
	}
	return false, fmt.Errorf("%w: %s holds %s; choose a new directory, or replace what is there (--overwrite)",
		ErrOccupied, dir, some(entries))
}

func some(entries []os.DirEntry) string {
	if n := len(entries) - 1; n > 0 {
		return fmt.Sprintf("%s and %d more", entries[0].Name(), n)
	}
	return entries[0].Name()
}

// Begin prepares the directory for the files: it checks that no database runs there, that it holds nothing which must
// not be removed, and that the files have room; then it marks the directory as incomplete. After an error the directory
// is as it was, or marked.
func (d *Dir) Begin(ctx context.Context) error {
	var remove []string
	err := d.checkUse(ctx)
	if err == nil {
		remove, d.extra, err = d.inspect()
	}
	if err == nil {
		err = d.checkSpace()
	}
	if err == nil {
		err = d.placeMarker()
	}
	if err != nil {
		d.abandon()
		return err
	}
	for _, name := range remove {
		if err := d.removeEmptied(name); err != nil { // a file may have gone on its own
			return fmt.Errorf("removing %s: %w", name, err)
		}
	}
	d.startWriting(ctx)
	return nil
}

// checkSpace compares what is still to be written with what the file system has free.
func (d *Dir) checkSpace() error {
	var need int64
	for i := range d.files {
		// A file with a second name is replaced, which frees nothing.
		if d.isNew {
			need += d.files[i].Size
			continue
		}
		info, err := d.root.Lstat(d.files[i].Name)
		if err != nil || info.Size() != d.files[i].Size || linksOf(info) > 1 {
			need += d.files[i].Size
		} else {
			d.sized += d.files[i].Size
		}
	}
	// Where the free space is not known, a write to a full file system fails.
	free, isKnown := disk.Free(d.work)
	d.spare = free - need
	if isKnown && free < need {
		return fmt.Errorf("%w: %s needs %.1f MiB more and has %.1f MiB free",
			ErrNoSpace, d.dir, float64(need)/(1<<20), float64(free)/(1<<20))
	}
	return nil
}

// abandon removes a new directory that nothing was written to.
func (d *Dir) abandon() {
	if d.fresh && !d.began {
		disk.RemoveName(d.work) // fails, as it should, if anything is in it
	}
}

// Close unlocks the directory.
func (d *Dir) Close() {
	closeMarker(d.mark)
	closeMarker(d.begun)
	if d.lock != nil {
		unix.Flock(int(d.lock.Fd()), unix.LOCK_UN) // as unlockFile does, and for the same reason
		d.lock.Close()
	}
	d.below.close()
	d.root.Close()
}
