package snapshots

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/bufcopy"
	"github.com/strongroom-dev/strongroom/archive/internal/findings"
	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/manifest"
)

// Archived implements the method of archive.Archive.
func Archived(ctx context.Context, a *repo.Repo, m *manifest.Manifest, dir string, files []string) ([]values.NotArchived, error) {
	defer a.Begin()()
	if err := a.MakeDurable(ctx, m.Sequence, 0); err != nil {
		return nil, fmt.Errorf("snapshot %d: %w", m.Sequence, err)
	}
	m, err := a.WithPages(ctx, m, repo.PagesOf(NamesBelow(dir, files)))
	if err != nil {
		return nil, err
	}
	bad, err := settleFiles(ctx, a, m, dir, files)
	if err != nil {
		return nil, err
	}
	var missing []values.NotArchived
	for _, file := range files {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if why := archived(ctx, m, bad, dir, file); why != "" {
			missing = append(missing, values.NotArchived{File: file, Why: why})
		}
	}
	return missing, nil
}

// settleFiles returns which parts of some local files' entries are missing or damaged.
func settleFiles(ctx context.Context, a *repo.Repo, m *manifest.Manifest, dir string, files []string) (findings.KnownBad, error) {
	l, err := a.Findings.ReadDamageLog(ctx, m.Archive)
	if err != nil {
		return findings.KnownBad{}, err
	}
	var asked []manifest.File
	for _, file := range files {
		name, err := nameBelow(dir, file)
		if err != nil {
			continue // archived reports it
		}
		if e := scan.Entry(m.Files, name); e != nil {
			asked = append(asked, *e)
		}
	}
	return a.Findings.Settle(ctx, l, asked, nil)
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
		e := scan.Entry(m.Files, name)
		if e != nil && slices.ContainsFunc(e.Parts, func(p manifest.Part) bool { return objects.Encrypted(p.Encoding) }) {
			count, bytes = count+1, bytes+e.Size
		}
	}
	return count, bytes
}

// archived returns why a file is not archived; empty if it is.
func archived(ctx context.Context, m *manifest.Manifest, bad findings.KnownBad, dir, file string) string {
	name, err := nameBelow(dir, file)
	if err != nil {
		return err.Error()
	}
	e := scan.Entry(m.Files, name)
	switch {
	case e == nil:
		return fmt.Sprintf("snapshot %d has no %s", m.Sequence, name)
	case e.State != manifest.Closed:
		return fmt.Sprintf("snapshot %d has only the beginning of it, as it was still being written", m.Sequence)
	case slices.ContainsFunc(e.Parts, func(p manifest.Part) bool { return bad.Any() && bad.Lost[findings.PlaceOf(&p)] }):
		return "a verify found its stored content missing or damaged, and it cannot be read back intact; " +
			"the next backup stores it again"
	case slices.ContainsFunc(e.Parts, func(p manifest.Part) bool { return bad.HasPart(&p) }):
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
