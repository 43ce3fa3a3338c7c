package file

import (
	"context"
	"crypto/md5"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io/fs"
	"path"

	"gocloud.dev/blob/driver"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// objectWriter is the writer of gocloud.dev. Archives do not use it: they have Put.
type objectWriter struct {
	ctx     context.Context
	driver  *dirDriver
	root    *disk.Root
	key     string
	file    *disk.File
	temp    string // the file's name
	md5     hash.Hash
	want    []byte // the expected MD5, or nil
	sidecar sidecar
	create  bool // create-only
	err     error
}

// NewTypedWriter implements driver.Bucket.
func (d *dirDriver) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	if key == "" {
		return nil, errors.New("a blob needs a key")
	}
	if o.BeforeWrite != nil {
		if err := o.BeforeWrite(func(any) bool { return false }); err != nil {
			return nil, err
		}
	}
	root, err := d.enter(d.mayMake(key))
	if err != nil {
		return nil, err
	}
	f, name, err := tempFile(root)
	if err != nil {
		d.leave()
		return nil, err
	}
	return &objectWriter{
		ctx: ctx, driver: d, root: root, key: key, file: f, temp: name, md5: md5.New(), want: o.ContentMD5, create: o.IfNotExist,
		sidecar: sidecar{
			CacheControl: o.CacheControl, ContentDisposition: o.ContentDisposition, ContentEncoding: o.ContentEncoding,
			ContentLanguage: o.ContentLanguage, ContentType: contentType, Metadata: o.Metadata,
		},
	}, nil
}

// Write implements io.Writer.
func (w *objectWriter) Write(b []byte) (int, error) {
	w.md5.Write(b)
	n, err := w.file.Write(b)
	w.err = errors.Join(w.err, err)
	return n, err
}

// Close creates the blob, unless a write failed or the context has ended.
func (w *objectWriter) Close() error {
	defer w.driver.leave()
	sum := w.md5.Sum(nil)
	err := w.err
	if err == nil {
		err = w.ctx.Err()
	}
	if err == nil && len(w.want) > 0 && string(w.want) != string(sum) {
		err = fmt.Errorf("the content has MD5 %x, not the expected %x", sum, w.want)
	}
	if err == nil {
		err = w.file.Sync()
	}
	if err = errors.Join(err, w.file.Close()); err != nil {
		return errors.Join(err, w.root.Remove(w.temp))
	}
	w.sidecar.MD5 = sum
	err = w.driver.same(w.root)
	if err == nil {
		err = w.driver.commit(w.root, w.temp, w.key, w.sidecar, w.create)
	}
	return err
}

// commit gives a durable temporary file its final name. It replaces an existing file unless createOnly is set.
func (d *dirDriver) commit(root *disk.Root, temp, key string, s sidecar, createOnly bool) error {
	defer root.Remove(temp)
	name := pathOf(key)
	if createOnly {
		if err := d.create(root, temp, name); err != nil {
			return err
		}
	} else {
		if err := root.MkdirAll(path.Dir(name), dirMode); err != nil {
			return err
		}
		if err := root.Rename(temp, name); err != nil {
			return err
		}
	}
	return errors.Join(writeSidecar(root, key, s), d.syncUp(root, path.Dir(name)))
}

// sidecar has the attributes that a file cannot have. It is stored in the hidden directory, so that no listing
// shows it and the archive has no files but its objects.
type sidecar struct {
	CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, ContentType string

	Metadata map[string]string
	MD5      []byte
}

func sidecarPath(key string) string {
	sum := sha256.Sum256([]byte(key))
	return path.Join(hidden, "attributes-"+hex.EncodeToString(sum[:])+".json")
}

// readSidecar returns a blob's attributes. A blob without a sidecar, such as each object that Put creates, is
// an application/octet-stream.
func readSidecar(root *disk.Root, key string) (sidecar, error) {
	s := sidecar{ContentType: "application/octet-stream"}
	b, err := root.ReadFile(sidecarPath(key))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}

func writeSidecar(root *disk.Root, key string, s sidecar) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, name, err := tempFile(root)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = root.Rename(name, sidecarPath(key))
	}
	if err != nil {
		return errors.Join(err, root.Remove(name))
	}
	return nil
}

func removeSidecar(root *disk.Root, key string) error {
	err := root.Remove(sidecarPath(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
