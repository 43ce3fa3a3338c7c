package disk

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// File is an open file or directory, with a part of os.File's methods. It has no ReadFrom, so that io.Copy writes
// through Write.
type File struct {
	file    *os.File
	by      Observer // nil if there is none
	offset  int64    // of the next Write; valid only with an Observer
	appends bool     // the file is open for appending: Write writes to its end
}

// opened opens a file by do; op describes the operation.
func (f *File) opened(do func() error, op *Op) (*File, error) {
	if f.by != nil {
		op.Path = absolute(op.Path)
	}
	if err := f.change(op, do); err != nil {
		return nil, err
	}
	return f, nil
}

func (f *File) change(op *Op, do func() error) error {
	if f.by == nil {
		return do()
	}
	return f.by.Change(op, do)
}

// Write is os.File's.
func (f *File) Write(b []byte) (n int, err error) {
	if f.by == nil {
		return f.file.Write(b)
	}
	if f.appends {
		fi, err := f.file.Stat()
		if err != nil {
			return 0, err
		}
		f.offset = fi.Size()
	}
	n, err = f.observe(b, f.offset, func() (int, error) { return f.file.Write(b) })
	f.offset += int64(n)
	return n, err
}

// WriteAt is os.File's.
func (f *File) WriteAt(b []byte, offset int64) (int, error) {
	if f.by == nil {
		return f.file.WriteAt(b, offset)
	}
	return f.observe(b, offset, func() (int, error) { return f.file.WriteAt(b, offset) })
}

// observe passes a write to the Observer, with the bytes that were written, which may be fewer than b.
func (f *File) observe(b []byte, offset int64, write func() (int, error)) (n int, err error) {
	op := &Op{Kind: Write, File: f, Offset: offset}
	seen := f.by.Change(op, func() error {
		n, err = write()
		op.Data = b[:n]
		if n > 0 {
			return nil
		}
		return err
	})
	return n, errors.Join(err, seen)
}

// Seek is os.File's.
func (f *File) Seek(offset int64, whence int) (int64, error) {
	at, err := f.file.Seek(offset, whence)
	if err == nil {
		f.offset = at
	}
	return at, err
}

// Truncate is os.File's.
func (f *File) Truncate(size int64) error {
	return f.change(&Op{Kind: Truncate, File: f, Offset: size}, func() error { return f.file.Truncate(size) })
}

// Sync is os.File's.
func (f *File) Sync() error {
	return f.change(&Op{Kind: Sync, File: f}, f.file.Sync)
}

// CanSyncAll reports whether SyncAll is the way to make that many files durable which are written from now on: it
// reports each error of these writes, and costs less than a Sync of each file. SyncAll
// also waits for what other programs have written.
func (f *File) CanSyncAll(files int) bool {
	if by, ok := f.by.(interface{ CanSyncAll() bool }); ok {
		return by.CanSyncAll()
	}
	return files >= manyFiles && canSyncAll(int(f.file.Fd()))
}

// manyFiles is how many files make one SyncAll cheaper than a Sync of each, also where other programs write a lot.
const manyFiles = 200

// SyncAll makes everything durable that was written to the file's file system.
func (f *File) SyncAll() error {
	return f.change(&Op{Kind: SyncAll, File: f}, func() error {
		if err := syncAll(int(f.file.Fd())); err != nil {
			return &fs.PathError{Op: "sync all", Path: f.file.Name(), Err: err}
		}
		return nil
	})
}

// Chown is os.File's. Nothing depends on whether an owner survives.
func (f *File) Chown(uid, gid int) error { return f.file.Chown(uid, gid) }

// Chmod is os.File's. Nothing depends on whether a mode survives.
func (f *File) Chmod(mode os.FileMode) error { return f.file.Chmod(mode) }

// Read is os.File's.
func (f *File) Read(b []byte) (int, error) { return f.file.Read(b) }

// ReadAt is os.File's.
func (f *File) ReadAt(b []byte, offset int64) (int, error) { return f.file.ReadAt(b, offset) }

// ReadDir is os.File's.
func (f *File) ReadDir(n int) ([]fs.DirEntry, error) { return f.file.ReadDir(n) }

// Stat is os.File's.
func (f *File) Stat() (fs.FileInfo, error) { return f.file.Stat() }

// Fd is os.File's.
func (f *File) Fd() uintptr { return f.file.Fd() }

// Close is os.File's.
func (f *File) Close() error { return f.file.Close() }

var (
	_ io.ReaderAt = (*File)(nil)
	_ io.WriterAt = (*File)(nil)
)
