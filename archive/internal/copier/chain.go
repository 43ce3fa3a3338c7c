package copier

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// contradicted returns an error if the next manifest or the local state names another hash for a manifest of the
// source. A manifest has no checksum of its own that would reveal a flipped bit.
func (c *copyRun) contradicted(ctx context.Context, ref manifest.Ref) error {
	key := manifest.ManifestKey(ref.Sequence)
	pinned, err := c.isPinned(ref.Sequence)
	if err != nil {
		return err
	}
	if pinned != nil && *pinned != ref {
		return &lostError{key, values.ProblemLocalState, fmt.Errorf(
			"it hashes to %s, and the local state of this host has it as %s: %w", ref.SHA256, pinned.SHA256, values.ErrDamaged)}
	}
	want, child, err := c.claim(ctx, ref.Sequence)
	if err != nil || want == nil || *want == ref || repo.Keeps(c.ledger, ref) {
		return err
	}
	if good, err := c.vouched(ctx, child); err != nil || !good {
		return err // the child is the damaged one, which is reported when the copy reaches it
	}
	return &lostError{key, values.ProblemChain, fmt.Errorf(
		"it hashes to %s, and manifest %d names it as %s: %w", ref.SHA256, child, want.SHA256, values.ErrDamaged)}
}

// isPinned returns the snapshot that the local state has pinned, if its number is n; otherwise nil.
func (c *copyRun) isPinned(n int64) (*manifest.Ref, error) {
	s, err := c.from.LoadPin(c.report.Archive)
	if err != nil {
		return nil, fmt.Errorf("the source: %w", err)
	}
	if s != nil && s.Newest.Sequence == n {
		return &s.Newest, nil
	}
	return nil, nil
}

// claim returns the parent that the source's next manifest after n names, if that parent is n; otherwise nil.
func (c *copyRun) claim(ctx context.Context, n int64) (_ *manifest.Ref, child int64, err error) {
	child, err = c.next(ctx, n)
	if err != nil || child == 0 {
		return nil, 0, err
	}
	s, err := c.from.Summary(ctx, repo.Numbered{Number: child, Object: store.Object{Key: manifest.ManifestKey(child), Size: manifest.SummaryBytes}})
	switch {
	case errors.Is(err, values.ErrDamaged) || errors.Is(err, fs.ErrNotExist):
		return nil, 0, nil
	case err != nil:
		return nil, 0, err
	case s.Parent == nil || s.Parent.Sequence != n:
		return nil, 0, nil
	}
	return s.Parent, child, nil
}

// vouched reports whether manifest n has the hash that its child or the local state claims. It is true if neither
// claims one.
func (c *copyRun) vouched(ctx context.Context, n int64) (bool, error) {
	want, err := c.isPinned(n)
	if err != nil {
		return false, err
	}
	if want == nil {
		if want, _, err = c.claim(ctx, n); err != nil || want == nil {
			return true, err
		}
	}
	sum, err := c.from.Hash(ctx, manifest.ManifestKey(n), manifest.MaxManifestBytes)
	return sum == want.SHA256, err
}

// keepSource makes the source's newest snapshot durable, if the source's disk allows it. Otherwise the source could
// lose it in a power loss and create another one under its number, and its history would diverge from the copy's.
func (c *copyRun) keepSource(ctx context.Context, h *repo.Head) {
	if c.o.DryRun {
		return
	}
	err := c.from.TryDurable(ctx, h.Newest().Sequence, h.Ledger.Number)
	if err != nil && !errors.Is(err, objects.ErrGone) && ctx.Err() == nil {
		c.from.Log.Warn("the source's newest snapshot could not be made durable; it is copied anyway", "error", err)
	}
}
