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

// markSet are the objects that kept snapshots name. Of each key only a hash of 64 bits is
// remembered, so that a million take little: if two keys share one, what could go stays.
type markSet struct {
	seed maphash.Seed

	mu    sync.Mutex
	keys  map[uint64]bool            // whether it was seen in the store
	pages map[manifest.Hash]struct{} // that were read, by their content; these in full

	each func(key string) // if set, is called with each key instead
}

func newMarkSet() *markSet {
	return &markSet{seed: maphash.MakeSeed(), keys: map[uint64]bool{}, pages: map[manifest.Hash]struct{}{}}
}

func (n *markSet) add(key string) {
	if n.each != nil {
		n.each(key)
		return
	}
	if hash := n.hash(key); !n.keys[hash] {
		n.keys[hash] = false
	}
}

func (n *markSet) hash(key string) uint64 { return maphash.String(n.seed, key) }

// mark notes that an object is in the store, and reports whether a snapshot names it.
func (n *markSet) mark(key string) bool {
	hash := n.hash(key)
	_, ok := n.keys[hash]
	if ok {
		n.keys[hash] = true
	}
	return ok
}

// isUnmarked is how many objects were not seen in the store.
func (n *markSet) isUnmarked() (count int) {
	for _, seen := range n.keys {
		if !seen {
			count++
		}
	}
	return count
}

// page notes a page, and reports whether it is a new one, which somebody has to read.
func (n *markSet) page(ref *manifest.PageRef) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.add(ref.Object)
	_, known := n.pages[ref.SHA256]
	n.pages[ref.SHA256] = struct{}{}
	return !known
}

// files notes what entries name. An entry with a field that this program does not know may
// need more than it can see.
func (n *markSet) files(files []manifest.File) error {
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
func (p *pruneRun) readNames(ctx context.Context, kept []manifest.Kept) error {
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

func (p *pruneRun) readNamesOf(ctx context.Context, k manifest.Kept) error {
	m, sum, err := p.readManifest(ctx, k.Sequence)
	switch {
	case err != nil:
		return fmt.Errorf("snapshot %d: %w", k.Sequence, err)
	case sum != k.SHA256:
		return fmt.Errorf("snapshot %d: it hashes to %s, and the ledger keeps it as %s: %w", k.Sequence, sum, k.SHA256, ErrDamaged)
	case m.Unknown:
		return fmt.Errorf("snapshot %d: its manifest has something that this strongroom does not know: %w", k.Sequence, errNewer)
	}
	if err := p.marks.files(m.Files); err != nil {
		return fmt.Errorf("snapshot %d: %w", k.Sequence, err)
	}
	for i := range m.Pages {
		ref := &m.Pages[i]
		if !p.marks.page(ref) {
			continue
		}
		files, err := p.readPage(ctx, ref, m.Sequence)
		if err == nil {
			err = p.marks.files(files)
		}
		if err != nil {
			return fmt.Errorf("snapshot %d: %w", k.Sequence, err)
		}
	}
	return nil
}
