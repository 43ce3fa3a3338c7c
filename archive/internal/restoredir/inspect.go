package restoredir

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

// inspect lists the target and returns which of its files must be removed, before the restore and after it. It returns
// ErrOccupied if that is not allowed.
func (d *Dir) inspect() (before, after []string, err error) {
	belong := d.files
	if !d.fresh {
		belong = d.m.Files // the files of an earlier restore of more files are no danger
	}
	ours, replaced := d.listed()
	found, err := d.extras(names(belong), ours, replaced)
	if err != nil {
		return nil, nil, err
	}
	if err := d.checkKnown(found.there); err != nil {
		return nil, nil, err
	}
	if len(found.foreign) > 0 && !d.o.DeleteExtra {
		more := ""
		if n := len(found.foreign) - 1; n > 0 {
			more = fmt.Sprintf(" and %d more", n)
		}
		return nil, nil, fmt.Errorf("%w: %s holds %s%s, "+
			"which snapshot %d does not have and which would corrupt the database; "+
			"choose a new directory, or allow to remove that (--delete-extra)",
			ErrOccupied, d.work, found.foreign[0], more, d.m.Sequence)
	}
	d.describe(found.there)
	return found.remove, append(found.made, found.foreign...), nil
}

// checkKnown returns ErrOccupied if an existing target has a file that may be the snapshot's, since its entry was not
// read. The caller reads only some entries if the target is empty, so the file has appeared since.
func (d *Dir) checkKnown(there map[string]bool) error {
	if d.fresh || d.m.IsWhole() {
		return nil
	}
	chosen := names(d.files)
	for name := range there {
		if !chosen[name] {
			return fmt.Errorf("%w: %s was empty when the restore began, and now holds %s; run the restore again",
				ErrOccupied, d.work, name)
		}
	}
	return nil
}

// Preview returns which files a restore into a directory would remove, or the error with which Open or Begin would end.
// It changes nothing, and does not compare the free space with what the files need.
func Preview(
	ctx context.Context, dir string, m *manifest.Manifest, files []manifest.File, o Options,
) ([]string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("the target %s: %w", dir, err)
	}
	fresh, err := examine(ctx, dir, m, files, &o)
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
	d := &Dir{m: m, files: files, o: o, dir: dir, work: work, root: root, fresh: fresh, isPreview: true}
	defer func() { closeMarker(d.begun) }()
	if fresh {
		if err := d.checkOwner(work, info); err != nil {
			return nil, err
		}
	}
	if err := d.readMarker(); err != nil {
		return nil, err
	}
	_, extra, err := d.inspect()
	return extra, err
}

// logNames returns a function that reports whether a name is that of a log file in the snapshot's layout. The archive
// does not have the pattern of a layout that has one: then a log file differs from a file of the snapshot only in its
// digits, as the next file of a log does.
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

// holdsOnly reports whether each file in a directory is one of these, with its content, except for a marker and
// temporary files. Some may be missing.
func holdsOnly(ctx context.Context, dir string, files []manifest.File) (bool, error) {
	root, err := disk.OpenRoot(dir)
	if err != nil {
		return false, fmt.Errorf("opening the target: %w", err)
	}
	defer root.Close()
	d := &Dir{root: root, work: dir}
	there, _, isOnly, err := d.compareNames(files, true)
	if err != nil || !isOnly {
		return false, err
	}
	for _, f := range there {
		if same, err := d.HasContent(ctx, f); err != nil || !same {
			return false, err
		}
	}
	return true, nil
}

// compareNames returns which of the files the directory has, and its temporary files. isOnly reports whether it has no
// others, except for a marker if that is allowed.
func (d *Dir) compareNames(
	files []manifest.File, mayBeMarked bool,
) (there []*manifest.File, temps []string, isOnly bool, err error) {
	belong := make(map[string]*manifest.File, len(files))
	for i := range files {
		belong[files[i].Name] = &files[i]
	}
	isOnly = true
	err = d.walk(func(name string) error {
		f := belong[name]
		switch {
		case f != nil:
			there = append(there, f)
		case isTemp(name):
			temps = append(temps, name)
		case name != IncompleteMarker || !mayBeMarked:
			isOnly = false
			return fs.SkipAll
		}
		return nil
	})
	return there, temps, isOnly, err
}

var digits = regexp.MustCompile(`[0-9A-Fa-f]{8,}|[0-9A-Fa-f]*[0-9][0-9A-Fa-f]*`)

// shape is a name without its decimal and hexadecimal numbers.
func shape(name string) string { return digits.ReplaceAllString(name, "#") }

// extraFiles are the files of a target that would be a danger beside the restored set.
type extraFiles struct {
	there   map[string]bool // all names of files, except the marker and temporary files
	remove  []string        // temporary files, and others that must be removed first
	made    []string        // files that interrupted restores have made and the snapshot does not have
	foreign []string        // log files, by the layout, that no restore has made
}

// extras lists the target. The files in ours may have been made by a restore that this one continues or replaces, and
// those in replaced were there before it. In a new directory each file that does not belong to the set is a danger.
func (d *Dir) extras(chosen, ours, replaced map[string]bool) (*extraFiles, error) {
	isLog := logNames(d.m)
	found := &extraFiles{there: map[string]bool{}}
	err := d.walk(func(name string) error {
		if name != IncompleteMarker && !isTemp(name) {
			found.there[name] = true
		}
		switch {
		case name == IncompleteMarker || chosen[name]:
		case isTemp(name):
			found.remove = append(found.remove, name)
			return d.checkTemp(name)
		case d.isAllOurs() || d.fresh && ours[name]:
			found.remove = append(found.remove, name)
		case ours[name]:
			found.made = append(found.made, name)
		case d.fresh || replaced[name] || isLog(name):
			found.foreign = append(found.foreign, name)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("listing the target: %w", err)
	}
	return found, nil
}

// checkTemp returns ErrOccupied for a temporary file that no restore of this user has made.
func (d *Dir) checkTemp(name string) error {
	info, err := d.root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && info.Mode().IsRegular() {
		err = d.checkOwner(filepath.Join(d.work, filepath.FromSlash(name)), info)
	}
	return err
}

// walk calls visit for each name in the target that is no directory, as fs.WalkDir does, and adds the directories to
// d.dirs. It skips the lost+found of a file system.
func (d *Dir) walk(visit func(name string) error) error {
	return fs.WalkDir(d.root.FS(), ".", func(name string, e fs.DirEntry, err error) error {
		switch {
		case name == lostFound && e.IsDir():
			return fs.SkipDir
		case err != nil:
			return err
		case e.IsDir():
			d.dirs = append(d.dirs, name)
			return nil
		}
		return visit(name)
	})
}

func names(files []manifest.File) map[string]bool {
	set := make(map[string]bool, len(files))
	for i := range files {
		set[files[i].Name] = true
	}
	return set
}

// Lacking returns the files that neither the target nor the directory of an interrupted restore beside it has with
// their size. It reads no content, so what it omits may be wrong all the same.
func Lacking(dir string, files []manifest.File) []manifest.File {
	var all []manifest.File
	for i := range files {
		there := func(dir string) bool {
			info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(files[i].Name)))
			return err == nil && info.Mode().IsRegular() && info.Size() == files[i].Size
		}
		if !there(dir) && !there(filepath.Clean(dir)+PartialSuffix) {
			all = append(all, files[i])
		}
	}
	return all
}
