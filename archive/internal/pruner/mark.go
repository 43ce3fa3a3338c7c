package pruner

import (
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"sync"

	"github.com/strongroom-dev/strongroom/archive/internal/objects"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// markSet is the set of the objects that kept snapshots name. It stores a 64-bit hash of each key, so that a
// million keys need little memory. If two keys have the same hash, an object that could be deleted is kept. Keys that
// differ in letter case only have the same hash (FoldCase).
type markSet struct {
	seed maphash.Seed

	mu    sync.Mutex
	keys  map[uint64]bool            // by hash of the key: whether the object was seen in the store
	pages map[manifest.Hash]struct{} // the full hashes of the pages that were read

	each func(key string) // if set, add calls it with each key instead
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

func (n *markSet) hash(key string) uint64 { return maphash.String(n.seed, objects.FoldCase(key)) }

// findListed records that an object is in the store, and reports whether a snapshot names it.
func (n *markSet) findListed(key string) bool {
	hash := n.hash(key)
	_, ok := n.keys[hash]
	if ok {
		n.keys[hash] = true
	}
	return ok
}

// has reports whether a snapshot names an object.
func (n *markSet) has(key string) bool {
	_, ok := n.keys[n.hash(key)]
	return ok
}

// countMissing returns the number of objects that were not seen in the store.
func (n *markSet) countMissing() (count int) {
	for _, seen := range n.keys {
		if !seen {
			count++
		}
	}
	return count
}

// page adds a page, and reports whether it is new and has to be read.
func (n *markSet) page(ref *manifest.PageRef) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.add(ref.Object)
	_, known := n.pages[ref.SHA256]
	n.pages[ref.SHA256] = struct{}{}
	return !known
}

// files adds the objects that entries name. It returns errNewer for an entry with an unknown field, since
// that field may name more objects.
func (n *markSet) files(files []manifest.File) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for i := range files {
		if files[i].Unknown {
			return fmt.Errorf("%s has an unknown field: %w", files[i].Name, errNewer)
		}
		for j := range files[i].Parts {
			n.add(files[i].Parts[j].Object)
		}
	}
	return nil
}

var errNewer = errors.New("a newer strongroom has written it; prune with the newer version")

// readNames reads the manifests that a record keeps, and compares the hash of each with the record.
func (p *pruneRun) readNames(ctx context.Context, kept []manifest.Kept) error {
	return objects.EachAtOnce(ctx, p.repo.Transfers, kept, p.readNamesOf)
}

func (p *pruneRun) readNamesOf(ctx context.Context, k manifest.Kept) error {
	m, sum, err := p.repo.ReadManifest(ctx, k.Sequence)
	switch {
	case err != nil:
		return fmt.Errorf("snapshot %d: %w", k.Sequence, err)
	case sum != k.SHA256:
		return fmt.Errorf("snapshot %d: its manifest hashes to %s, and the ledger names it as %s: %w",
			k.Sequence, sum, k.SHA256, values.ErrDamaged)
	case m.Unknown:
		return fmt.Errorf("snapshot %d: its manifest has an unknown field: %w", k.Sequence, errNewer)
	}
	if err := p.marks.files(m.Files); err != nil {
		return fmt.Errorf("snapshot %d: %w", k.Sequence, err)
	}
	for i := range m.Pages {
		ref := &m.Pages[i]
		if !p.marks.page(ref) {
			continue
		}
		files, err := p.repo.ReadPage(ctx, ref, m.Sequence)
		if err == nil {
			err = p.marks.files(files)
		}
		if err != nil {
			return fmt.Errorf("snapshot %d: %w", k.Sequence, err)
		}
	}
	return nil
}
