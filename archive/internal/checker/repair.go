package checker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/staging"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/internal/digest"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
	"github.com/strongroom-dev/strongroom/store"
)

// errNoHelp: no source of the repair has the object's bytes.
var errNoHelp = errors.New("no source of the repair has the bytes that were stored")

// repair restores missing and damaged objects: the same bytes under the same key. It deletes a damaged object
// first, and only once its replacement is available. This is the sole exception to the rule that only prune
// deletes (format.md, fine print). Repaired problems move from Problems to Repaired in the report; the details
// of the others state why they were not repaired.
func (v *verifyRun) repair(ctx context.Context, from *RepairFrom) error {
	r := &repairRun{verifyRun: v, from: from, outcome: map[string]error{}}
	defer r.close()
	var rest []values.Problem
	defer func() { v.rerun = r.needsRerun }()
	v.lastReport = v.report
	all := v.report.Problems
	for i, p := range all {
		err, known := r.outcome[p.Object] // an object may have several problems
		if !known {
			err = r.repairObject(ctx, primaryProblem(all, p.Object))
			r.outcome[p.Object] = err
		}
		switch {
		case err == nil:
			v.report.Repaired = append(v.report.Repaired, p)
			if n := v.needs[p.Object]; n != nil {
				n.bad, n.read = false, len(n.parts) > 0
			}
			continue
		case errors.Is(err, errOnlyLedgerWrong):
			continue // an earlier pass reported it
		}
		if v.deleted[p.Object] {
			p.Detail += "; the damaged object was deleted"
		}
		if ctx.Err() == nil && !endsRepair(err) {
			p.RepairError = err.Error()
			rest = append(rest, p)
			continue
		}
		v.report.Problems = slices.Concat(rest, []values.Problem{p}, r.untriedProblems(all[i+1:]))
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("repairing %s: %w", p.Object, err)
	}
	v.report.Problems = slices.Clip(append([]values.Problem{}, rest...))
	if err := r.recordManifests(ctx); err != nil || r.needsRerun {
		return err
	}
	return r.renew(ctx)
}

// repairProgress is what the passes of one repair have done so far.
type repairProgress struct {
	mended           map[string]bool         // objects that were restored
	deleted          map[string]bool         // objects that were deleted, and not restored yet
	repaired         []values.Problem        // the repaired problems of all passes
	lastReport       *values.VerifyReport    // the report of the last pass that began to repair; nil if none did
	correctManifests map[int64]manifest.Hash // the hashes of correct manifests that the ledger does not have yet
	ledgerPending    bool                    // the previous pass could not record them in the ledger
}

type repairRun struct {
	*verifyRun
	from       *RepairFrom
	others     []*otherArchive  // set by openOthers
	capture    *source.Capture  // the capture of the source, once it was needed
	failed     error            // why the capture failed
	needsRerun bool             // a manifest or page was restored, which may name unchecked objects
	outcome    map[string]error // by key: the result of an object's repair in this pass
}

func (r *repairRun) close() {
	if r.capture != nil {
		r.capture.Close()
	}
}

