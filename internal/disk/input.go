package disk

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

const (
	// inputLimit is the time after which the disk of a file counts as hanging.
	inputLimit = 10 * time.Second
	// pipeLimit is the same for a pipe. The program at its other end may wait for a passphrase.
	pipeLimit = 2 * time.Minute
)

// ReadInput returns the content of a file that an operator names, or its first most bytes. The file may be a pipe, such as
// that of a shell's <(command). ReadInput returns an error if nothing comes for minutes, and when ctx ends.
func ReadInput(ctx context.Context, path string, most int64) ([]byte, error) {
	info, err := Within(ctx, path, inputLimit, func() (fs.FileInfo, error) { return os.Stat(path) })
	if err != nil {
		return nil, err
	}
	limit := inputLimit
	if !info.Mode().IsRegular() {
		limit = pipeLimit
	}
	b, err := Within(ctx, path, limit, func() ([]byte, error) { return readFirst(path, most) })
	if errors.Is(err, ErrHangs) && !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%w; it is %s: write to it, or name a regular file", err, KindOf(info.Mode()))
	}
	return b, err
}

func readFirst(path string, most int64) (b []byte, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	return io.ReadAll(io.LimitReader(f, most))
}

// ReadSetting returns the content of a regular file that the program reads repeatedly, such as a certificate, and its
// attributes. It returns ErrNotRegular for others, ErrTooLarge above most bytes, and an error when ctx ends or the disk
// hangs.
func ReadSetting(ctx context.Context, path string, most int64) ([]byte, fs.FileInfo, error) {
	type content struct {
		text []byte
		info fs.FileInfo
	}
	c, err := Within(ctx, path, inputLimit, func() (c content, err error) {
		f, err := OpenRegular(path, os.O_RDONLY, 0)
		if err != nil {
			return c, err
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		if c.info, err = f.Stat(); err == nil {
			c.text, err = readAll(f, most)
		}
		return c, err
	})
	return c.text, c.info, err
}
