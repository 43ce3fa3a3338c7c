package file

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/store"
)

var _ store.BlockFinder = (*adapter)(nil)

// FindBlock implements store.BlockFinder.
func (s *adapter) FindBlock(ctx context.Context, key string) (found *store.Blocked, err error) {
	if err = ctx.Err(); err == nil {
		err = cloud.CheckKey(key)
	}
	if err == nil {
		err = s.in(false, func(root *disk.Root) error {
			found = s.blockAt(root, pathOf(key))
			return nil
		})
	}
	if errors.Is(err, fs.ErrNotExist) { // the archive's directory
		return nil, nil
	}
	return found, s.fail("checking", key, err)
}

// blockAt returns what keeps a file from being created under a name; nil if nothing does. A symbolic link counts, also
// to a file or directory of the right kind: no listing follows it, so what is stored there would never be listed.
func (t *tree) blockAt(root *disk.Root, name string) *store.Blocked {
	at, mode, found := firstBlock(root, name)
	if !found {
		return nil
	}
	return t.blocked(name, at, mode)
}

// blocked returns that something of this mode keeps a file from being created under a name: at, one of its elements.
func (t *tree) blocked(name, at string, mode fs.FileMode) *store.Blocked {
	return &store.Blocked{Path: filepath.Join(t.root, at), What: disk.KindOf(mode), AtKey: at == name}
}

// firstBlock returns the first element of a name that is no directory, or at its end no file.
func firstBlock(root *disk.Root, name string) (at string, mode fs.FileMode, found bool) {
	for end := 0; at != name; end++ {
		if at = name; strings.Contains(name[end:], "/") {
			end += strings.IndexByte(name[end:], '/')
			at = name[:end]
		}
		fi, err := root.Lstat(at)
		if err != nil {
			return "", 0, false // most likely it does not exist; any other error is the operation's own
		}
		if isLast := at == name; isLast != fi.Mode().IsRegular() || !isLast && !fi.IsDir() {
			return at, fi.Mode(), true
		}
	}
	return "", 0, false
}

// explain returns a *store.Blocked if that is why an operation on a name failed, and otherwise its error.
func (t *tree) explain(root *disk.Root, name string, err error) error {
	if blocked := t.blockAt(root, name); blocked != nil {
		return blocked
	}
	return err
}
