// Package statefile saves small values across restarts, each as JSON in its own file. The values are status
// information: the loss of a file loses no snapshot.
package statefile

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync/atomic"
)

// maxSize bounds the bytes read from a file. It is more than any file has.
const maxSize = 4 << 20

// failures counts the writes that failed, or that hung.
var failures atomic.Int64

// Failures returns the number of writes of Dir.Save in this process that failed or hung.
func Failures() int64 { return failures.Load() }

// write replaces a file's content in one step, and creates its directory. Only the file's owner may read it. write
// does not sync: after a power loss the file is the old one, the new one, or one that Dir.Read refuses.
func write(file string, b []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	if err := os.WriteFile(file+".new", b, 0o600); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("writing %s: %w", file, err)
	}
	return nil
}

// read returns a file's content, or nil if it does not exist.
func read(file string) (b []byte, err error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		if _, missing := os.Lstat(file); missing == nil {
			return nil, fmt.Errorf("opening a state file: %w: %w", ErrUnreadable, err)
		}
		return nil, fmt.Errorf("opening a state file: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err = io.ReadAll(io.LimitReader(f, maxSize))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w: %w", file, ErrUnreadable, err)
	}
	return b, nil
}
