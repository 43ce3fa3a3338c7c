package archive_test

import (
	"context"
	"os"
	"path/filepath"
	"testing"
)

// A dealer is a database that deals its files to several directories, round robin, as JE does
// with je.log.nDataDirectories: of n, file N lies in the one that is named after N mod n, plus 1.
type dealer struct {
	*database
	dirs []string
	next int
}

func newDealer(t *testing.T, dirs ...string) *dealer {
	t.Helper()
	db := newDatabase(t, t.TempDir(), 80)
	db.remove(name(0))
	d := &dealer{database: db, dirs: dirs}
	for _, dir := range dirs {
		d.mkdir(dir)
	}
	return d
}

func (d *dealer) mkdir(dir string) {
	d.t.Helper()
	if err := os.MkdirAll(filepath.Join(d.dir, dir), 0o755); err != nil {
		d.t.Fatalf("%v", err)
	}
}

// path is the name of the file with a number.
func (d *dealer) path(n int) string { return filepath.Join(d.dirs[n%len(d.dirs)], name(n)) }

// begin begins the given number of files, which closes the files before them.
func (d *dealer) begin(files int) {
	d.t.Helper()
	for range files {
		d.set(d.path(d.next), d.noise(50))
		d.next++
	}
}

// beginExcept begins files, without those of a directory that is not there to take them.
func (d *dealer) beginExcept(dir string, files int) {
	d.t.Helper()
	for range files {
		if d.dirs[d.next%len(d.dirs)] != dir {
			d.set(d.path(d.next), d.noise(50))
		}
		d.next++
	}
}

// unmount leaves an empty mount point, or nothing, in place of a directory.
func (d *dealer) unmount(dir string, mountPoint bool) {
	d.t.Helper()
	if err := os.Rename(filepath.Join(d.dir, dir), filepath.Join(d.dir, dir+".away")); err != nil {
		d.t.Fatalf("%v", err)
	}
	if mountPoint {
		d.mkdir(dir)
	}
}

func (d *dealer) mount(dir string) {
	d.t.Helper()
	if err := os.RemoveAll(filepath.Join(d.dir, dir)); err != nil {
		d.t.Fatalf("%v", err)
	}
	if err := os.Rename(filepath.Join(d.dir, dir+".away"), filepath.Join(d.dir, dir)); err != nil {
		d.t.Fatalf("%v", err)
	}
}

// clean deletes all files of a directory, as a cleaner may, or of the files at its top.
func (d *dealer) clean(dir string) {
	d.t.Helper()
	for n := range d.next {
		if _, ok := d.files[d.path(n)]; ok && d.dirs[n%len(d.dirs)] == dir {
			d.remove(d.path(n))
		}
	}
}

func (d *dealer) hasBirthTimes() bool {
	d.t.Helper()
	c, err := d.source().Capture(context.Background(), nil)
	if err != nil {
		d.t.Fatalf("%v", err)
	}
	defer c.Close()
	return c.Dirs[""].Born != 0
}
