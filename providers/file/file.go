package file

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"path"
	"path/filepath"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store"
)

// adapter is an archive in a directory. An object is a file whose path below the directory is the key. Put
// itself compares the sums while it writes. See tree for the directory and durable writes, and dirDriver for
// reads.
type adapter struct {
	cloud.Portable
	cloud.RedactedURL
	*tree
}

func openAddress(a *cloud.Address, o cloud.Options) (cloud.Bucket, error) {
	s := newAdapter(a.Dir, a.Where)
	var b countable = s
	if o.Bandwidth != nil {
		b = &throttledAdapter{s, o.Bandwidth}
	}
	if o.Counter != nil {
		b = &countedAdapter{b, o.Counter}
	}
	return b, nil
}

func newAdapter(dir string, w cloud.RedactedURL) *adapter {
	s := &adapter{RedactedURL: w, tree: &tree{root: filepath.Clean(dir)}}
	s.Portable = cloud.Portable{Bucket: cloud.NewBucket(newDriver(s.tree), cloud.PageLimit(time.Minute)), Order: &cloud.Order{}, Fail: s.fail}
	return s
}

func (s *adapter) fail(op, key string, err error) error {
	return dialect.Wrap(string(s.RedactedURL), op, key, err)
}

// HasNoClasses implements store.Classless.
func (*adapter) HasNoClasses() {}

// ReadsAtFullRate implements store.FullRate.
func (*adapter) ReadsAtFullRate() {}

// LocalDir implements store.Local.
func (s *adapter) LocalDir() string { return s.root }

// Put implements store.Store.
func (s *adapter) Put(ctx context.Context, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	if err := cloud.CheckKey(key); err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	var stored store.PutResult
	err := s.in(s.mayMake(key), func(root *disk.Root) (err error) {
		stored, err = s.put(ctx, root, key, body, sums)
		return err
	})
	if err != nil {
		return store.PutResult{}, s.fail("putting", key, err)
	}
	return stored, nil
}

func (s *adapter) put(ctx context.Context, root *disk.Root, key string, body io.ReaderAt, sums store.Sums) (store.PutResult, error) {
	name := pathOf(key)
	if stored, err := s.compareExisting(ctx, root, key, sums); err == nil || errors.Is(err, store.ErrExists) {
		return stored, err
	} else if !errors.Is(err, fs.ErrNotExist) {
		return stored, s.explain(root, name, err)
	}
	if blocked := s.blockAt(root, name); blocked != nil { // a link to a directory, in which no listing would show the object
		return store.PutResult{}, blocked
	}
	s.sweepFirst(ctx, root)
	src := cloud.NewBody(body, sums.Size)
	hashed := digest.New()
	temp, err := s.write(ctx, root, io.TeeReader(src.Section(0, sums.Size), hashed))
	if err != nil {
		return store.PutResult{}, s.explain(root, path.Join(hidden, "put-"), err)
	}
	defer root.Remove(temp) // linked or not; if this fails, a later process removes it
	if hashed.Sums() != sums {
		return store.PutResult{}, s.Mismatch(key)
	}
	if err := ctx.Err(); err != nil {
		return store.PutResult{}, err
	}
	if err := s.same(root); err != nil { // before the object exists, so the outcome is certain
		return store.PutResult{}, err
	}
	const patience = 100 // retries if Deletes of the same key run concurrently
	for range patience {
		// From here on the object exists. A crash between create and syncUp may remove it
		// again, but Put has not reported success yet.
		err = s.create(root, temp, name)
		if err == nil {
			return store.PutResult{}, s.syncUp(root, path.Dir(name))
		}
		if !errors.Is(err, fs.ErrExist) {
			break
		}
		if stored, err := s.compareExisting(ctx, root, key, sums); !errors.Is(err, fs.ErrNotExist) {
			return stored, err
		}
		if blocked := s.blockAt(root, name); blocked != nil {
			return store.PutResult{}, blocked
		}
	}
	if errors.Is(err, fs.ErrExist) { // other processes keep creating and deleting it
		return store.PutResult{}, s.Exists(key)
	}
	return store.PutResult{}, s.explain(root, name, err)
}

