package restoredir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// marker is the content of IncompleteMarker.
type marker struct {
	Archive  string   `json:"archive"`
	Sequence int64    `json:"sequence"`
	Include  []string `json:"include,omitempty"` // what was to be restored, if not all
	Note     string   `json:"note"`
	// Snapshots are those whose restores were interrupted here, and last the one that the marker is of. Files of each
	// of them may be there. Markers of older versions do not have it.
	Snapshots []Begun `json:"snapshots,omitempty"`
	// Occupied: the directory held other files when the first of the restores began that this one continues. Then each
	// of them must be allowed to replace files.
	Occupied bool `json:"occupied,omitempty"`
	// Made names the files that these restores were to make, and that were not there before. A restore that continues
	// them may remove those. Markers of older versions do not have it.
	Made []string `json:"made,omitempty"`
	// Replaced names the files that were there before and that these restores were to replace: each has its old content
	// or that of one of the snapshots.
	Replaced []string `json:"replaced,omitempty"`
}

// Begun is a snapshot whose restore has begun in a directory.
type Begun = values.Begun

// maxMarker bounds the bytes of a marker in memory. A marker has the name of each file of a snapshot.
const maxMarker = 256 << 20

// parseMarker reads a marker. A restore of an older version that was interrupted while it wrote may have left less than
// a marker, or the end of an older and longer one behind it.
func parseMarker(b []byte) (k marker, ok bool) {
	err := json.NewDecoder(bytes.NewReader(b)).Decode(&k)
	return k, err == nil
}

// isOf reports whether the marker is of a restore from the archive, or from another archive of the same database.
func (k *marker) isOf(archive string, o *Options) bool {
	return k.Archive == archive || slices.Contains(o.Also, k.Archive) ||
		slices.ContainsFunc(k.Snapshots, func(b Begun) bool { return b.Archive == archive })
}

// isLike reports whether the marker is of a restore of the same files of the database, of this or another snapshot: the
// same command restores a newer one once there is one, or from another archive if the first cannot be read.
func (k *marker) isLike(m *manifest.Manifest, o *Options) bool {
	return k.isOf(m.Archive, o) && slices.Equal(k.Include, o.Include)
}

// continues reports whether a restore of m that may replace nothing can continue the one of the marker. It never
// continues with an older snapshot.
func (k *marker) continues(m *manifest.Manifest, o *Options) bool {
	last := k.lastOf(m.Archive)
	return k.isLike(m, o) && !k.Occupied && (last == m.Sequence || last < m.Sequence && !k.isOld())
}

// lastOf returns the greatest number of a snapshot of an archive whose restore was interrupted, or 0.
func (k *marker) lastOf(archive string) (last int64) {
	for _, b := range k.begun() {
		if b.Archive == archive {
			last = max(last, b.Sequence)
		}
	}
	return last
}

// begun returns the snapshots whose restores were interrupted.
func (k *marker) begun() []Begun {
	if len(k.Snapshots) == 0 {
		return []Begun{{Archive: k.Archive, Sequence: k.Sequence}}
	}
	return k.Snapshots
}

// isOld reports whether the marker is of a version that did not record what is made.
func (k *marker) isOld() bool { return len(k.Made) == 0 && !k.Occupied && len(k.Snapshots) == 0 }

// markerIn reads the marker in a directory. isThere reports whether there is one; k is nil if it cannot be read.
func markerIn(dir string) (k *marker, isThere bool) {
	name := filepath.Join(dir, IncompleteMarker)
	if info, err := os.Lstat(name); err != nil || !info.Mode().IsRegular() || info.Size() > maxMarker {
		return nil, err == nil
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, true
	}
	if found, ok := parseMarker(b); ok {
		k = &found
	}
	return k, true
}

// isOfRestore reports whether an entry of a target may be there although no restore has made a file: the directory of
// the file system, the marker, or a temporary file.
func isOfRestore(e os.DirEntry) bool {
	return e.IsDir() && e.Name() == lostFound || e.Name() == IncompleteMarker || e.Type().IsRegular() && isTemp(e.Name())
}

// isEmpty reports whether the target holds nothing yet.
func (d *Dir) isEmpty() bool {
	entries, err := fs.ReadDir(d.root.FS(), ".")
	return err == nil && !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !isOfRestore(e) })
}

// readMarker reads and locks the marker of an interrupted restore. If that was interrupted while it gave the directory
// its name, the marker is beside the directory.
func (d *Dir) readMarker() error {
	err := d.openMarker()
	if errors.Is(err, fs.ErrNotExist) {
		if !d.fresh {
			return nil
		}
		if err := d.openComplete(); err != nil || d.begun == nil {
			return err
		}
	} else if err != nil {
		return err
	}
	d.began = true
	if d.was, err = io.ReadAll(io.LimitReader(d.begun, maxMarker)); err != nil {
		return fmt.Errorf("reading %s: %w", IncompleteMarker, err)
	}
	k, ok := parseMarker(d.was)
	if ok {
		d.last = &k
	}
	if len(d.o.Include) > 0 && (ok && !k.isLike(d.m, &d.o) || !ok && d.hidesAnother()) {
		return fmt.Errorf("%w: another restore was interrupted in %s, and one of a few files would hide that; "+
			"finish it first", ErrOccupied, d.work)
	}
	return nil
}

