package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"

	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// inspect reads what lies in the target, and says what of it has to go, before the restore
// and after it. It refuses the target where that must not be.
func (t *target) inspect(
	m *manifest.Manifest, files []manifest.File, o *RestoreOptions,
) (before, after []string, err error) {
	belong := files
	if !t.fresh {
		belong = m.Files // what an earlier restore of more files left is no danger
	}
	ours := map[string]bool{}
	if t.isContinued(m, o.Include) {
		for _, name := range t.last.Made {
			ours[name] = true
		}
	}
	found, err := t.extras(m, names(belong), ours)
	if err != nil {
		return nil, nil, err
	}
	if len(found.foreign) > 0 && !o.DeleteExtra {
		more := ""
		if n := len(found.foreign) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return nil, nil, fmt.Errorf("%w: %s holds %s%s, which snapshot %d does not have and which would corrupt the database; "+
			"choose a new directory, or have that removed (--delete-extra)",
			ErrOccupied, t.work, found.foreign[0], more, m.Sequence)
	}
	t.describe(m, files, found.there, o)
	return found.remove, append(found.made, found.foreign...), nil
}

// previewTarget says which files a restore into a directory would remove, or why it would
// refuse to begin, but for a lack of space, of which the preview tells.
func previewTarget(
	ctx context.Context, dir string, m *manifest.Manifest, files []manifest.File, o *RestoreOptions,
) ([]string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("the target %s: %w", dir, err)
	}
	fresh, err := examine(dir, m, o)
	if err != nil {
		return nil, err
	}
	work := dir
	if fresh {
		work += PartialSuffix
	}
	if err := newUseCheck(work).all(ctx); err != nil {
		return nil, err
	}
	info, err := os.Lstat(work)
	switch {
	case fresh && errors.Is(err, fs.ErrNotExist):
		return nil, nil
	case fresh && err == nil && !info.IsDir():
		return nil, inTheWay(work)
	}
	root, err := disk.OpenRoot(work)
	if err != nil {
		return nil, fmt.Errorf("opening the target: %w", err)
	}
	defer root.Close()
	t := &target{dir: dir, work: work, root: root, fresh: fresh}
	if err := t.readMarker(m, o.Include); err != nil {
		return nil, err
	}
	_, foreign, err := t.inspect(m, files, o)
	return foreign, err
}

// logNames returns a function that knows a log file of the snapshot's layout by its name.
// The pattern of a layout that has one is not in the archive: then it is what differs from
// a file of the snapshot in its digits only, as the next file of a log does.
func logNames(m *manifest.Manifest) func(name string) bool {
	if layout, err := source.NewLayout(source.LayoutOptions{Name: m.Layout}); err == nil {
		return layout.Match
	}
	shapes := map[string]bool{}
	for i := range m.Files {
		shapes[shape(m.Files[i].Name)] = true
	}
	return func(name string) bool { return shapes[shape(name)] }
}

var digits = regexp.MustCompile(`[0-9A-Fa-f]{8,}|[0-9A-Fa-f]*[0-9][0-9A-Fa-f]*`)

// shape is a name without its decimal and hexadecimal numbers.
func shape(name string) string { return digits.ReplaceAllString(name, "#") }

// extraFiles are what lies in a target and would be a danger beside the restored set.
type extraFiles struct {
	there   map[string]bool // all names of files, but for what a restore makes for itself
	remove  []string        // temporary files of ours, and what else has to go first
	made    []string        // what interrupted restores have made and the snapshot does not have
	foreign []string        // log files, by the layout, that no restore of ours has made
}

// extras looks through the target. Of what is in it, ours may have been made by a restore that this
// one continues. Where a new directory is made, every file that does not belong is a danger.
func (t *target) extras(m *manifest.Manifest, chosen, ours map[string]bool) (*extraFiles, error) {
	isLog := logNames(m)
	found := &extraFiles{there: map[string]bool{}}
	err := t.walk(func(name string) error {
		if name != IncompleteMarker && !isTemp(name) {
			found.there[name] = true
		}
		switch {
		case name == IncompleteMarker || chosen[name]:
		case isTemp(name) || t.isAllOurs() || t.fresh && ours[name]:
			found.remove = append(found.remove, name)
		case ours[name]:
			found.made = append(found.made, name)
		case t.fresh || isLog(name):
			found.foreign = append(found.foreign, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("looking through the target: %w", err)
	}
	return found, nil
}

// walk calls visit for each name in the target that is no directory, as fs.WalkDir does, and notes
// the directories in t.dirs. The lost+found of a file system is left out.
func (t *target) walk(visit func(name string) error) error {
	return fs.WalkDir(t.root.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case name == lostFound && d.IsDir():
			return fs.SkipDir
		case err != nil:
			return err
		case d.IsDir():
			t.dirs = append(t.dirs, name)
			return nil
		}
		return visit(name)
	})
}
