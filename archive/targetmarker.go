package archive

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
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
	// Alone says that the directory holds no log file but those that a restore of ours has made,
	// and those that it was to replace. Then a restore of a newer snapshot may remove what that
	// does not have.
	Alone bool   `json:"alone,omitempty"`
	Note  string `json:"note"`
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

// ours reports whether an interrupted restore left dir as it is, which this one continues.
func ours(dir string, m *manifest.Manifest, include []string) bool {
	b, err := os.ReadFile(filepath.Join(dir, IncompleteMarker))
	if err != nil {
		return false
	}
	k, ok := parseMarker(b)
	return ok && k.isLike(m, include) && (k.Sequence == m.Sequence || k.Alone)
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
		was, err = os.ReadFile(t.dir + CompleteSuffix)
		if _, ok := parseMarker(was); err == nil && !ok { // that one was not needed yet
			return nil
		}
	}
	if err != nil {
		return nil // where it cannot be read, it cannot be written either
	}
	t.began, t.was = true, was
	k, ok := parseMarker(was)
	if len(include) > 0 && (ok && !k.isLike(m, include) || !ok && !t.isEmpty()) {
		return fmt.Errorf("%w: another restore was interrupted in %s, and one of a few files would hide that; "+
			"finish it first", ErrOccupied, t.work)
	}
	return nil
}

// leftAlone reports whether all log files in the target are those of an interrupted restore that
// this one continues.
func (t *target) leftAlone(m *manifest.Manifest, include []string) bool {
	k, ok := parseMarker(t.was)
	return ok && k.Alone && k.isLike(m, include)
}

// mark writes the marker: from here on the target is what the restore makes of it.
func (t *target) mark(m *manifest.Manifest, include []string) error {
	const note = "A restore began here and has not ended: do not open a database in this directory. " +
		"Running the same command again continues it."
	b, err := json.Marshal(marker{m.Archive, m.Sequence, include, t.alone, note})
	if err == nil {
		err = t.writeMarker(append(b, '\n'))
	}
	if err != nil {
		return fmt.Errorf("marking the target as incomplete: %w", err)
	}
	return nil
}

// noteComplete copies the marker to where it lies beside a new directory, before it is removed.
// Without it, a restore that is interrupted before the directory has its name would leave a
// complete set that nothing says to be of a restore.
func (t *target) noteComplete() error {
	b, err := t.root.ReadFile(IncompleteMarker)
	if err != nil {
		return err
	}
	parent, err := disk.OpenRoot(filepath.Dir(filepath.Clean(t.dir)))
	if err != nil {
		return err
	}
	defer parent.Close()
	name := filepath.Base(t.dir) + CompleteSuffix
	if err := parent.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := parent.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	if _, err = f.Write(b); err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return syncAbove(t.dir)
}

// forgetComplete removes what noteComplete has made, if the directory has its name. Where that
// fails, the file stays: it means nothing beside such a directory.
func forgetComplete(dir string) {
	if _, err := os.Lstat(dir); err == nil {
		disk.RemoveName(filepath.Clean(dir) + CompleteSuffix)
	}
}
