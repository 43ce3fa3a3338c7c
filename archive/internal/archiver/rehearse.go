package archiver

import (
	"context"
	"iter"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// rehearse returns the error that a backup would return after its plan is made, as far as a dry run can find it. It
// changes no object.
func (r *backupRun) rehearse(ctx context.Context, plan *values.Plan, isIdle bool) error {
	if err := r.src.Head.CheckUnknownID(); err != nil {
		return err
	}
	if !isIdle {
		if err := r.findOrphans(ctx, plan.Upload); err != nil {
			return err
		}
	}
	if r.needsRecord() {
		blocked, err := r.repo.FindBlock(ctx, manifest.LedgerKey(r.src.Head.Ledger.Number+1))
		if blocked != nil {
			return blocked
		}
		if err != nil {
			return err
		}
	}
	keys := r.placesOf(plan, isIdle)
	if r.o.TestPlaces {
		return testCreation(ctx, r.repo, keys)
	}
	for key := range keys {
		if blocked, err := r.repo.FindBlock(ctx, key); err != nil {
			return err
		} else if blocked != nil && !blocked.AtKey {
			return blocked
		}
	}
	return nil
}

// placesOf returns a key for each directory in which the run would create an object. The last element of a key of content
// is not known before the content was read. An idle run creates nothing; the next one that does needs a manifest.
func (r *backupRun) placesOf(plan *values.Plan, isIdle bool) iter.Seq[string] {
	keys := nextKeys(r.src.Head, r.next)
	if r.needsRecord() {
		keys = append(keys, manifest.LedgerKey(r.src.Head.Ledger.Number+1))
	}
	if !isIdle && len(r.src.Capture.Files) > manifest.MaxInline {
		keys = append(keys, manifest.PagesPrefix+repo.FirstBelow)
	}
	hasBundle := false
	return func(yield func(string) bool) {
		for _, key := range keys {
			if !yield(key) {
				return
			}
		}
		for _, group := range bundles(plan.Upload, r.mostEncoded) {
			key := manifest.BundlesPrefix + repo.FirstBelow
			if len(group) == 1 {
				key = contentPrefix(&plan.Upload[group[0]]) + repo.FirstBelow
			} else if hasBundle {
				continue
			} else {
				hasBundle = true
			}
			if !yield(key) {
				return
			}
		}
	}
}

// needsRecord reports whether the run fails if it cannot write a record.
func (r *backupRun) needsRecord() bool { return r.src.ForkedFrom != nil || r.needsFence() }

// contentPrefix begins the keys of the data objects with a file's content.
func contentPrefix(f *source.File) string {
	return manifest.DataPrefix + manifest.EncodeName(f.Name) + "/"
}

// nextKeys returns the keys that the next snapshot needs whatever it contains.
func nextKeys(h *repo.Head, next int64) []string {
	keys := []string{manifest.ManifestKey(next)}
	if h.ArchiveID() == "" && !h.IsFresh() {
		keys = append(keys, manifest.ArchiveKey)
	}
	return keys
}

// testCreation returns the error of the first Put of some keys that would fail because of where the object belongs.
func testCreation(ctx context.Context, a *repo.Repo, keys iter.Seq[string]) error {
	tester, ok := a.Store.(store.CreationTester)
	if !ok {
		return nil
	}
	return tester.TestCreation(ctx, keys)
}
