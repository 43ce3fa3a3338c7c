package pruner

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/archive/cost"
	"github.com/strongroom-dev/strongroom/archive/internal/nested"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// sweepRule selects the objects of one kind that are deleted.
type sweepRule struct {
	prefix string
	count  func(*values.PruneCounts) *int
	goes   func(store.Object) (why string, goes bool)
}

// sweep deletes the manifests first, then the objects, so that no manifest ever lacks its objects, and last the
// ledger records that are no longer in force. Listings need not be current: an outdated one shows fewer objects
// to delete, never more.
func (p *pruneRun) sweep(ctx context.Context) error {
	if err := p.findNested(ctx); err != nil {
		return err
	}
	withSome, err := p.scan(ctx)
	if err != nil {
		return err
	}
	sieves := []sweepRule{{manifest.ManifestsPrefix, func(c *values.PruneCounts) *int { return &c.Manifests }, p.manifestGoes}}
	for _, prefix := range withSome {
		sieves = append(sieves, sweepRule{prefix, func(c *values.PruneCounts) *int { return &c.Objects }, p.objectGoes})
	}
	sieves = append(sieves, sweepRule{manifest.LedgerPrefix, func(c *values.PruneCounts) *int { return &c.Records }, p.recordGoes})
	for _, s := range sieves {
		if err := p.applyRule(ctx, &s); err != nil {
			return err
		}
	}
	return p.cleanProofs(ctx)
}

func (p *pruneRun) manifestGoes(o store.Object) (string, bool) {
	n, ok := manifest.ParseManifestKey(o.Key)
	switch {
	case !ok || p.record.ValidNumber(n):
		return "", false
	case p.record.IsVoid(n):
		return repo.WhyIgnored, true
	case p.removed(n):
		return "the retention does not keep it", true
	}
	return "it is invalid: the ledger had dropped its number", true
}

func (p *pruneRun) removed(n int64) bool {
	_, found := slices.BinarySearch(p.report.Removed, n)
	return found
}

func (p *pruneRun) objectGoes(o store.Object) (string, bool) {
	key, ok := manifest.ParseObjectKey(o.Key)
	switch {
	case !ok || key.Sequence > p.record.Newest || p.marks.findListed(o.Key) || p.protected[bitFlipGroup(&key)]:
		return "", false
	case p.record.ValidNumber(key.Sequence):
		const orphan = "orphan of a run that was interrupted or lost a race: snapshot %d does not need it"
		return fmt.Sprintf(orphan, key.Sequence), true
	}
	return fmt.Sprintf("stored for snapshot %d, which is removed, and no other snapshot needs it", key.Sequence), true
}

func (p *pruneRun) recordGoes(o store.Object) (string, bool) {
	n, ok := manifest.ParseLedgerKey(o.Key)
	return "a later record is in force", ok && n < p.record.Number
}

// deleteAtOnce is the number of objects that one call deletes: the most that any provider deletes with one
// request.
const deleteAtOnce = 1000

// deletion is an object to delete, unless it turns out to belong to a nested archive.
type deletion struct {
	store.Object
	why string
}

// applyRule lists the objects of one kind and deletes those that the rule selects.
func (p *pruneRun) applyRule(ctx context.Context, s *sweepRule) error {
	listing := nested.Nesting{Roots: p.nested.roots}
	var batch []deletion
	for o, err := range p.repo.Store.List(ctx, s.prefix, "", "") {
		if err != nil {
			return err
		}
		listing.See(o.Key, nested.Tally{Objects: 1})
		why, goes := s.goes(o)
		if !goes || p.nested.roots.Holds(o.Key) {
			continue
		}
		if batch = append(batch, deletion{o, why}); len(batch) == deleteAtOnce {
			if err := p.remove(ctx, s, batch); err != nil {
				return err
			}
			batch = batch[:0]
		}
	}
	if err := p.remove(ctx, s, batch); err != nil {
		return err
	}
	p.nested.note(listing.End())
	return nil
}

// remove deletes a batch, which is in the order of a listing, and counts its objects in the report.
func (p *pruneRun) remove(ctx context.Context, s *sweepRule, batch []deletion) error {
	batch, err := p.isOwn(ctx, batch)
	if err != nil || len(batch) == 0 {
		return err
	}
	if p.o.Object != nil {
		for _, o := range batch {
			p.o.Object(values.Pruned{Key: o.Key, Size: o.Size, Why: o.why})
		}
	}
	left := map[string]bool{}
	if !p.o.DryRun {
		if left, err = p.deleteBatch(ctx, s.prefix, batch); err != nil {
			return err
		}
	}
	for _, o := range batch {
		counts := &p.report.Deleted
		if left[o.Key] {
			counts = &p.report.Failed
		} else {
			p.report.Classes = cost.AddStored(p.report.Classes, o.Class, o.Size)
		}
		*s.count(counts)++
		counts.Bytes += o.Size
	}
	return nil
}

// deleteBatch deletes a batch, and returns the objects that are left because that failed. After a batch that waited for
// another process in vain it tries no other: each would wait as long.
func (p *pruneRun) deleteBatch(ctx context.Context, prefix string, batch []deletion) (left map[string]bool, err error) {
	if p.isLocked {
		left = make(map[string]bool, len(batch))
		for _, o := range batch {
			left[o.Key] = true
		}
		return left, nil
	}
	err = p.repo.Store.Delete(ctx, anyVersion(batch))
	switch {
	case err == nil:
		return nil, nil
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	}
	p.isLocked = errors.Is(err, store.ErrDeleting)
	p.fail(err)
	return p.stillThere(ctx, prefix, batch)
}

// anyVersion returns the objects of a batch without their versions. The numbers decide what goes. Some file systems
// return other inode numbers in a listing than later, and would never delete a version from there.
func anyVersion(batch []deletion) []store.Object {
	keys := make([]string, len(batch))
	for i := range batch {
		keys[i] = batch[i].Key
	}
	return store.AnyVersion(keys...)
}

// maxFailures is how many of the store's errors a report quotes. Often thousands of objects are locked.
const maxFailures = 20

func (p *pruneRun) fail(err error) {
	for line := range strings.Lines(err.Error()) {
		if len(p.report.Failures) == maxFailures {
			return
		}
		p.report.Failures = append(p.report.Failures, strings.TrimRight(line, "\n"))
	}
}

// stillThere returns the objects of a batch that still exist after their deletion has failed. Some of them may
// have been deleted.
func (p *pruneRun) stillThere(ctx context.Context, prefix string, batch []deletion) (map[string]bool, error) {
	tried := make(map[string]bool, len(batch))
	for _, o := range batch {
		tried[o.Key] = true
	}
	left := map[string]bool{}
	first, last := batch[0].Key, batch[len(batch)-1].Key
	look := func(o store.Object) bool {
		if tried[o.Key] {
			left[o.Key] = true
		}
		return o.Key < last
	}
	o, err := p.repo.Store.Stat(ctx, first) // a listing begins after a key
	if err == nil {
		o.Key = first
		look(o)
	}
	for o, err := range p.repo.Store.List(ctx, prefix, "", first) {
		if err != nil {
			return nil, fmt.Errorf("checking which objects were not deleted: %w", err)
		}
		if !look(o) {
			break
		}
	}
	return left, nil
}
