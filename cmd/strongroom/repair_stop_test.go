package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// unmounting lets the archive's directory go when its second object is deleted.
type unmounting struct {
	dir     string
	deleted int
}

func (u *unmounting) Change(op *disk.Op, do func() error) error {
	if op.Kind == disk.Remove && strings.HasSuffix(filepath.Dir(filepath.Dir(op.Path)), "/data") {
		if u.deleted++; u.deleted == 2 {
			if err := os.Rename(u.dir, u.dir+".gone"); err != nil {
				return err
			}
		}
	}
	return do()
}

// A repair whose disk disappears in the middle prints the objects that it had restored by then,
// before its error.
func TestRepairThatStopsPrintsItsReport(t *testing.T) {
	dir, db := t.TempDir(), t.TempDir()
	t.Setenv("STRONGROOM_STATE_DIR", filepath.Join(dir, "state"))
	logDir(t, db, 0, 3, 100)
	at, copied := filepath.Join(dir, "archive"), filepath.Join(dir, "copy")
	for _, args := range [][]string{
		{"backup", "--source", db, "--node", "n", "file://" + at}, {"copy", "file://" + at, "--to", "file://" + copied},
	} {
		if code := run(args, t.Output(), t.Output()); code != exitDone {
			t.Fatalf("%v: exit code %d", args, code)
		}
	}
	objects, err := filepath.Glob(filepath.Join(at, "data", "*", "*"))
	if err != nil || len(objects) < 2 {
		t.Fatal(objects, err)
	}
	for _, name := range objects[:2] {
		info, err := os.Stat(name)
		if err == nil {
			err = os.WriteFile(name, bytes.Repeat([]byte{7}, int(info.Size())), 0o640)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	defer disk.Observe(at, &unmounting{dir: at})()
	var out, errs bytes.Buffer
	code := run([]string{"verify", "--read-data", "--repair", "--from", "file://" + copied, "file://" + at}, &out, &errs)
	if code != exitDamaged || !strings.Contains(errs.String(), "unmounted") {
		t.Errorf("exit code %d: %s", code, &errs)
	}
	if n := strings.Count(out.String(), "repaired: data/"); n != 1 || !strings.Contains(out.String(), "the repair stopped; 1 problem left") {
		t.Errorf("%s", &out)
	}
}
