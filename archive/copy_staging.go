package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sync/semaphore"

	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
)

const (
	copyInMemory = 16 << 20         // the largest object that is held in memory on its way
	copyMemory   = 4 * copyInMemory // for all objects on their way
	scratchFiles = 2                // one is read from the source while the other is sent
)

// stagedObject is an object of the source, whole, and found to be what the manifest says.
type stagedObject struct {
	io.ReaderAt
	release func()
}

// fetch reads an object of the source, once, and compares it with what is promised: a
// large one into a scratch file, as providers read what they send more than once. Of a
// bundle it learns the sums. The error is a lostError when the source does not have it.
func (c *copyRun) fetch(ctx context.Context, o *copyObject) (*stagedObject, error) {
	if o.bundle {
		is, err := c.from.store.Stat(ctx, o.key)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil, lostObject(o.key, err)
		case err != nil:
			return nil, fmt.Errorf("looking at %s in the source: %w", o.key, err)
		case is.Size < o.sums.Size || is.Size > manifest.MaxBundle:
			return nil, lostObject(o.key, fmt.Errorf("it has %d bytes, and its parts reach to %d: %w", is.Size, o.sums.Size, ErrDamaged))
		}
		o.sums.Size = is.Size
	}
	to, content, err := c.staging.newObject(ctx, o.sums.Size)
	if err != nil {
		return nil, err
	}
	if err := c.fetchInto(ctx, o, to); err != nil {
		content.release()
		return nil, err
	}
	return content, nil
}

// A stagingArea is where objects lie on their way from one archive to another. It bounds what
// all of them take together.
type stagingArea struct {
	memory  *semaphore.Weighted // bytes of objects
	scratch *semaphore.Weighted // files
	dir     string              // of the files; empty: the system's
}

func newStagingArea(dir string) *stagingArea {
	return &stagingArea{memory: semaphore.NewWeighted(copyMemory), scratch: semaphore.NewWeighted(scratchFiles), dir: dir}
}

// newObject waits for a place for so many bytes: to is what they are written to, in order. Who
// has one gives it back before it waits for another.
func (c *stagingArea) newObject(ctx context.Context, size int64) (to io.WriterAt, content *stagedObject, err error) {
	if size <= copyInMemory {
		if err := acquireWeight(ctx, c.memory, size); err != nil {
			return nil, nil, err
		}
		b := make(memoryFile, size)
		return b, &stagedObject{bytes.NewReader(b), func() { c.memory.Release(size) }}, nil
	}
	if err := acquireWeight(ctx, c.scratch, 1); err != nil {
		return nil, nil, err
	}
	dir := c.dir
	if dir == "" {
		dir = os.TempDir()
	}
	f, err := os.CreateTemp(dir, ".strongroom-copy-*")
	if err == nil {
		if err = os.Remove(f.Name()); err != nil { // it is gone with the process, whatever becomes of that
			f.Close()
		}
	}
	if err != nil {
		c.scratch.Release(1)
		return nil, nil, fmt.Errorf("making a scratch file for an object of %d bytes: %w", size, err)
	}
	return f, &stagedObject{f, func() { f.Close(); c.scratch.Release(1) }}, nil
}

func acquireWeight(ctx context.Context, s *semaphore.Weighted, n int64) error {
	if s.Acquire(ctx, n) != nil {
		return context.Cause(ctx)
	}
	return nil
}

// memoryFile is written to like a file.
type memoryFile []byte

func (m memoryFile) WriteAt(b []byte, off int64) (int, error) { return copy(m[off:], b), nil }

// fetchInto reads an object until it is what it should be, a few times.
func (c *copyRun) fetchInto(ctx context.Context, o *copyObject, to io.WriterAt) error {
	for attempt := 0; ; attempt++ {
		err := c.fetchOnce(ctx, o, to)
		var local *sinkError
		switch {
		case err == nil:
			return nil
		case ctx.Err() != nil:
			return context.Cause(ctx)
		case errors.As(err, &local):
			return fmt.Errorf("writing a scratch file for %s, which has %d bytes; is there room for two objects of this size? %w", o.key, o.sums.Size, local.error)
		case errors.Is(err, fs.ErrNotExist):
			return lostObject(o.key, err)
		case errors.As(err, new(*openError)):
			return fmt.Errorf("reading %s from the source: %w", o.key, err)
		case attempt == fetchAttempts-1 && errors.Is(err, ErrDamaged):
			return lostObject(o.key, err)
		case attempt == fetchAttempts-1:
			return fmt.Errorf("reading %s from the source, after %d attempts: %w", o.key, fetchAttempts, err)
		}
		if err := pause(ctx, attempt); err != nil {
			return err
		}
	}
}

func (c *copyRun) fetchOnce(ctx context.Context, o *copyObject, to io.WriterAt) error {
	s := digest.New()
	if o.sums.Size > 0 { // an empty range cannot be asked for
		r := &resumingReader{ctx: ctx, a: c.from, key: o.key, left: o.sums.Size}
		defer r.close()
		buf := buffers.Get().(*[digestBuffer]byte)
		defer buffers.Put(buf)
		out := io.MultiWriter(sinkWriter{io.NewOffsetWriter(to, 0)}, s)
		if _, err := io.CopyBuffer(onlyWriter{out}, r, buf[:]); err != nil {
			return err
		}
	}
	got := s.Sums()
	if o.bundle && got.SHA256 == o.sums.SHA256 {
		o.sums.CRC32C = got.CRC32C
	}
	switch {
	case got.SHA256 != o.sums.SHA256:
		return fmt.Errorf("%w: its bytes hash to %s, not to %s", ErrDamaged, got.SHA256, o.sums.SHA256)
	case got.CRC32C != o.sums.CRC32C:
		return fmt.Errorf("%w: its bytes have the CRC-32C %s, and the manifest says %s", ErrDamaged, got.CRC32C, o.sums.CRC32C)
	}
	return nil
}
