package archive

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

// marker is what RESTORE-INCOMPLETE says.
type marker struct {
	Archive  string   `json:"archive"`
	Sequence int64    `json:"sequence"`
	Include  []string `json:"include,omitempty"` // what was to be restored, if not all
	Note     string   `json:"note"`
	// Occupied says that the directory held other files when the first of the restores began that
	// this one continues. Then each needs leave to replace what is there.
	Occupied bool `json:"occupied,omitempty"`
	// Made names the files that these restores were to make, and that were not there before. A
	// restore that continues them may remove those. Markers of older versions do not have it.
	Made []string `json:"made,omitempty"`
}

// parseMarker reads a marker. A restore that was interrupted while it wrote may have left less
// than a marker, or the end of an older and longer one behind it.
func parseMarker(b []byte) (k marker, ok bool) {
	err := json.NewDecoder(bytes.NewReader(b)).Decode(&k)
	return k, err == nil
}

// isLike reports whether the marker is of a restore of the same files of the archive, be it of
// another snapshot: the same command restores a newer one once there is one.
func (k *marker) isLike(m *manifest.Manifest, include []string) bool {
	return k.Archive == m.Archive && slices.Equal(k.Include, include)
}

// goesOn reports whether a restore of m without leave to replace anything goes on where the one of
// the marker was interrupted. It never goes back to an older snapshot.
func (k *marker) goesOn(m *manifest.Manifest, include []string) bool {
	return k.isLike(m, include) && !k.Occupied && (k.Sequence == m.Sequence || k.Sequence < m.Sequence && !k.isOld())
}

// isOld reports whether the marker is of a version that did not write down what is made.
func (k *marker) isOld() bool { return len(k.Made) == 0 && !k.Occupied }

// markerIn reads the marker in a directory, if there is one.
func markerIn(dir string) (k marker, ok bool) {
	b, err := os.ReadFile(filepath.Join(dir, IncompleteMarker))
	if err != nil {
		return k, false
	}
	return parseMarker(b)
}

// isOfRestore reports whether an entry of a target is there before any file of a restore, or
// belongs to a restore that has made no file.
func isOfRestore(e os.DirEntry) bool {
	return e.IsDir() && e.Name() == lostFound || e.Name() == IncompleteMarker || e.Type().IsRegular() && isTemp(e.Name())
}

// isEmpty reports whether the target holds nothing yet.
func (t *target) isEmpty() bool {
	entries, err := fs.ReadDir(t.root.FS(), ".")
	return err == nil && !slices.ContainsFunc(entries, func(e os.DirEntry) bool { return !isOfRestore(e) })
}

// readMarker reads the marker of an interrupted restore. Of one that was interrupted while it
// gave the directory its name, the marker lies beside it.
func (t *target) readMarker(m *manifest.Manifest, include []string) error {
	was, err := t.root.ReadFile(IncompleteMarker)
	if errors.Is(err, fs.ErrNotExist) && t.fresh {
		was, err = readComplete(t.dir)
	}
	if err != nil {
		return nil // where it cannot be read, it cannot be written either
	}
	t.began, t.was = true, was
	k, ok := parseMarker(was)
	if ok {
		t.last = &k
	}
	if len(include) > 0 && (ok && !k.isLike(m, include) || !ok && !t.isEmpty()) {
		return fmt.Errorf("%w: another restore was interrupted in %s, and one of a few files would hide that; "+
			"finish it first", ErrOccupied, t.work)
	}
	return nil
}

// isContinued reports whether the restore continues one whose marker could be read. A new
// directory is made where only restores of ours make files, whatever they are to restore.
func (t *target) isContinued(m *manifest.Manifest, include []string) bool {
	return t.last != nil && (t.fresh || t.last.isLike(m, include))
}

// isAllOurs reports whether a new directory is made where nothing says which files a restore has
// made: then all are.
func (t *target) isAllOurs() bool { return t.fresh && t.began && (t.last == nil || t.last.isOld()) }

// describe makes what the marker is to say of the directory, in which there are these names.
func (t *target) describe(m *manifest.Manifest, files []manifest.File, there map[string]bool, o *RestoreOptions) {
	made := map[string]bool{}
	for i := range files {
		if name := files[i].Name; !there[name] {
			made[name] = true
		}
	}
	if t.isAllOurs() {
		maps.Copy(made, there)
	}
	isOccupied := !t.isEmpty()
	if t.isContinued(m, o.Include) {
		if isOccupied && t.last.isOld() && !t.fresh && !o.Overwrite {
			t.next = marker{} // what the older version has made stays unknown
			return
		}
		isOccupied = isOccupied && (t.last.Occupied || t.last.isOld())
		for _, name := range t.last.Made { // also those that have gone: that may not be durable
			made[name] = true
		}
	}
	t.next = marker{Occupied: isOccupied, Made: slices.Sorted(maps.Keys(made))}
}

// placeMarker writes the marker: from here on the target is what the restore makes of it.
func (t *target) placeMarker(m *manifest.Manifest, include []string) error {
	const note = "A restore began here and has not ended: do not open a database in this directory. " +
		"Running the same command again continues it."
	k := t.next
	k.Archive, k.Sequence, k.Include, k.Note = m.Archive, m.Sequence, include, note
	b, err := json.Marshal(k)
	if err == nil {
		err = t.writeMarker(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("marking the target as incomplete: %w", err)
	}
	return nil
}

// noteComplete moves the marker to where it lies beside a new directory. Without it, a restore that
// is interrupted before the directory has its name would leave a complete set that nothing says to
// be of a restore. That costs a later restore of a newer snapshot, and is no reason to fail: where
// something else is in the way, or the name is too long, the marker is removed.
func (t *target) noteComplete() error {
	_, err := readComplete(t.dir)
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		err = disk.RenameOver(filepath.Join(t.work, IncompleteMarker), t.dir+CompleteSuffix)
	}
	if err != nil {
		return t.root.Remove(IncompleteMarker)
	}
	return syncAbove(t.dir)
}

// readComplete reads what noteComplete has made. It fails where there is none, or what is there is
// none.
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

// forgetComplete removes what noteComplete has made, once the directory has its name. Another
// restore that makes such a directory may still need it. Where the removal fails, the file stays:
// it means nothing beside a directory that has its name.
func forgetComplete(dir string) {
	if _, err := os.Lstat(dir + PartialSuffix); !errors.Is(err, fs.ErrNotExist) {
		return
	}
	if _, err := readComplete(dir); err == nil {
		disk.RemoveName(dir + CompleteSuffix)
	}
}