// find finds the bytes of an object: first in copies, which have them as they were stored, then in other
// archives of the same database, then in the source.
func (r *repairRun) find(ctx context.Context, key string, want store.Sums, known bool) (*staging.Object, store.Sums, error) {
	var errs []error
	for _, c := range r.from.Copies {
		content, sums, err := r.fromCopy(ctx, c, key, want, known)
		if err == nil {
			return content, sums, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	n := r.needs[key]
	if err := r.openOthers(ctx); err != nil {
		return nil, store.Sums{}, err
	}
	for _, o := range r.others {
		if n == nil || len(n.parts) == 0 {
			break
		}
		content, sums, err := r.fromOtherSnapshot(ctx, o, key, n)
		if err == nil {
			return content, sums, nil
		}
		errs = append(errs, err)
	}
	if r.from.Source != nil && n != nil && len(n.parts) > 0 {
		content, sums, err := r.fromSource(ctx, key, n)
		if err == nil {
			return content, sums, nil
		}
		errs = append(errs, err)
	}
	if len(errs) == 0 {
		return nil, store.Sums{}, errNoHelp
	}
	return nil, store.Sums{}, errors.Join(uniqueErrors(errs)...)
}

// uniqueErrors returns the errors without repeated texts. For example, errEncoded may come from two sources.
func uniqueErrors(errs []error) []error {
	var found []error
	for _, err := range errs {
		if !slices.ContainsFunc(found, func(e error) bool { return e.Error() == err.Error() }) {
			found = append(found, err)
		}
	}
	return found
}

// expected returns the known checksums of an object's stored bytes. For a manifest, they come from the ledger
// or from the next manifest.
func (r *repairRun) expected(key string) (sums store.Sums, known bool) {
	if n, ok := manifest.ParseManifestKey(key); ok {
		if ref, ok := r.refs[n]; ok {
			return store.Sums{SHA256: ref.SHA256, Size: -1}, true
		}
		return store.Sums{Size: -1}, false
	}
	n := r.needs[key]
	k, ok := manifest.ParseObjectKey(key)
	if n == nil || !ok {
		return store.Sums{Size: -1}, false
	}
	if k.Prefix == manifest.BundlesPrefix {
		return store.Sums{SHA256: k.Hash, Size: -1}, true
	}
	sums = store.Sums{Size: n.stored.Size, SHA256: n.stored.SHA256, CRC32C: n.stored.CRC32C}
	if sums.SHA256.IsZero() {
		sums.SHA256 = k.Hash
	}
	return sums, true
}

// fromCopy reads an object of a copy. It accepts an object whose hash is not known, such as the newest
// manifest, if it decodes and belongs to this archive.
func (r *repairRun) fromCopy(ctx context.Context, c *repo.Repo, key string, want store.Sums, known bool) (*staging.Object, store.Sums, error) {
	o, err := c.Store.Stat(ctx, key)
	if err != nil {
		return nil, store.Sums{}, fmt.Errorf("the copy: %w", err)
	}
	to, content, err := staging.ScratchSpace(r.from.Scratch, o.Size)
	if err != nil {
		return nil, store.Sums{}, err
	}
	s := digest.New()
	body := c.ReadRange(ctx, key, 0, o.Size)
	_, err = io.Copy(io.MultiWriter(io.NewOffsetWriter(to, 0), s), body)
	body.Close()
	got := s.Sums()
	switch {
	case err != nil:
		err = fmt.Errorf("the copy: %w", err)
	case known && got.SHA256 != want.SHA256:
		err = fmt.Errorf("the copy's object is damaged, too: it hashes to %s, not to %s", got.SHA256, want.SHA256)
	case !known:
		err = r.plausible(key, content, o.Size)
	}
	if err != nil {
		content.Release()
		return nil, store.Sums{}, err
	}
	return content, got, nil
}

// plausible checks that an object whose hash is not known belongs to this archive.
func (r *repairRun) plausible(key string, content io.ReaderAt, size int64) error {
	n, isManifest := manifest.ParseManifestKey(key)
	k, isObject := manifest.ParseObjectKey(key)
	if size > manifest.MaxManifestBytes || !isManifest && key != manifest.ArchiveKey && (!isObject || k.Prefix != manifest.PagesPrefix) {
		return errNoHelp
	}
	b := make([]byte, size)
	if _, err := content.ReadAt(b, 0); err != nil && err != io.EOF {
		return err
	}
	id := ""
	switch {
	case isManifest:
		m, err := manifest.DecodeManifest(b, n)
		if err != nil {
			return err
		}
		id = m.Archive
	case isObject: // the hash in its name is that of its decoded content
		if hash, err := r.repo.Codec.Hash(b); err != nil || hash != k.Hash {
			return fmt.Errorf("the copy's object does not match the hash in its name: %w", errors.Join(values.ErrDamaged, err))
		}
		return nil
	default:
		a, err := manifest.DecodeArchive(b)
		if err != nil {
			return err
		}
		id = a.ID
	}
	if id != r.head.ArchiveID() {
		return fmt.Errorf("the copy is of another archive, %s", id)
	}
	return nil
}

// fromSource builds an object again from the files of the database. This works for content that was stored
// plain and that the source still has.
func (r *repairRun) fromSource(ctx context.Context, key string, n *need) (*staging.Object, store.Sums, error) {
	if r.capture == nil && r.failed == nil {
		r.capture, r.failed = r.from.Source.Capture(ctx, func(source.File) bool { return true })
	}
	if r.failed != nil {
		return nil, store.Sums{}, fmt.Errorf("capturing the source: %w", r.failed)
	}
	return r.rebuildObject(key, n, func(p needPart, to io.WriterAt) error {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		f, err := r.capture.Open(p.file)
		if err != nil {
			return fmt.Errorf("the source: %s: %w", p.file, err)
		}
		defer f.Close()
		_, err = io.Copy(io.NewOffsetWriter(to, objects.OffsetOf(p.part)), io.NewSectionReader(f, p.at, p.part.Size))
		return err
	})
}

// rebuildObject builds an object from the files in it, which write provides, and compares it with the hash in
// its name.
func (r *repairRun) rebuildObject(key string, n *need, write func(p needPart, to io.WriterAt) error) (*staging.Object, store.Sums, error) {
	to, content, err := staging.ScratchSpace(r.from.Scratch, n.size)
	if err != nil {
		return nil, store.Sums{}, err
	}
	sums, err := rebuild(key, n, to, content, write)
	if err != nil {
		content.Release()
		return nil, store.Sums{}, err
	}
	return content, sums, nil
}

func rebuild(key string, n *need, to io.WriterAt, content io.ReaderAt, write func(p needPart, to io.WriterAt) error) (store.Sums, error) {
	for _, p := range n.parts {
		if p.part.Encoding != manifest.Plain {
			return store.Sums{}, errEncoded
		}
		if err := write(p, to); err != nil {
			return store.Sums{}, err
		}
	}
	s := digest.New()
	if _, err := io.Copy(s, io.NewSectionReader(content, 0, n.size)); err != nil {
		return store.Sums{}, err
	}
	got := s.Sums()
	if k, _ := manifest.ParseObjectKey(key); got.SHA256 != k.Hash || got.Size != n.size {
		return store.Sums{}, fmt.Errorf("the files changed since they were stored (%s)", strings.Join(filesOf(n), ", "))
	}
	return got, nil
}
