package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"syscall"

	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store"
)

// dirDriver is the gocloud.dev driver of a directory: the half of the adapter that reads. gocloud's own fileblob is
// unsuitable: its listings show temporary files, and a listing of several pages loses keys.
type dirDriver struct {
	cloud.Driver
	*tree
}

func newDriver(t *tree) *dirDriver { return &dirDriver{cloud.Driver{Dialect: dialect}, t} }

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// statObject returns the FileInfo of a key's file. It returns fs.ErrNotExist unless that is a regular file: also for a
// symbolic link in its place that leads out of the archive, or in a circle.
func statObject(root *disk.Root, key string) (fs.FileInfo, error) {
	name := pathOf(key)
	fi, err := root.Stat(name)
	if err == nil && !fi.Mode().IsRegular() || isNotDir(err) || err != nil && isLink(root, name) {
		return nil, &fs.PathError{Op: "stat", Path: name, Err: fs.ErrNotExist}
	}
	return fi, err
}

func isLink(root *disk.Root, name string) bool {
	fi, err := root.Lstat(name)
	return err == nil && fi.Mode()&fs.ModeSymlink != 0
}

// removeObject deletes the file of a key, which the caller has found there, and the directories that become empty.
func removeObject(root *disk.Root, key string) error {
	if err := root.Remove(pathOf(key)); err != nil {
		return err
	}
	pruneDirs(root, path.Dir(pathOf(key)))
	return nil
}

// Attributes implements driver.Bucket. A file system has no checksum.
func (d *dirDriver) Attributes(_ context.Context, key string) (*driver.Attributes, error) {
	var fi fs.FileInfo
	err := d.in(false, func(root *disk.Root) (err error) {
		fi, err = statObject(root, key)
		return err
	})
	if err != nil {
		return nil, err
	}
	o := &store.Object{Key: key, Size: fi.Size(), Modified: fi.ModTime(), Version: disk.Stamp(fi)}
	return cloud.AttributesOf(o, "", fmt.Sprintf("\"%x-%x\"", fi.ModTime().UnixNano(), fi.Size())), nil
}

// NewRangeReader implements driver.Bucket.
func (d *dirDriver) NewRangeReader(_ context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	var f *disk.File
	var fi fs.FileInfo
	err := d.in(false, func(root *disk.Root) (err error) {
		f, fi, err = openObject(root, key)
		return err
	})
	if err == nil {
		err = cloud.Before(o.BeforeRead)
	}
	if err != nil {
		if f != nil {
			f.Close() // the error of Close does not matter: nothing was read
		}
		return nil, err
	}
	if length < 0 || length > fi.Size() {
		length = fi.Size()
	}
	r := cloud.NewObjectReader(f, -1, driver.ReaderAttributes{ModTime: fi.ModTime(), Size: fi.Size()})
	r.Reader = io.NewSectionReader(f, offset, length)
	return r, nil
}

// ListPaged implements driver.Bucket. The token of the next page is the last key of this one. A listing that can
// resume goes on reading the directories where the page ended; any other walk starts there.
func (d *dirDriver) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	q, err := cloud.NewListRequest(o)
	if err != nil {
		return nil, err
	}
	w, ok := (*walk)(nil), false
	if q.Resume != nil {
		w, ok = q.Resume.Value.(*walk)
	}
	if !ok {
		w = d.startWalk(o, q.After)
		if q.Resume == nil {
			defer w.stop()
		} else {
			q.Resume.Value, q.Resume.Close = w, w.stop
		}
	}
	size := o.PageSize
	if size <= 0 {
		size = cloud.ListPage
	}
	return w.page(ctx, size)
}

// walk is a walk through the directories that pauses between two objects.
type walk struct {
	walker walker
	next   func() (store.Object, bool)
	stop   func()
	last   string        // the key or the rolled-up prefix that was returned last
	held   *store.Object // the first one of the next page
	err    error         // of the walk, once it has ended
}

func (d *dirDriver) startWalk(o *driver.ListOptions, after string) *walk {
	w := &walk{last: string(o.PageToken)}
	w.walker = walker{tree: d.tree, prefix: o.Prefix, roll: o.Delimiter == "/", after: max(after, string(o.PageToken))}
	w.next, w.stop = iter.Pull(func(yield func(store.Object) bool) {
		w.walker.yield = func(f store.Object) bool {
			if dir, rolled := cloud.RolledUp(o.Prefix, o.Delimiter, f.Key); rolled {
				f = store.Object{Key: dir, IsDir: true}
			}
			return f.IsDir && f.Key == w.last || yield(f)
		}
		w.err = d.in(false, w.walker.walk)
	})
	return w
}

// page returns the next objects.
func (w *walk) page(ctx context.Context, size int) (*driver.ListPage, error) {
	w.walker.ctx = ctx
	page := &driver.ListPage{}
	if w.held != nil {
		w.add(page, w.held)
		w.held = nil
	}
	for {
		f, ok := w.next()
		switch {
		case !ok && w.err != nil && !w.walker.enough:
			return nil, w.err
		case !ok:
			return page, nil
		case len(page.Objects) == size:
			page.NextPageToken, w.held = []byte(w.last), &f
			return page, nil
		}
		w.add(page, &f)
	}
}

func (w *walk) add(page *driver.ListPage, f *store.Object) {
	w.last = f.Key
	page.Objects = append(page.Objects, cloud.ListedObject(f))
}

// Close implements driver.Bucket.
func (d *dirDriver) Close() error { return d.letGo() }
