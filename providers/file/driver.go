package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"syscall"

	"gocloud.dev/blob/driver"
	"gocloud.dev/gcerrors"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store"
)

// dirDriver is a directory as gocloud.dev sees it. gocloud's own fileblob will not do:
// it never calls fsync, its create-only is not atomic, its temporary files show up in
// listings, and a listing of several pages loses keys. Writing through it is durable
// too, but for an overwritten blob with attributes, whose two files cannot change at
// once; archives are written by adapter.Put and have no attributes.
type dirDriver struct{ *tree }

var errUnsupported = errors.New("directories do not know this")

// ErrorCode implements driver.Bucket.
func (d *dirDriver) ErrorCode(err error) gcerrors.ErrorCode {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return gcerrors.NotFound
	case errors.Is(err, fs.ErrExist):
		return gcerrors.FailedPrecondition
	case errors.Is(err, fs.ErrPermission):
		return gcerrors.PermissionDenied
	case errors.Is(err, errUnsupported):
		return gcerrors.Unimplemented
	}
	return gcerrors.Unknown
}

// As implements driver.Bucket: there are no types to give.
func (d *dirDriver) As(any) bool { return false }

// ErrorAs implements driver.Bucket.
func (d *dirDriver) ErrorAs(err error, i any) bool {
	p, ok := i.(**fs.PathError)
	return ok && errors.As(err, p)
}

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// statObject looks at the file of a key. What is no regular file does not exist.
func statObject(root *disk.Root, key string) (fs.FileInfo, error) {
	fi, err := root.Stat(pathOf(key))
	if err == nil && !fi.Mode().IsRegular() || isNotDir(err) {
		return nil, &fs.PathError{Op: "stat", Path: pathOf(key), Err: fs.ErrNotExist}
	}
	return fi, err
}

// removeObject deletes the file of a key and the directories that are empty then.
func removeObject(root *disk.Root, key string) error {
	if _, err := statObject(root, key); err != nil {
		return err
	}
	if err := root.Remove(pathOf(key)); err != nil {
		return err
	}
	pruneDirs(root, path.Dir(pathOf(key)))
	return nil
}

// Attributes implements driver.Bucket.
func (d *dirDriver) Attributes(_ context.Context, key string) (*driver.Attributes, error) {
	var fi fs.FileInfo
	var s sidecar
	err := d.in(false, func(root *disk.Root) (err error) {
		if fi, err = statObject(root, key); err == nil {
			s, err = readSidecar(root, key)
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return &driver.Attributes{
		CacheControl: s.CacheControl, ContentDisposition: s.ContentDisposition, ContentEncoding: s.ContentEncoding,
		ContentLanguage: s.ContentLanguage, ContentType: s.ContentType, Metadata: s.Metadata, MD5: s.MD5,
		ModTime: fi.ModTime(), Size: fi.Size(),
		ETag: fmt.Sprintf("\"%x-%x\"", fi.ModTime().UnixNano(), fi.Size()),
	}, nil
}

// ListPaged implements driver.Bucket. Each page's token is its last key, and the walk for
// the next page goes straight there.
func (d *dirDriver) ListPaged(ctx context.Context, o *driver.ListOptions) (*driver.ListPage, error) {
	if o.BeforeList != nil {
		if err := o.BeforeList(func(any) bool { return false }); err != nil {
			return nil, err
		}
	}
	size := o.PageSize
	if size <= 0 {
		size = cloud.ListPage
	}
	var page driver.ListPage
	last := ""
	add := func(object driver.ListObject) bool {
		if len(page.Objects) == size {
			page.NextPageToken = []byte(last)
			return false
		}
		page.Objects = append(page.Objects, &object)
		last = object.Key
		return true
	}
	w := walker{ctx: ctx, prefix: o.Prefix, roll: o.Delimiter == "/", after: string(o.PageToken)}
	w.yield = func(f store.Object) bool {
		dir, rolled := f.Key, f.IsDir
		if !rolled {
			dir, rolled = cloud.RolledUp(o.Prefix, o.Delimiter, f.Key)
		}
		switch {
		case rolled && (dir == last || dir == string(o.PageToken)):
			return true
		case rolled:
			return add(driver.ListObject{Key: dir, IsDir: true})
		}
		return add(driver.ListObject{Key: f.Key, Size: f.Size, ModTime: f.Modified})
	}
	if err := d.in(false, w.walk); err != nil {
		return nil, err
	}
	return &page, nil
}

// NewRangeReader implements driver.Bucket.
func (d *dirDriver) NewRangeReader(_ context.Context, key string, offset, length int64, o *driver.ReaderOptions) (driver.Reader, error) {
	var f *disk.File
	var fi fs.FileInfo
	var s sidecar
	err := d.in(false, func(root *disk.Root) (err error) {
		if f, fi, err = openObject(root, key); err == nil {
			s, err = readSidecar(root, key)
		}
		return err
	})
	if err == nil && o.BeforeRead != nil {
		err = o.BeforeRead(func(any) bool { return false })
	}
	if err != nil {
		if f != nil {
			f.Close() // nothing was read from it
		}
		return nil, err
	}
	if length < 0 || length > fi.Size() {
		length = fi.Size()
	}
	return &objectReader{
		Reader: io.NewSectionReader(f, offset, length), Closer: f,
		attributes: driver.ReaderAttributes{ContentType: s.ContentType, ModTime: fi.ModTime(), Size: fi.Size()},
	}, nil
}

type objectReader struct {
	io.Reader
	io.Closer
	attributes driver.ReaderAttributes
}

func (r *objectReader) Attributes() *driver.ReaderAttributes { return &r.attributes }
func (r *objectReader) As(any) bool                          { return false }

// Copy implements driver.Bucket.
func (d *dirDriver) Copy(ctx context.Context, to, from string, o *driver.CopyOptions) error {
	return d.in(false, func(root *disk.Root) error {
		f, _, err := openObject(root, from)
		if err != nil {
			return err
		}
		defer f.Close()
		if o.BeforeCopy != nil {
			if err := o.BeforeCopy(func(any) bool { return false }); err != nil {
				return err
			}
		}
		s, err := readSidecar(root, from)
		if err != nil {
			return err
		}
		temp, err := d.write(ctx, root, f)
		if err != nil {
			return err
		}
		return d.commit(root, temp, to, s, false)
	})
}

// Delete implements driver.Bucket.
func (d *dirDriver) Delete(_ context.Context, key string, o *driver.DeleteOptions) error {
	return d.in(false, func(root *disk.Root) error {
		if _, err := statObject(root, key); err != nil {
			return err
		}
		if o.BeforeDelete != nil {
			if err := o.BeforeDelete(func(any) bool { return false }); err != nil {
				return err
			}
		}
		if err := removeObject(root, key); err != nil {
			return err
		}
		return removeSidecar(root, key)
	})
}

// SignedURL implements driver.Bucket.
func (d *dirDriver) SignedURL(context.Context, string, *driver.SignedURLOptions) (string, error) {
	return "", fmt.Errorf("signed URLs: %w", errUnsupported)
}

// Close implements driver.Bucket.
func (d *dirDriver) Close() error { return d.letGo() }
