package checker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/staging"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// otherArchive is another archive of the same database. Its objects have other names, so a file's content is
// found by the file's name and hash.
type otherArchive struct {
	repo      *repo.Repo
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
		r.others = append(r.others, &otherArchive{repo: o.WithoutCache()})
	}
	for _, c := range r.from.Copies {
		h, _, err := c.ReadHead(ctx)
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err == nil && h.ID != nil && h.ID.ID != r.head.ArchiveID() { // an error is reported once the copy is needed
			r.others = append(r.others, &otherArchive{repo: c.WithoutCache()})
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
func (r *repairRun) fromOtherSnapshot(ctx context.Context, o *otherArchive, key string, n *need) (*staging.Object, store.Sums, error) {
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
		return o.repo.FetchFile(ctx, nil, f, &staging.PartWriter{To: to, From: objects.OffsetOf(p.part)})
	})
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

const (
	storedEncoded = "it was stored encoded, and encoding it again gives other bytes"
	olderNeedCopy = "a repair from a copy of the archive restores the older snapshots"
)

var errEncoded = errors.New(storedEncoded + "; the next backup stores the file again if it is still in the source, and " +
	olderNeedCopy)
