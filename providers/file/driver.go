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

// dirDriver is the gocloud.dev driver of a directory. gocloud's own fileblob is unsuitable: it never calls
// fsync, its create-only is not atomic, its listings show temporary files, and a listing of several pages
// loses keys. Writes through dirDriver are durable, except if they overwrite a blob with attributes, whose two
// files cannot change atomically. Archives use adapter.Put and have no attributes.
type dirDriver struct{ *tree }

var errUnsupported = errors.New("directories do not support this")

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

// As implements driver.Bucket. There are no provider types.
func (d *dirDriver) As(any) bool { return false }

// ErrorAs implements driver.Bucket.
func (d *dirDriver) ErrorAs(err error, i any) bool {
	p, ok := i.(**fs.PathError)
	return ok && errors.As(err, p)
}

func isNotDir(err error) bool { return errors.Is(err, syscall.ENOTDIR) }

// statObject returns the FileInfo of a key's file. It returns fs.ErrNotExist unless that is a regular file.
func statObject(root *disk.Root, key string) (fs.FileInfo, error) {
	fi, err := root.Stat(pathOf(key))
	if err == nil && !fi.Mode().IsRegular() || isNotDir(err) {
		return nil, &fs.PathError{Op: "stat", Path: pathOf(key), Err: fs.ErrNotExist}
	}
	return fi, err
}

// removeObject deletes the file of a key, which the caller has found there, and the directories that become empty.
func removeObject(root *disk.Root, key string) error {
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

// ListPaged implements driver.Bucket. The token of the next page is the last key of this one; the walk for the
// next page starts there.
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
			f.Close() // the error of Close does not matter: nothing was read
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
