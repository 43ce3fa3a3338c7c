package restoredir

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// marker is the content of IncompleteMarker.
type marker struct {
	Archive  string   `json:"archive"`
	Sequence int64    `json:"sequence"`
	Include  []string `json:"include,omitempty"` // what was to be restored, if not all
	Note     string   `json:"note"`
	// Occupied: the directory held other files when the first of the restores began that this one continues. Then each
	// of them must be allowed to replace files.
	Occupied bool `json:"occupied,omitempty"`
	// Made names the files that these restores were to make, and that were not there before. A restore that continues
	// them may remove those. Markers of older versions do not have it.
	Made []string `json:"made,omitempty"`
}

// parseMarker reads a marker. A restore that was interrupted while it wrote may have left less than a marker, or the
// end of an older and longer one behind it.
func parseMarker(b []byte) (k marker, ok bool) {
	err := json.NewDecoder(bytes.NewReader(b)).Decode(&k)
	return k, err == nil
}

// isLike reports whether the marker is of a restore of the same files of the archive, of this or another snapshot: the
// same command restores a newer one once there is one.
func (k *marker) isLike(m *manifest.Manifest, include []string) bool {
	return k.Archive == m.Archive && slices.Equal(k.Include, include)
}

// continues reports whether a restore of m that may replace nothing can continue the one of the marker. It never
// continues with an older snapshot.
func (k *marker) continues(m *manifest.Manifest, include []string) bool {
	return k.isLike(m, include) && !k.Occupied && (k.Sequence == m.Sequence || k.Sequence < m.Sequence && !k.isOld())
}

// isOld reports whether the marker is of a version that did not record what is made.
func (k *marker) isOld() bool { return len(k.Made) == 0 && !k.Occupied }

// markerIn reads the marker in a directory, if there is one.
func markerIn(dir string) (k marker, ok bool) {
	b, err := os.ReadFile(filepath.Join(dir, IncompleteMarker))
	if err != nil {
		return k, false
	}
	return parseMarker(b)
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

// readMarker reads the marker of an interrupted restore. If that was interrupted while it gave the directory its name,
// the marker is beside the directory.
func (d *Dir) readMarker() error {
	was, err := d.root.ReadFile(IncompleteMarker)
	if errors.Is(err, fs.ErrNotExist) && d.fresh {
		was, err = readComplete(d.dir)
	}
	if err != nil {
		return nil // where it cannot be read, it cannot be written either
	}
	d.began, d.was = true, was
	k, ok := parseMarker(was)
	if ok {
		d.last = &k
	}
	if len(d.o.Include) > 0 && (ok && !k.isLike(d.m, d.o.Include) || !ok && !d.isEmpty()) {
		return fmt.Errorf("%w: another restore was interrupted in %s, and one of a few files would hide that; "+
			"finish it first", ErrOccupied, d.work)
	}
	return nil
}

// isContinued reports whether the restore continues one whose marker could be read. In a directory with the partial
// name only restores make files, whichever snapshot and files they restore.
func (d *Dir) isContinued() bool {
	return d.last != nil && (d.fresh || d.last.isLike(d.m, d.o.Include))
}

// isAllOurs reports whether a new directory is made and no marker lists the files that restores have made: then all
// files in it are theirs.
func (d *Dir) isAllOurs() bool { return d.fresh && d.began && (d.last == nil || d.last.isOld()) }

// describe sets what the marker records of the directory, which holds the names in there.
func (d *Dir) describe(files []manifest.File, there map[string]bool) {
	made := map[string]bool{}
	for i := range files {
		if name := files[i].Name; !there[name] {
			made[name] = true
		}
	}
	if d.isAllOurs() {
		maps.Copy(made, there)
	}
	isOccupied := !d.isEmpty()
	if d.isContinued() {
		if isOccupied && d.last.isOld() && !d.fresh && !d.o.Overwrite {
			d.next = marker{} // the files that the older version has made stay unknown
			return
		}
		isOccupied = isOccupied && (d.last.Occupied || d.last.isOld())
		for _, name := range d.last.Made { // also those that were removed: that may not be durable
			made[name] = true
		}
	}
	d.next = marker{Occupied: isOccupied, Made: slices.Sorted(maps.Keys(made))}
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

// noteComplete moves the marker out of a new directory to a file beside it. Without that file, a restore that is
// interrupted before the directory has its name would leave a complete set that is not recognized as one of a restore.
// That only prevents a later restore of a newer snapshot, so it is no reason to fail: if another file is in the way, or
// the name is too long, the marker is removed.
func (d *Dir) noteComplete() error {
	_, err := readComplete(d.dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = disk.RenameOver(filepath.Join(d.work, IncompleteMarker), d.dir+CompleteSuffix)
	}
	if err != nil {
		return d.root.Remove(IncompleteMarker)
	}
	return syncAbove(d.dir)
}

// readComplete reads the file that noteComplete has made. It returns an error if there is none, or another file.
func readComplete(dir string) ([]byte, error) {
	name := dir + CompleteSuffix
	info, err := os.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is no file", name)
	}
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, err
	}
	if _, ok := parseMarker(b); !ok {
		return nil, fmt.Errorf("%s is no marker of a restore", name)
	}
	return b, nil
}

// forgetComplete removes the file that noteComplete has made, once the directory has its name, unless another restore
// that makes such a directory may still need it. If the removal fails, the file stays: it means nothing beside a
// directory that has its name.
func forgetComplete(dir string) {
	if _, err := os.Lstat(dir + PartialSuffix); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if _, err := readComplete(dir); err == nil {
		disk.RemoveName(dir + CompleteSuffix)
	}
}

// writeMarker replaces the marker in one step: after a power loss half of one would not show whose restore it is, and
// the same command would refuse to continue.
func (d *Dir) writeMarker(b []byte) error {
	if info, err := d.root.Lstat(IncompleteMarker); err == nil && !info.Mode().IsRegular() {
		return fmt.Errorf("%w: %s is in the way and is no file; remove it", ErrOccupied, IncompleteMarker)
	}
	tmp := temp(IncompleteMarker)
	f, err := d.root.OpenFile(tmp, os.O_RDWR|os.O_CREATE|os.O_TRUNC, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = d.root.Rename(tmp, IncompleteMarker)
	}
	if err != nil {
		return errors.Join(err, d.removeEmptied(tmp))
	}
	return d.syncDir(".")
}
