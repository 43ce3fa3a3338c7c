package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"
)

type observed struct {
	sync.Mutex
	ops []Op
}

func (o *observed) Change(op *Op, do func() error) error {
	o.Lock()
	defer o.Unlock()
	err := do()
	if err == nil {
		seen := *op
		seen.Data = slices.Clone(op.Data)
		o.ops = append(o.ops, seen)
	}
	return err
}

// The proofs about a power loss need a complete record of all changes.
func TestEveryChangeIsObserved(t *testing.T) {
	dir := t.TempDir()
	o := &observed{}
	defer Observe(dir, o)()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(MkdirAll(filepath.Join(dir, "a", "b"), 0o700))
	must(NewDir(filepath.Join(dir, "c"), 0o700))
	root, err := OpenRoot(filepath.Join(dir, "a"))
	must(err)
	defer root.Close()
	must(root.MkdirAll("b/d", 0o700))
	f, err := root.OpenFile("b/x", os.O_RDWR|os.O_CREATE, 0o600)
	must(err)
	_, err = io.WriteString(f, "0123456789")
	must(err)
	_, err = f.WriteAt([]byte("ab"), 4)
	must(err)
	_, err = f.Seek(2, io.SeekStart)
	must(err)
	_, err = f.Write([]byte("z"))
	must(err)
	must(errors.Join(f.Truncate(8), f.Sync()))
	must(root.SetTime(f, "b/x", time.Unix(1, 0)))
	must(f.Close())
	must(root.Link("b/x", "b/y"))
	must(root.Rename("b/x", "b/w"))
	sub, err := root.OpenRoot("b")
	must(err)
	must(sub.RenameFile("w", "u"))
	must(sub.RenameFile("u", "w"))
	must(sub.Close())
	if err := root.RenameNew("b/w", "b/y"); !errors.Is(err, fs.ErrExist) {
		t.Errorf("over a file: %v", err)
	}
	must(root.RenameNew("b/w", "b/v"))
	must(root.Remove("b/v"))
	must(RenameNew(filepath.Join(dir, "c"), filepath.Join(dir, "e")))
	must(RenameOver(filepath.Join(dir, "e"), filepath.Join(dir, "f")))
	must(RemoveName(filepath.Join(dir, "f")))
	for _, line := range []string{"ab", "c"} {
		f, err := OpenFile(filepath.Join(dir, "log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
		must(err)
		_, err = io.WriteString(f, line)
		must(errors.Join(err, f.Close()))
	}
	d, err := OpenDir(dir)
	must(err)
	must(errors.Join(d.Sync(), d.SyncAll(), d.Close()))

	var kinds []Kind
	for _, op := range o.ops {
		kinds = append(kinds, op.Kind)
	}
	want := []Kind{
		Mkdir, Mkdir, Mkdir, Open, Write, Write, Write, Truncate, Sync, Times, Link,
		Rename, Rename, Rename, Rename, Remove, Rename, Rename, Remove, Open, Write, Open, Write, Open, Sync, SyncAll,
	}
	if !slices.Equal(kinds, want) {
		t.Errorf("%d, want %d", kinds, want)
	}
	if w := o.ops[6]; w.Offset != 2 || string(w.Data) != "z" {
		t.Errorf("%+v", w)
	}
	if w := o.ops[22]; w.Offset != 2 || string(w.Data) != "c" {
		t.Errorf("appended: %+v", w)
	}
	if r := o.ops[12]; r.Path != filepath.Join(dir, "a", "b", "w") || r.To != filepath.Join(dir, "a", "b", "u") {
		t.Errorf("renamed below: %+v", r)
	}
	if b, err := os.ReadFile(filepath.Join(dir, "a", "b", "y")); err != nil || string(b) != "01z3ab67" {
		t.Errorf("%q, %v", b, err)
	}
}
