package checker

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// findFolded requests the objects that no listing has shown, if the store ignores letter case.
func (v *verifyRun) findFolded(ctx context.Context) error {
	var unseen []string
	for key, n := range v.needs {
		if !n.found {
			unseen = append(unseen, key)
		}
	}
	if len(unseen) == 0 {
		return nil
	}
	if folds, err := v.repo.FoldsCase(ctx); err != nil || !folds {
		return err
	}
	for _, key := range unseen {
		o, err := v.repo.Store.Stat(ctx, key)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			continue
		case err != nil:
			return fmt.Errorf("checking %s: %w", key, err)
		}
		v.listed(&o)
		if v.report.Unreferenced > 0 && len(v.o.Snapshots) == 0 { // the listing has counted it under the other name
			v.report.Unreferenced--
		}
	}
	return nil
}

// noteBlocks adds to the report what is in the way of the archive's next objects.
func (v *verifyRun) noteBlocks(ctx context.Context, h *repo.Head) error {
	all, err := v.repo.Blocks(ctx, h)
	for _, blocked := range all {
		v.report.Blocked = append(v.report.Blocked, blocked.Error())
	}
	return err
}

// maxBlocked is how many things in the way of the next objects a report names.
const maxBlocked = 20

// noteBlockingFile adds an object of data/ to the report if it is in the place of a log file's directory.
func (v *verifyRun) noteBlockingFile(ctx context.Context, key string) error {
	if _, ok := v.repo.Store.(store.BlockFinder); !ok {
		return nil
	}
	name, isData := strings.CutPrefix(key, manifest.DataPrefix)
	_, isObject := manifest.ParseObjectKey(key)
	if !isData || isObject || len(nested.Homes(key)) > 0 || len(v.report.Blocked) >= maxBlocked {
		return nil
	}
	layout, err := source.NewLayout(source.LayoutOptions{Name: v.head.Layout()})
	if _, _, isLog := layout.Position(name); err == nil && layout.Name() != "files" && !isLog {
		return nil // the database makes no such file
	}
	blocked, err := v.repo.FindBlock(ctx, key+"/"+repo.FirstBelow)
	if blocked != nil {
		v.report.Blocked = append(v.report.Blocked, blocked.Error())
	}
	return err
}

// listObjects compares the needed objects with a listing.
func (v *verifyRun) listObjects(ctx context.Context) error {
	found := nested.Roots{}
	for _, prefix := range []string{manifest.BundlesPrefix, manifest.DataPrefix, manifest.PagesPrefix} {
		listing := nested.Nesting{Roots: found}
		for o, err := range v.repo.Store.List(ctx, prefix, "", "") {
			if err != nil {
				return err
			}
			listing.See(o.Key, v.listed(&o))
			if v.needs[o.Key] == nil {
				if err := v.noteBlockingFile(ctx, o.Key); err != nil {
					return err
				}
			}
		}
		v.report.Nested = append(v.report.Nested, listing.End()...)
		v.report.Unreferenced += int(listing.Rest.Other)
		v.greatest = max(v.greatest, listing.Rest.Greatest)
	}
	if err := v.findFolded(ctx); err != nil {
		return err
	}
	for key, n := range v.needs {
		v.report.Objects++
		v.report.Bytes += n.size
		if !n.found {
			v.addProblem(values.Problem{Object: key, Kind: values.ProblemMissing, Detail: "it is not in the store"})
		}
	}
	return nil
}

// listed compares a listed object with its need, and returns its tally. The tally does not count if the object
// turns out to belong to a nested archive.
func (v *verifyRun) listed(o *store.Object) nested.Tally {
	n := v.needs[o.Key]
	if n == nil {
		t := nested.TallyOf(o)
		if len(v.o.Snapshots) > 0 { // it may be another snapshot's
			t.Other = 0
		}
		return t
	}
	n.found = true
	v.noteFrozen(o, n)
	v.noteCreated(o)
	if o.Size < n.size || (o.Size != n.size && !n.atLeast) {
		v.addProblem(values.Problem{Object: o.Key, Kind: values.ProblemSize, Detail: fmt.Sprintf("it has %d bytes and should have %d", o.Size, n.size)})
	}
	if o.CRC32C != nil && !n.atLeast && *o.CRC32C != n.stored.CRC32C && !n.bad {
		v.wrongChecksum(o.Key, *o.CRC32C, n)
	}
	return nested.Tally{Objects: 1}
}

func (v *verifyRun) wrongChecksum(key string, got manifest.CRC32C, n *need) {
	v.addProblem(values.Problem{
		Object: key, Kind: values.ProblemChecksum,
		Detail: fmt.Sprintf("the provider reports CRC-32C %s, and it was stored with %s", got, n.stored.CRC32C),
	})
}

// askChecksums requests the checksum of each object, which S3 does not list.
func (v *verifyRun) askChecksums(ctx context.Context) error {
	return v.each(ctx, func(ctx context.Context, key string, n *need) error {
		o, err := v.repo.Store.Stat(ctx, key)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			v.addProblem(values.Problem{Object: key, Kind: values.ProblemMissing, Detail: "it is not in the store"})
		case err != nil:
			return fmt.Errorf("checking %s: %w", key, err)
		default:
			v.compare(&o, n)
		}
		return nil
	})
}

// compare compares the provider's checksum of an object with the one in the manifests, and counts whether it
// could. Manifests have no checksum of a whole bundle.
func (v *verifyRun) compare(o *store.Object, n *need) {
	byCRC := o.CRC32C != nil && !n.atLeast
	byMD5 := o.CRC32C == nil && o.MD5 != "" && n.stored.MD5 != "" && !n.atLeast
	// The creator of an object sets its MD5, so only a read can prove one that a copy found there.
	known := byCRC || byMD5 && o.Frozen == ""
	v.mu.Lock()
	if known {
		v.report.Compared++
	} else {
		v.report.Uncompared++
	}
	v.mu.Unlock()
	switch {
	case byCRC && *o.CRC32C != n.stored.CRC32C:
		v.wrongChecksum(o.Key, *o.CRC32C, n)
	case byMD5 && o.MD5 != n.stored.MD5:
		v.addProblem(values.Problem{
			Object: o.Key, Kind: values.ProblemChecksum,
			Detail: fmt.Sprintf("the provider reports MD5 %s, and it was stored with %s", o.MD5, n.stored.MD5),
		})
	}
}
