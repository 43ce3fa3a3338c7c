package providers

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
	"os"
	"path/filepath"

	"gocloud.dev/blob/driver"
)

// fileWriter is what gocloud.dev writes through. Archives do not: they have Put.
type fileWriter struct {
	ctx     context.Context
	driver  *fileDriver
	key     string
	file    *os.File
	md5     hash.Hash
	want    []byte // MD5 that was promised, or nil
	sidecar sidecar
	create  bool // create-only
	err     error
}

// NewTypedWriter implements driver.Bucket.
func (d *fileDriver) NewTypedWriter(ctx context.Context, key, contentType string, o *driver.WriterOptions) (driver.Writer, error) {
	if key == "" {
		return nil, errors.New("a blob needs a key")
	}
	if o.BeforeWrite != nil {
		if err := o.BeforeWrite(func(any) bool { return false }); err != nil {
			return nil, err
		}
	}
	f, err := d.temp()
	if err != nil {
		return nil, err
	}
	return &fileWriter{
		ctx: ctx, driver: d, key: key, file: f, md5: md5.New(), want: o.ContentMD5, create: o.IfNotExist,
		sidecar: sidecar{
			CacheControl: o.CacheControl, ContentDisposition: o.ContentDisposition, ContentEncoding: o.ContentEncoding,
			ContentLanguage: o.ContentLanguage, ContentType: contentType, Metadata: o.Metadata,
		},
	}, nil
}

// Write implements io.Writer.
func (w *fileWriter) Write(b []byte) (int, error) {
	w.md5.Write(b)
	n, err := w.file.Write(b)
	w.err = errors.Join(w.err, err)
	return n, err
}

// Close makes the blob, unless something went wrong or the context has ended.
func (w *fileWriter) Close() error {
	sum := w.md5.Sum(nil)
	err := w.err
	if err == nil {
		err = w.ctx.Err()
	}
	if err == nil && len(w.want) > 0 && string(w.want) != string(sum) {
		err = fmt.Errorf("the content has MD5 %x, not the promised %x", sum, w.want)
	}
	if err == nil {
		err = w.file.Sync()
	}
	if err = errors.Join(err, w.file.Close()); err != nil {
		return errors.Join(err, os.Remove(w.file.Name()))
	}
	w.sidecar.MD5 = sum
	return w.driver.commit(w.file.Name(), w.key, w.sidecar, w.create)
}

// commit gives a durable temporary file its name, over what is there or not.
func (d *fileDriver) commit(temp, key string, s sidecar, createOnly bool) error {
	defer os.Remove(temp)
	name := d.path(key)
	if createOnly {
		if err := d.create(temp, name); err != nil {
			return err
		}
	} else {
		if err := os.MkdirAll(filepath.Dir(name), dirMode); err != nil {
			return err
		}
		if err := os.Rename(temp, name); err != nil {
			return err
		}
	}
	return errors.Join(d.writeSidecar(key, s), d.syncUp(filepath.Dir(name)))
}

// sidecar holds what a file cannot say of itself. It lies apart, so that no listing
// shows it and the archive's files are nothing but its objects.
type sidecar struct {
	CacheControl, ContentDisposition, ContentEncoding, ContentLanguage, ContentType string

	Metadata map[string]string
	MD5      []byte
}

func (t *tree) sidecarPath(key string) string {
	sum := sha256.Sum256([]byte(key))
	return filepath.Join(t.root, hidden, "attributes-"+hex.EncodeToString(sum[:])+".json")
}

// readSidecar gives a blob's attributes; what has none, as all that Put makes, is bytes.
func (t *tree) readSidecar(key string) (sidecar, error) {
	s := sidecar{ContentType: "application/octet-stream"}
	b, err := os.ReadFile(t.sidecarPath(key))
	if errors.Is(err, fs.ErrNotExist) {
		return s, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &s)
	}
	return s, err
}

func (t *tree) writeSidecar(key string, s sidecar) error {
	b, err := json.Marshal(s)
	if err != nil {
		return err
	}
	f, err := t.temp()
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err == nil {
		err = os.Rename(f.Name(), t.sidecarPath(key))
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}

func (t *tree) removeSidecar(key string) error {
	err := os.Remove(t.sidecarPath(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
