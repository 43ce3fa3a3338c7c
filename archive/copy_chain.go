package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// contradicted gives what is known against a manifest of the source: it says nothing by
// itself of a bit that has flipped in it, but the manifest that follows it, or the local
// witness, knows its hash.
func (c *copyRun) contradicted(ctx context.Context, ref manifest.Ref) error {
	key := manifest.ManifestKey(ref.Sequence)
	if want := c.isPinned(ref.Sequence); want != nil && *want != ref {
		return &lostError{key, "witness", fmt.Errorf("it hashes to %s, and this host has seen it as %s: %w", ref.SHA256, want.SHA256, ErrDamaged)}
	}
	want, child, err := c.claim(ctx, ref.Sequence)
	if err != nil || want == nil || *want == ref || keeps(c.ledger, ref) {
		return err
	}
	if good, err := c.vouched(ctx, child); err != nil || !good {
		return err // it is the child that is damaged, which will be told when its turn comes
	}
	return &lostError{key, "chain", fmt.Errorf("it hashes to %s, and manifest %d knows it as %s: %w", ref.SHA256, child, want.SHA256, ErrDamaged)}
}

// isPinned is what this host has seen under a number, if it remembers that.
func (c *copyRun) isPinned(n int64) *manifest.Ref {
	if s := c.from.loadPin(c.report.Archive); s != nil && s.Newest.Sequence == n {
		return &s.Newest
	}
	return nil
}

// claim is what the source's next manifest says of manifest n as its parent; nil where
// there is none that says anything.
func (c *copyRun) claim(ctx context.Context, n int64) (_ *manifest.Ref, child int64, err error) {
	child, err = c.next(ctx, n)
	if err != nil || child == 0 {
		return nil, 0, err
	}
	s, err := c.from.summary(ctx, numbered{child, store.Object{Key: manifest.ManifestKey(child), Size: manifest.SummaryBytes}})
	switch {
	case errors.Is(err, ErrDamaged) || errors.Is(err, fs.ErrNotExist):
		return nil, 0, nil
	case err != nil:
		return nil, 0, err
	case s.Parent == nil || s.Parent.Sequence != n:
		return nil, 0, nil
	}
	return s.Parent, child, nil
}

// vouched reports whether manifest n is what its own child or the witness knows, or nobody
// knows better.
func (c *copyRun) vouched(ctx context.Context, n int64) (bool, error) {
	want := c.isPinned(n)
	if want == nil {
		var err error
		if want, _, err = c.claim(ctx, n); err != nil || want == nil {
			return true, err
		}
	}
	sum, err := c.from.hash(ctx, manifest.ManifestKey(n))
	return sum == want.SHA256, err
}

// keepSource makes the source's newest snapshot durable, if the source's disk still can: a source that
// loses it, and then takes another under its number, would have another history than the copy.
func (c *copyRun) keepSource(ctx context.Context, h *head) {
	if c.o.DryRun {
		return
	}
	err := c.from.tryDurable(ctx, h.newest().Sequence, h.ledger.Number)
	if err != nil && !errors.Is(err, errGone) && ctx.Err() == nil {
		c.from.log.Warn("the source's newest snapshot could not be made durable; it is copied all the same", "error", err)
	}
}
