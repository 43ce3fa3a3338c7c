package providers

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"gocloud.dev/blob"

	"github.com/strongroom-dev/strongroom/archive"
)

// fileStore is an archive in a directory. An object is a file of its key's name below
// it; what a provider would check, Put checks while writing. See tree for how a file is
// made durably, and fileDriver for reading.
type fileStore struct {
	portable
	where
	*tree
}

func openFile(a *address, o Options) (Bucket, error) {
	s := newFileStore(a.dir, a.where)
	var b fileBucket = s
	if o.Bandwidth != nil {
		b = &slowed{s, o.Bandwidth}
	}
	if o.Counter != nil {
		b = &countedFile{b, o.Counter}
	}
	return b, nil
}

func newFileStore(dir string, w where) *fileStore {
	s := &fileStore{where: w, tree: &tree{root: filepath.Clean(dir)}}
	s.portable = portable{bucket: blob.NewBucket(&fileDriver{s.tree}), fail: s.fail}
	return s
}

func (s *fileStore) fail(op, key string, err error) error {
	return wrap(string(s.where), op, key, "", err)
}

func (t *tree) path(key string) string { return filepath.Join(t.root, filePath(key)) }

// Put implements archive.Store.
func (s *fileStore) Put(ctx context.Context, key string, body io.ReaderAt, sums archive.Sums) (archive.Stored, error) {
	if err := checkKey(key); err != nil {
		return archive.Stored{}, s.fail("putting", key, err)
	}
	if stored, err := s.settle(ctx, key, sums); !errors.Is(err, fs.ErrNotExist) {
		return stored, err
	}
	src := &source{body, sums.Size}
	hashed := newSummer()
	temp, err := s.write(ctx, io.TeeReader(src.section(0, sums.Size), hashed))
	if err != nil {
		return archive.Stored{}, s.fail("putting", key, err)
	}
	defer os.Remove(temp) // linked or not; Sweep finds it where this fails
	if hashed.sums() != sums {
		return archive.Stored{}, s.mismatch(key)
	}
	if err := ctx.Err(); err != nil {
		return archive.Stored{}, s.fail("putting", key, err)
	}
	const patience = 100 // of a race with Deletes of the same key
	name := s.path(key)
	for range patience {
		// From here on the object is there. A crash between create and syncUp may take
		// it away again, but nobody was told of it.
		err = s.create(temp, name)
		if err == nil {
			return archive.Stored{}, s.fail("putting", key, s.syncUp(filepath.Dir(name)))
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		if stored, err := s.settle(ctx, key, sums); !errors.Is(err, fs.ErrNotExist) {
			return stored, err
		}
	}
	if errors.Is(err, fs.ErrExist) { // such as a directory, which is no object
		return archive.Stored{}, s.exists(key)
	}
	return archive.Stored{}, s.fail("putting", key, err)
}

// settle compares the file that is there already with what was to be put. When it is the
// same it is made durable: whoever linked it may not have come to that.
func (s *fileStore) settle(ctx context.Context, key string, sums archive.Sums) (archive.Stored, error) {
	f, fi, err := s.open(key)
	if err != nil {
		return archive.Stored{}, s.fail("putting", key, err)
	}
	defer f.Close()
	if fi.Size() != sums.Size {
		return archive.Stored{}, s.exists(key)
	}
	got, err := sumUp(ctx, f)
	if err == nil && got != sums {
		return archive.Stored{}, s.exists(key)
	}
	if err == nil {
		err = s.syncFile(f)
	}
	return archive.Stored{Existed: err == nil}, s.fail("putting", key, err)
}

// syncFile makes a file with its name durable.
func (t *tree) syncFile(f *os.File) error {
	if err := f.Sync(); err != nil {
		return err
	}
	return t.syncUp(filepath.Dir(f.Name()))
}

// Sync implements archive.Syncer.
func (s *fileStore) Sync(_ context.Context, key string) error {
	if err := checkKey(key); err != nil {
		return s.fail("syncing", key, err)
	}
	f, _, err := s.open(key)
	if err != nil {
		return s.fail("syncing", key, err)
	}
	defer f.Close()
	return s.fail("syncing", key, s.syncFile(f))
}

// open opens the file of a key. What is no regular file does not exist.
func (t *tree) open(key string) (*os.File, fs.FileInfo, error) {
	fi, err := os.Stat(t.path(key))
	if err == nil && !fi.Mode().IsRegular() || isNotDir(err) {
		err = &fs.PathError{Op: "open", Path: t.path(key), Err: fs.ErrNotExist}
	}
	if err != nil {
		return nil, nil, err
	}
	f, err := os.Open(t.path(key))
	if err != nil {
		return nil, nil, err
	}
	if fi, err = f.Stat(); err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, fi, nil
}

// Stat implements archive.Store. A file system tells no checksum.
func (s *fileStore) Stat(_ context.Context, key string) (archive.Object, error) {
	if err := checkKey(key); err != nil {
		return archive.Object{}, s.fail("looking at", key, err)
	}
	fi, err := s.stat(key)
	if err != nil {
		return archive.Object{}, s.fail("looking at", key, err)
	}
	return archive.Object{Key: key, Size: fi.Size(), Modified: fi.ModTime()}, nil
}

// List implements archive.Store. It walks the tree once, as it goes. A directory that
// does not exist yet holds nothing: the first Put makes it.
func (s *fileStore) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[archive.Object, error] {
	return func(yield func(archive.Object, error) bool) {
		if delimiter != "" && delimiter != "/" {
			yield(archive.Object{}, s.fail("listing", prefix, fmt.Errorf("delimiter %q: directories know only /", delimiter)))
			return
		}
		w := walker{
			ctx: ctx, root: s.root, prefix: prefix, roll: delimiter != "", after: after,
			yield: func(o archive.Object) bool { return yield(o, nil) },
		}
		if err := w.walk(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			yield(archive.Object{}, s.fail("listing", prefix, err))
		}
	}
}

// Delete implements archive.Store. Directories that it empties are removed.
func (s *fileStore) Delete(ctx context.Context, keys []string) error {
	var errs []error
	for _, key := range keys {
		err := ctx.Err()
		if err == nil {
			err = checkKey(key)
		}
		if err == nil {
			err = s.remove(key)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, s.fail("deleting", key, err))
		}
	}
	return errors.Join(errs...)
}

// Sweep implements archive.Sweeper.
func (s *fileStore) Sweep(ctx context.Context) (int, error) {
	n, err := s.sweep(ctx)
	return n, s.fail("sweeping", "", err)
}
