package staging

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"

	"golang.org/x/sync/semaphore"
)

const (
	copyInMemory = 16 << 20         // the largest object that is held in memory in transit
	copyMemory   = 4 * copyInMemory // for all objects in transit
	scratchFiles = 2                // one is read from the source while the other is sent
)

// Object is a whole object of the source whose content matches the manifest.
type Object struct {
	io.ReaderAt
	Release func() // is called once the content is not needed any more
}

// An Area holds objects in transit from one archive to another. It limits the memory and the scratch files that
// all of them use together.
type Area struct {
	memory  *semaphore.Weighted // bytes of objects
	scratch *semaphore.Weighted // files
	dir     string              // of the files; empty: os.TempDir
}

// NewArea returns an area with its scratch files in a directory; empty means os.TempDir.
func NewArea(dir string) *Area {
	return &Area{memory: semaphore.NewWeighted(copyMemory), scratch: semaphore.NewWeighted(scratchFiles), dir: dir}
}

// NewObject waits for room for size bytes. The caller writes them to to, in order, and releases the object before it
// waits for another one.
func (c *Area) NewObject(ctx context.Context, size int64) (to io.WriterAt, content *Object, err error) {
	if size <= copyInMemory {
		if err := acquireWeight(ctx, c.memory, size); err != nil {
			return nil, nil, err
		}
		b := make(memoryFile, size)
		return b, &Object{bytes.NewReader(b), func() { c.memory.Release(size) }}, nil
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
		if err = os.Remove(f.Name()); err != nil { // the file is deleted when the process ends, however it ends
			f.Close()
		}
	}
	if err != nil {
		c.scratch.Release(1)
		return nil, nil, fmt.Errorf("making a scratch file for an object of %d bytes: %w", size, err)
	}
	return f, &Object{f, func() { f.Close(); c.scratch.Release(1) }}, nil
}

func acquireWeight(ctx context.Context, s *semaphore.Weighted, n int64) error {
	if s.Acquire(ctx, n) != nil {
		return context.Cause(ctx)
	}
	return nil
}

// memoryFile is an io.WriterAt in memory.
type memoryFile []byte

func (m memoryFile) WriteAt(b []byte, off int64) (int, error) { return copy(m[off:], b), nil }

// PartWriter is the sink of a file that is stored at an offset in an object.
type PartWriter struct {
	To         io.WriterAt
	From, done int64
}

func (s *PartWriter) Write(b []byte) (int, error) {
	n, err := s.To.WriteAt(b, s.From+s.done)
	s.done += int64(n)
	return n, err
}

func (s *PartWriter) Rewind(length int64) error {
	s.done = length
	return nil
}

// ScratchSpace returns temporary space for size bytes: in memory, or above copyInMemory in an unnamed file.
func ScratchSpace(dir string, size int64) (to io.WriterAt, content *Object, err error) {
	if size <= copyInMemory {
		b := make(memoryFile, size)
		return b, &Object{bytes.NewReader(b), func() {}}, nil
	}
	if dir == "" {
		dir = os.TempDir()
	}
	f, err := os.CreateTemp(dir, ".strongroom-repair-*")
	if err == nil {
		if err = os.Remove(f.Name()); err != nil {
			f.Close()
		}
	}
	if err != nil {
		return nil, nil, fmt.Errorf("making a scratch file: %w", err)
	}
	return f, &Object{f, func() { f.Close() }}, nil
}