// compareExisting compares the existing file with sums. An equal file is success, another one is ErrExists. It
// makes an equal file durable: the process that linked it may have crashed before it did.
func (s *adapter) compareExisting(ctx context.Context, root *disk.Root, key string, sums store.Sums) (store.PutResult, error) {
	f, fi, err := openObject(root, key)
	if err != nil {
		return store.PutResult{}, err
	}
	defer f.Close()
	if blocked := s.blockAt(root, pathOf(key)); blocked != nil { // a symbolic link led to the file
		return store.PutResult{}, blocked
	}
	if fi.Size() != sums.Size {
		return store.PutResult{}, s.Exists(key)
	}
	got, err := cloud.SumUp(ctx, f)
	if err == nil && got != sums {
		return store.PutResult{}, s.Exists(key)
	}
	if err == nil {
		err = s.syncFile(root, f, key)
	}
	return store.PutResult{Existed: err == nil}, err
}

// syncFile makes a file and its name durable.
func (t *tree) syncFile(root *disk.Root, f *disk.File, key string) error {
	if err := f.Sync(); err != nil {
		return err
	}
	return t.syncUp(root, path.Dir(pathOf(key)))
}

// Sync implements store.Syncer.
func (s *adapter) Sync(ctx context.Context, key string) error {
	if err := cloud.CheckKey(key); err != nil {
		return s.fail("syncing", key, err)
	}
	err := s.inUntil(ctx, func(root *disk.Root) error {
		f, _, err := openObject(root, key)
		if err != nil {
			return err
		}
		defer f.Close()
		return s.syncFile(root, f, key)
	})
	if disk.CannotSync(err) {
		return nil
	}
	return s.fail("syncing", key, err)
}

// SyncAll implements store.Syncer. It waits until the file system has stored all writes of all programs.
func (s *adapter) SyncAll(ctx context.Context) error {
	err := s.inUntil(ctx, func(root *disk.Root) error {
		d, err := root.Open(".")
		if err != nil {
			return err
		}
		defer d.Close()
		return d.SyncAll()
	})
	return s.fail("syncing", "", err)
}

// openObject opens the file of a key. It returns fs.ErrNotExist unless that is a regular file.
func openObject(root *disk.Root, key string) (*disk.File, fs.FileInfo, error) {
	if _, err := statObject(root, key); err != nil {
		return nil, nil, err
	}
	f, err := root.Open(pathOf(key))
	if err != nil {
		return nil, nil, err
	}
	fi, err := f.Stat()
	if err != nil {
		return nil, nil, errors.Join(err, f.Close())
	}
	return f, fi, nil
}

// List implements store.Store. It reads the directories while the caller consumes the sequence. A missing
// archive directory has no objects: the first Put creates it.
func (s *adapter) List(ctx context.Context, prefix, delimiter, after string) iter.Seq2[store.Object, error] {
	return func(yield func(store.Object, error) bool) {
		if delimiter != "" && delimiter != "/" {
			err := fmt.Errorf("delimiter %q: directories support only /", delimiter)
			yield(store.Object{}, s.fail("listing", prefix, err))
			return
		}
		for o, err := range s.Portable.List(ctx, prefix, delimiter, after) {
			if errors.Is(err, fs.ErrNotExist) || !yield(o, err) || err != nil {
				return
			}
		}
		// The last page was read before the caller received its objects.
		err := s.in(false, func(*disk.Root) error { return nil })
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			yield(store.Object{}, s.fail("listing", prefix, err))
		}
	}
}

// Close closes the directory. It does not wait for operations that are still running.
func (s *adapter) Close() error { return s.letGo() }

// Sweep implements store.Sweeper.
func (s *adapter) Sweep(ctx context.Context) (int, error) {
	n := 0
	err := s.in(false, func(root *disk.Root) (err error) {
		n, err = sweepTemp(ctx, root)
		return err
	})
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	return n, s.fail("sweeping", "", err)
}

// dialect interprets the errors of the operating system.
var dialect = &cloud.Dialect{}

// Options and Bucket are those of package providers.
type (
	Options = cloud.Options
	Bucket  = cloud.Bucket
)

// Open opens the archive of a file:// URL. It does not access the directory.
func Open(_ context.Context, rawURL string, o Options) (Bucket, error) {
	a, err := cloud.Parse(rawURL, "file", nil)
	if err != nil {
		return nil, err
	}
	return openAddress(&a, o.WithDefaults())
}
