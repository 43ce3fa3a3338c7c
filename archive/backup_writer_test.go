package archive_test

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// A clone or a second archiver takes turns with this host. The host reports it when it comes back, once for each turn. A
// host that replaced another for good reports nothing.
func TestWriterThatReturnsIsReported(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 79)
	l.fill(2)
	st := storetest.Memory(t)
	at := func(dir string) *archive.Archive {
		return archive.New(st, archive.Options{State: &archive.LocalState{Dir: dir}})
	}
	backup := func(dir string) (warned []string) {
		t.Helper()
		l.write(30)
		res := l.backup(at(dir), plain)
		return slices.DeleteFunc(res.Warnings, func(w string) bool { return !strings.Contains(w, "clone") })
	}
	one, two := t.TempDir(), t.TempDir()
	for i, dir := range []string{one, one, two, two, one, one, two} {
		returns := i == 4 || i == 6
		if w := backup(dir); (len(w) == 1) != returns || len(w) > 1 {
			t.Errorf("run %d: warnings %q", i, w)
		}
	}
	if a, b := newest(t, at(one)).Writer, backup(two); a == "" || len(b) > 0 {
		t.Errorf("the writer is %q; warnings %q", a, b)
	}

	// A clone of the state directory has the same id.
	twin := t.TempDir()
	copyDir(t, two, twin)
	if w := backup(twin); len(w) > 0 {
		t.Errorf("the clone's first run: %q", w)
	}
	if w := backup(two); len(w) != 1 || !strings.Contains(w[0], "this host did not make it") {
		t.Errorf("after the clone: %q", w)
	}
}

// A run that was killed after its commit, before it recorded that, is no clone.
func TestKilledWriterIsNoClone(t *testing.T) {
	t.Parallel()
	l := newJELog(t, 80)
	l.fill(2)
	st, dir := storetest.Memory(t), t.TempDir()
	o := archive.Options{State: &archive.LocalState{Dir: dir}}
	l.backup(archive.New(st, o), plain)
	before := t.TempDir()
	copyDir(t, dir, before)
	l.write(10)
	l.backup(archive.New(st, o), plain)
	files, err := os.ReadDir(before)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if strings.HasSuffix(f.Name(), ".tried") {
			continue // written before the commit
		}
		b, err := os.ReadFile(before + "/" + f.Name())
		if err == nil {
			err = os.WriteFile(dir+"/"+f.Name(), b, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	l.write(10)
	goesOnQuietly(t, archive.New(st, o), l)
}
