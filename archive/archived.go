package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// NotArchived is a local file whose current content is not in a snapshot, and the reason.
type NotArchived struct {
	File string `json:"file"`
	Why  string `json:"why"`
}

// Archived checks whether the current content of local files is in a snapshot, by its hash and by the files' names
// below dir. It returns the files that are not archived. All others may be deleted, since the snapshot has all of their
// content. A database's cleaner relies on the result, so a file in doubt counts as not archived. Tails never count as
// archived, since the database still writes them. Archived reads back stored content that an earlier verify found
// damaged.
func (a *Archive) Archived(ctx context.Context, m *manifest.Manifest, dir string, files []string) ([]NotArchived, error) {
	defer a.hold()()
	if err := a.makeDurable(ctx, m.Sequence, 0); err != nil {
		return nil, fmt.Errorf("snapshot %d: %w", m.Sequence, err)
	}
	m, err := a.withPages(ctx, m, pagesOf(NamesBelow(dir, files)))
	if err != nil {
		return nil, err
	}
	bad, err := a.settleFiles(ctx, m, dir, files)
	if err != nil {
		return nil, err
	}
	var missing []NotArchived
	for _, file := range files {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if why := archived(ctx, m, bad, dir, file); why != "" {
			missing = append(missing, NotArchived{file, why})
		}
	}
	return missing, nil
}

// settleFiles returns which parts of some local files' entries are missing or damaged.
func (a *Archive) settleFiles(ctx context.Context, m *manifest.Manifest, dir string, files []string) (knownBad, error) {
	l, err := a.readDamageLog(ctx, m.Archive)
	if err != nil {
		return knownBad{}, err
	}
	var asked []manifest.File
	for _, file := range files {
		name, err := nameBelow(dir, file)
		if err != nil {
			continue // archived reports it
		}
		if e := entry(m.Files, name); e != nil {
			asked = append(asked, *e)
		}
	}
	return a.settle(ctx, l, asked, nil)
}

// CountEncrypted returns how many of these local files a snapshot stores encrypted, in whole or in part, and their
// plain bytes. For these files Archived compares hashes that were taken before the encryption. It does not check that
// the stored bytes decrypt to the same content.
func CountEncrypted(m *manifest.Manifest, dir string, files []string) (count int, bytes int64) {
	for _, file := range files {
		name, err := nameBelow(dir, file)
		if err != nil {
			continue
		}
		e := entry(m.Files, name)
		if e != nil && slices.ContainsFunc(e.Parts, func(p manifest.Part) bool { return encrypted(p.Encoding) }) {
			count, bytes = count+1, bytes+e.Size
		}
	}
	return count, bytes
}

// archived returns why a file is not archived; empty if it is.
func archived(ctx context.Context, m *manifest.Manifest, bad knownBad, dir, file string) string {
	name, err := nameBelow(dir, file)
	if err != nil {
		return err.Error()
	}
	e := entry(m.Files, name)
	switch {
	case e == nil:
		return fmt.Sprintf("snapshot %d has no %s", m.Sequence, name)
	case e.State != manifest.Closed:
		return fmt.Sprintf("snapshot %d has only the beginning of it, as it was still being written", m.Sequence)
	case slices.ContainsFunc(e.Parts, func(p manifest.Part) bool { return bad.any() && bad.lost[placeOf(&p)] }):
		return "a verify found its stored content missing or damaged, and it cannot be read back intact; " +
			"the next backup stores it again"
	case slices.ContainsFunc(e.Parts, func(p manifest.Part) bool { return bad.hasPart(&p) }):
		return "the last verify found its stored content missing or damaged; the next backup stores it again"
	case e.Damaged():
		return fmt.Sprintf("it was damaged when it was archived with snapshot %d", m.Sequence)
	}
	f, err := disk.OpenNoWait(filepath.Join(dir, filepath.FromSlash(name)), os.O_RDONLY)
	if err != nil {
		return "it cannot be read: " + reason(err)
	}
	defer f.Close()
	before, err := f.Stat()
	if err != nil || !before.Mode().IsRegular() {
		return "it is no regular file"
	}
	s := digest.New()
	if err := bufcopy.Range(ctx, f, 0, before.Size(), s); err != nil {
		return "it cannot be read: " + reason(err)
	}
	after, err := f.Stat()
	switch got := s.Sums(); {
	case err != nil || after.Size() != before.Size() || !after.ModTime().Equal(before.ModTime()):
		return "it is being written to"
	case got.Size != e.Size || got.SHA256 != e.SHA256:
		return fmt.Sprintf("snapshot %d has other content under this name", m.Sequence)
	}
	return ""
}

// NamesBelow returns the names that local files have in an archive of dir. It leaves out files that can have none: they
// do not exist, or do not lie below dir.
func NamesBelow(dir string, files []string) []string {
	names := make([]string, 0, len(files))
	for _, file := range files {
		if name, err := nameBelow(dir, file); err == nil {
			names = append(names, name)
		}
	}
	return names
}

// nameBelow returns the name that a local file has in an archive.
func nameBelow(dir, file string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", fmt.Errorf("its directory's path: %w", err)
	}
	if !filepath.IsAbs(file) {
		if _, err := os.Lstat(file); err != nil { // a name as the archive has it
			file = filepath.Join(dir, file)
		} else if file, err = filepath.Abs(file); err != nil {
			return "", fmt.Errorf("its path: %w", err)
		}
	}
	root, err1 := filepath.EvalSymlinks(dir)
	parent, err2 := filepath.EvalSymlinks(filepath.Dir(file))
	if err1 != nil || err2 != nil {
		return "", errors.New("it is not there")
	}
	rel, err := filepath.Rel(root, filepath.Join(parent, filepath.Base(file)))
	if err != nil || !filepath.IsLocal(rel) {
		return "", fmt.Errorf("it does not lie below %s", dir)
	}
	return filepath.ToSlash(rel), nil
}

func reason(err error) string {
	if p, ok := errors.AsType[*fs.PathError](err); ok {
		return p.Err.Error()
	}
	return err.Error()
}
