package archive

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/strongroom-dev/strongroom/manifest"
)

// named are the objects that kept snapshots name. Of each key only a hash of 64 bits is
// remembered, so that a million take little: if two keys share one, what could go stays.
type named struct {
	seed maphash.Seed

	mu    sync.Mutex
	keys  map[uint64]struct{}
	pages map[manifest.Hash]struct{} // that were read, by their content; these in full
}

func newNamed() *named {
	return &named{seed: maphash.MakeSeed(), keys: map[uint64]struct{}{}, pages: map[manifest.Hash]struct{}{}}
}

func (n *named) has(key string) bool {
	_, ok := n.keys[maphash.String(n.seed, key)]
	return ok
}

func (n *named) add(key string) {
	n.keys[maphash.String(n.seed, key)] = struct{}{}
}

// page notes a page, and reports whether it is a new one, which somebody has to read.
func (n *named) page(ref *manifest.PageRef) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.add(ref.Object)
	_, known := n.pages[ref.SHA256]
	n.pages[ref.SHA256] = struct{}{}
	return !known
}

// files notes what entries name. An entry with a field that this program does not know may
// need more than it can see.
func (n *named) files(files []manifest.File) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range files {
		if files[i].Unknown {
			return fmt.Errorf("%s has something that this strongroom does not know: %w", files[i].Name, errNewer)
		}
		for j := range files[i].Parts {
			n.add(files[i].Parts[j].Object)
		}
	}
	return nil
}

var errNewer = errors.New("a newer strongroom has written it; prune with that one")

// readNames reads the manifests that a record keeps, each held against its hash.
func (p *pruning) readNames(ctx context.Context, kept []manifest.Kept) error {
	g, running := errgroup.WithContext(ctx)
	g.SetLimit(p.transfers)
	for _, k := range kept {
		if running.Err() != nil {
			break
		}
		g.Go(func() error { return p.readNamesOf(running, k) })
	}
	if err := g.Wait(); err != nil {
		return err
	}
	return context.Cause(ctx) // the loop may have been left early
}

func (p *pruning) readNamesOf(ctx context.Context, k manifest.Kept) error {
	m, sum, err := p.readManifest(ctx, k.Sequence)
	switch {
	case err != nil:
		return fmt.Errorf("snapshot %d: %w", k.Sequence, err)
	case sum != k.SHA256:
		return fmt.Errorf("snapshot %d: it hashes to %s, and the ledger keeps it as %s: %w", k.Sequence, sum, k.SHA256, ErrDamaged)
	case m.Unknown:
		return fmt.Errorf("snapshot %d: its manifest has something that this strongroom does not know: %w", k.Sequence, errNewer)
	}
	if err := p.named.files(m.Files); err != nil {
		return fmt.Errorf("snapshot %d: %w", k.Sequence, err)
	}
	for i := range m.Pages {
		ref := &m.Pages[i]
		if !p.named.page(ref) {
			continue
		}
		files, err := p.readPage(ctx, ref, m.Sequence)
		if err == nil {
			err = p.named.files(files)
		}
		if err != nil {
			return fmt.Errorf("snapshot %d: %w", k.Sequence, err)
		}
	}
	return nil
}
