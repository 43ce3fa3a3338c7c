package archive

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// otherArchive is another archive of the same database. Its objects have other names, so a file's content is
// found by the file's name and hash.
type otherArchive struct {
	*Archive
	snapshots []int64 // the snapshots that are not read yet, newest first
	listed    bool
	files     map[fileKey]*manifest.File // the files of the snapshots that were read
}

type fileKey struct {
	name string
	hash manifest.Hash
}

// openOthers collects the other archives of the database, once they are needed. A "copy" with another id is one, too:
// its content serves, and hashes decide.
func (r *repairRun) openOthers(ctx context.Context) error {
	if r.others != nil {
		return nil
	}
	r.others = []*otherArchive{}
	for _, o := range r.from.Others {
		r.others = append(r.others, &otherArchive{Archive: o.withoutCache()})
	}
	for _, c := range r.from.Copies {
		h, _, err := c.repo.ReadHead(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil && h.ID != nil && h.ID.ID != r.head.ArchiveID() { // an error is reported once the copy is needed
			r.others = append(r.others, &otherArchive{Archive: c.withoutCache()})
		}
	}
	return nil
}

// find returns the entry of a file with this content; nil if no readable snapshot has it.
func (o *otherArchive) find(ctx context.Context, name string, hash manifest.Hash) (*manifest.File, error) {
	if !o.listed {
		h, _, err := o.repo.ReadHead(ctx)
		if err != nil {
			return nil, err
		}
		for f, err := range o.repo.Manifests(ctx, h) {
			if err != nil {
				return nil, err
			}
			if h.Record.ValidNumber(f.Number) {
				o.snapshots = append(o.snapshots, f.Number)
			}
		}
		o.listed, o.files = true, map[fileKey]*manifest.File{}
	}
	key := fileKey{name, hash}
	for o.files[key] == nil && len(o.snapshots) > 0 {
		n := o.snapshots[0]
		o.snapshots = o.snapshots[1:]
		s, _, err := o.repo.ReadSnapshot(ctx, n, nil)
		if err != nil {
			continue // it is damaged or was pruned; an older one may have the file
		}
		o.repo.Remember(s)
		for i := range s.Manifest.Files {
			f := &s.Manifest.Files[i]
			if k := (fileKey{f.Name, f.SHA256}); o.files[k] == nil {
				o.files[k] = withoutNeighbours(f)
			}
		}
	}
	return o.files[key], nil
}

// fromOtherSnapshot builds an object again from the content of its files in another archive of the same
// database.
func (r *repairRun) fromOtherSnapshot(ctx context.Context, o *otherArchive, key string, n *need) (*stagedObject, store.Sums, error) {
	return r.rebuildObject(key, n, func(p needPart, to io.WriterAt) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f, err := o.find(ctx, p.file, p.part.SHA256)
		if err != nil {
			return err
		}
		if f == nil || f.Size != p.part.Size {
			return fmt.Errorf("the other archive has no file %s with this content", p.file)
		}
		return o.repo.FetchFile(ctx, nil, f, &partWriter{to: to, from: objects.OffsetOf(p.part)})
	})
}

// partWriter is the sink of a file that is stored at an offset in an object.
type partWriter struct {
	to         io.WriterAt
	from, done int64
}

func (s *partWriter) Write(b []byte) (int, error) {
	n, err := s.to.WriteAt(b, s.from+s.done)
	s.done += int64(n)
	return n, err
}

func (s *partWriter) Rewind(length int64) error {
	s.done = length
	return nil
}

func filesOf(n *need) []string {
	var names []string
	for _, p := range n.parts {
		if !slices.Contains(names, p.file) && len(names) < 5 {
			names = append(names, p.file)
		}
	}
	return names
}

// scratchSpace returns temporary space for size bytes: in memory, or above copyInMemory in an unnamed file.
func scratchSpace(dir string, size int64) (to io.WriterAt, content *stagedObject, err error) {
	if size <= copyInMemory {
		b := make(memoryFile, size)
		return b, &stagedObject{bytes.NewReader(b), func() {}}, nil
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
	return f, &stagedObject{f, func() { f.Close() }}, nil
}

const (
	storedEncoded = "it was stored encoded, and encoding it again gives other bytes"
	olderNeedCopy = "a repair from a copy of the archive restores the older snapshots"
)

var errEncoded = errors.New(storedEncoded + "; the next backup stores the file again if it is still in the source, and " +
	olderNeedCopy)
