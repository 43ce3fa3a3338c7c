package disk

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"

	"golang.org/x/sys/unix"
)

// ErrNotRegular means that a name is that of a directory, a named pipe, a socket or a device.
var ErrNotRegular = errors.New("it is no regular file")

// ErrTooLarge means that a file has more bytes than the caller allows.
var ErrTooLarge = errors.New("it is too large")

// OpenRegular is OpenFile for regular files. For others it returns ErrNotRegular. It does not wait for the other end of
// a named pipe.
func OpenRegular(path string, flag int, mode os.FileMode) (*File, error) {
	f, err := OpenFile(path, flag, mode)
	if errors.Is(err, unix.ENXIO) { // a socket, or a pipe without a reader
		return nil, notRegular(path, "a named pipe or a socket")
	}
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = notRegular(path, KindOf(info.Mode()))
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func notRegular(path, kind string) error {
	return fmt.Errorf("%s is %s: %w; put a regular file there", path, kind, ErrNotRegular)
}

// KindOf returns what a name is, such as "a named pipe".
func KindOf(mode fs.FileMode) string {
	switch {
	case mode.IsRegular():
		return "a file"
	case mode&fs.ModeSymlink != 0:
		return "a symbolic link"
	case mode.IsDir():
		return "a directory"
	case mode&fs.ModeNamedPipe != 0:
		return "a named pipe"
	case mode&fs.ModeSocket != 0:
		return "a socket"
	}
	return "a device"
}

// ReadRegular returns the content of a regular file, and ErrTooLarge if it has more than most bytes.
func ReadRegular(path string, most int64) (b []byte, err error) {
	f, err := OpenRegular(path, os.O_RDONLY, 0)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return readAll(f, most)
}

// readAll returns the content of an open file, or ErrTooLarge.
func readAll(f *File, most int64) ([]byte, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.Size() > most {
		return nil, fmt.Errorf("%s has %d bytes, and %d are allowed: %w", f.file.Name(), info.Size(), most, ErrTooLarge)
	}
	var text bytes.Buffer
	text.Grow(int(min(info.Size(), most)) + bytes.MinRead)
	if _, err := io.Copy(&text, io.LimitReader(f, most+1)); err != nil {
		return nil, err
	}
	if int64(text.Len()) > most {
		return nil, fmt.Errorf("%s has more than %d bytes: %w", f.file.Name(), most, ErrTooLarge)
	}
	return text.Bytes(), nil
}