// hidesAnother reports whether a new directory holds other files than those to restore, so that a marker that cannot be
// read may be of a restore of more files. In an existing directory, Open has checked each file, or the caller allows to
// replace them.
func (d *Dir) hidesAnother() bool {
	if !d.fresh {
		return false
	}
	_, _, isOnly, err := d.compareNames(d.files, true)
	d.dirs = nil
	return err != nil || !isOnly
}

// isContinued reports whether the restore continues one whose marker could be read. In a directory with the partial
// name only restores make files, whichever snapshot and files they restore.
func (d *Dir) isContinued() bool {
	return d.last != nil && (d.fresh || d.last.isLike(d.m, &d.o))
}

// Continued returns the snapshots whose interrupted restores this one continues, the last one last. One with the number
// 0 stands for a marker that cannot be read.
func (d *Dir) Continued() []Begun {
	switch {
	case d.isContinued():
		return d.last.begun()
	case d.began && d.last == nil:
		return []Begun{{}}
	}
	return nil
}

// mayRemoveMade reports whether the restore may remove the files that the interrupted ones have made: it continues
// them, or it may replace what is there and must keep none of their files.
func (d *Dir) mayRemoveMade() bool { return d.isContinued() || d.last != nil && d.o.Overwrite }

// isAllOurs reports whether a new directory is made and no marker lists the files that restores have made: then all
// files in it are theirs.
func (d *Dir) isAllOurs() bool { return d.fresh && d.began && (d.last == nil || d.last.isOld()) }

// adoptsAll reports whether all files in the target count as made by restores, since the marker that would list them
// cannot be read: in a new directory only restores make files, and in an existing one each was found right, so that the
// archive has it.
func (d *Dir) adoptsAll() bool {
	return d.isAllOurs() || d.began && d.last == nil && !d.o.Overwrite
}

// listed returns the files that the marker lists as made, also those that were removed, since that may not be durable,
// and as replaced. There are none if this restore may not remove what the interrupted ones have made.
func (d *Dir) listed() (made, replaced map[string]bool) {
	made, replaced = map[string]bool{}, map[string]bool{}
	if d.mayRemoveMade() {
		for _, name := range d.last.Made {
			made[name] = true
		}
		for _, name := range d.last.Replaced {
			replaced[name] = true
		}
	}
	return made, replaced
}

// describe sets what the marker records of the directory, which holds the names in there.
func (d *Dir) describe(there map[string]bool) {
	ours, replaced := d.listed()
	if d.adoptsAll() {
		maps.Copy(ours, there)
	}
	isOccupied := !d.isEmpty() && !d.adoptsAll()
	this := []Begun{{Archive: d.m.Archive, Sequence: d.m.Sequence, Created: d.m.Created}}
	if d.isContinued() {
		if isOccupied && d.last.isOld() && !d.fresh && !d.o.Overwrite {
			d.next = marker{} // the files that the older version has made stay unknown
			return
		}
		isOccupied = isOccupied && (d.last.Occupied || d.last.isOld())
	}
	if d.mayRemoveMade() {
		before := slices.DeleteFunc(slices.Clone(d.last.begun()), func(b Begun) bool {
			return b.Archive == d.m.Archive && b.Sequence == d.m.Sequence
		})
		this = append(before, this...)
	}
	for i := range d.files {
		switch name := d.files[i].Name; {
		case !there[name]:
			ours[name] = true
		case !ours[name]:
			replaced[name] = true
		}
	}
	for name := range replaced {
		delete(ours, name)
	}
	d.next = marker{
		Snapshots: this, Occupied: isOccupied,
		Made: slices.Sorted(maps.Keys(ours)), Replaced: slices.Sorted(maps.Keys(replaced)),
	}
}

// placeMarker writes the marker. From here on the target is incomplete until Finish.
func (d *Dir) placeMarker() error {
	const note = "A restore began here and has not ended: do not open a database in this directory. " +
		"Running the same command again continues it."
	k := d.next
	k.Archive, k.Sequence, k.Include, k.Note = d.m.Archive, d.m.Sequence, d.o.Include, note
	b, err := json.Marshal(k)
	if err == nil {
		err = d.writeMarker(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("marking the target as incomplete: %w", err)
	}
	return nil
}

// writeMarker writes and locks a marker, and gives it its name in one step: after a power loss half of one would not
// show whose restore it is, and the same command would refuse to continue.
func (d *Dir) writeMarker(b []byte) error {
	tmp := newTemp(".")
	f, err := d.root.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	var info fs.FileInfo
	if err == nil {
		info, err = f.Stat()
	}
	if err == nil {
		_ = lockFile(f) // no other restore has opened it; without locks the marker itself keeps them apart
		err = d.giveMarkName(tmp)
	}
	if err != nil {
		return errors.Join(err, f.Close(), d.removeEmptied(tmp))
	}
	closeMarker(d.mark)
	d.mark, d.markID = f, idOf(info)
	return d.syncDir(".")
}

// closeMarker unlocks and closes a marker, unless it is nil.
func closeMarker(f *disk.File) {
	if f != nil {
		unlockFile(f)
		f.Close()
	}
}
