package restoredir

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

const (
	// ownerMay are the permission bits that the database needs to open its files.
	ownerMay = 0o600
	// specialModes let a file run with the rights of its owner; no file that a restore makes has them.
	specialModes = fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
)

// ReplaceShared replaces a file that has the right content if something outside the restored set could still change it,
// and reports whether it did. Such a file has a second name (a hard link), another owner, or a mode by which other
// users may write it. A write of the database to a file with a second name would also change the other file. It also
// replaces a file that its owner may not read and write, or that has a special mode. Other modes stay as they are.
// The content comes from the file itself, so nothing is fetched.
func (d *Dir) ReplaceShared(ctx context.Context, f *manifest.File) (bool, error) {
	info, err := d.root.Lstat(f.Name)
	if err != nil {
		return false, fmt.Errorf("%s: reading its attributes: %w", f.Name, err)
	}
	if !d.isShared(info) {
		return false, nil
	}
	in, err := d.root.Open(f.Name)
	if err != nil {
		return false, fmt.Errorf("%s: opening it to replace it: %w", f.Name, err)
	}
	defer in.Close()
	return true, d.WriteFile(ctx, f, func(out *disk.File) error { return copyChecked(ctx, out, in, f) })
}

// isShared reports whether a file differs from what a restore makes in one of the ways that ReplaceShared has.
func (d *Dir) isShared(info fs.FileInfo) bool {
	mode := info.Mode()
	return linksOf(info) > 1 || mode&specialModes != 0 || mode.Perm()&ownerMay != ownerMay ||
		checkOwner(info.Name(), info, d.knownOwner) != nil
}

// knownOwner is newOwner for a file. It makes one new file for all: a target may have many files of another owner.
func (d *Dir) knownOwner(bool) (fs.FileInfo, error) {
	d.ownerOnce.Do(func() { d.ownerInfo, d.ownerErr = d.newOwner(false) })
	return d.ownerInfo, d.ownerErr
}

// linksOf returns how many names a file has; 1 if that is not known.
func linksOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}

// isOfDirectory reports whether a file has one name, and belongs to this user or to the owner of its directory: an
// operator gives a restored directory to the database's user with all that is in it.
func (d *Dir) isOfDirectory(info fs.FileInfo) (bool, error) {
	top, err := d.root.Stat(".")
	if err != nil {
		return false, fmt.Errorf("reading the attributes of the target: %w", err)
	}
	file, ok1 := info.Sys().(*syscall.Stat_t)
	dir, ok2 := top.Sys().(*syscall.Stat_t)
	isKnown := ok1 && ok2
	return linksOf(info) <= 1 && (!isKnown || int(file.Uid) == os.Geteuid() || file.Uid == dir.Uid), nil
}

// areKept reports whether AlreadyThere accepts the owners, modes and links of these files.
func (d *Dir) areKept(files []*manifest.File, isStrict bool) (bool, error) {
	for _, f := range files {
		info, err := d.root.Lstat(f.Name)
		if errors.Is(err, fs.ErrNotExist) {
			return false, nil
		}
		if err != nil {
			return false, fmt.Errorf("%s: reading its attributes: %w", f.Name, err)
		}
		isKept := true
		if isStrict {
			isKept = !d.isShared(info)
		} else {
			isKept, err = d.isOfDirectory(info)
		}
		if err != nil || !isKept {
			return false, err
		}
	}
	return true, nil
}

// copyChecked copies a file, and checks what was written: another process may have changed the file since it was found
// right.
func copyChecked(ctx context.Context, out, in *disk.File, f *manifest.File) error {
	if _, err := bufcopy.All(out, &untilDone{ctx, io.NewSectionReader(in, 0, f.Size)}); err != nil {
		return fmt.Errorf("%s: copying it: %w", f.Name, err)
	}
	is, err := bufcopy.Sums(ctx, out, f.Size)
	if err != nil {
		return fmt.Errorf("%s: checking the copy: %w", f.Name, err)
	}
	if is.SHA256 != f.SHA256 {
		return fmt.Errorf("%w: another process has changed %s since it was found right", ErrOccupied, f.Name)
	}
	return nil
}

// An untilDone reads until its context ends.
type untilDone struct {
	ctx context.Context
	r   io.Reader
}

func (u *untilDone) Read(b []byte) (int, error) {
	if u.ctx.Err() != nil {
		return 0, context.Cause(u.ctx)
	}
	return u.r.Read(b)
}
