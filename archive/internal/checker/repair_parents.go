package checker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// putParentsBack restores the missing ancestors of a manifest whose correct bytes are available: its parent,
// its parent's parent, and so on down to one that exists. A ledger record with the manifest's correct hash
// lists its ancestors as well, and it must not leave out one that no other object names. The next pass reports
// an ancestor that no source has.
func (r *repairRun) putParentsBack(ctx context.Context, n int64, content io.ReaderAt, size int64) error {
	for {
		parent := r.missingParent(n, content, size)
		if parent == nil {
			return nil
		}
		key := manifest.ManifestKey(parent.Sequence)
		if _, err := r.repo.Store.Stat(ctx, key); !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		found, sums, err := r.find(ctx, key, store.Sums{SHA256: parent.SHA256, Size: -1}, true)
		if err != nil {
			return context.Cause(ctx)
		}
		defer found.Release()
		if err := r.putBack(ctx, key, found, sums); err != nil {
			return fmt.Errorf("restoring manifest %d, the parent of manifest %d: %w", parent.Sequence, n, err)
		}
		r.noteParent(key, n, parent)
		n, content, size = parent.Sequence, found, sums.Size
	}
}

// missingParent returns the parent that a manifest names, if that may have to be restored; nil otherwise.
func (r *repairRun) missingParent(n int64, content io.ReaderAt, size int64) *manifest.Ref {
	b := make([]byte, min(size, manifest.MaxManifestBytes))
	if _, err := content.ReadAt(b, 0); err != nil && err != io.EOF {
		return nil
	}
	m, err := manifest.DecodeManifest(b, n)
	if err != nil || m.Parent == nil || r.head.Record.Lacks(m.Parent.Sequence) || r.mended[manifest.ManifestKey(m.Parent.Sequence)] {
		return nil
	}
	if ref, ok := r.refs[m.Parent.Sequence]; ok {
		return &ref // the ledger overrides the child, which may have recorded the hash of a damaged parent
	}
	return m.Parent
}

// noteParent reports a restored parent as repaired, unless this pass has reported it as a problem already.
func (r *repairRun) noteParent(key string, child int64, parent *manifest.Ref) {
	r.mended[key], r.outcome[key], r.needsRerun = true, nil, true
	if slices.ContainsFunc(r.report.Problems, func(p values.Problem) bool { return p.Object == key }) {
		return
	}
	r.report.Repaired = append(r.report.Repaired, values.Problem{
		Object: key, Kind: values.ProblemMissing, Snapshots: []int64{parent.Sequence},
		Detail: fmt.Sprintf("manifest %d names it as its parent, and it is not in the store", child),
	})
}
