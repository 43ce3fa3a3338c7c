package archive_test

import (
	"bytes"
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/retention"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// A prune may be killed between two deletes. It must not leave a manifest that names missing
// objects: an operator who restores by hand, without the ledger, would take it for whole.
func TestPruneDeletesManifestsBeforeTheirObjects(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 6)
	s := &weak{InMemory: h.store}
	objects := 0
	s.delete = func(ctx context.Context, deleted []store.Object) error {
		var keys []string
		for _, o := range deleted {
			keys = append(keys, o.Key)
		}
		for _, m := range manifestsIn(t, h) {
			for _, f := range m.Files {
				for _, p := range f.Parts {
					if slices.Contains(keys, p.Object) {
						t.Errorf("%s is deleted, and manifest %d names it", p.Object, m.Sequence)
					}
				}
			}
		}
		for _, key := range keys {
			if _, isObject := manifest.ParseObjectKey(key); isObject {
				objects++
			}
		}
		return h.store.Delete(ctx, deleted)
	}
	o := archive.PruneOptions{Retention: &retention.Policy{Last: 1}}
	if _, err := archive.New(s, archive.Options{}).Prune(t.Context(), o); err != nil || objects == 0 {
		t.Fatalf("%d objects were deleted, %v", objects, err)
	}
}

// manifestsIn decodes all manifests of a store.
func manifestsIn(t *testing.T, h *pruned) []*manifest.Manifest {
	t.Helper()
	var all []*manifest.Manifest
	content := h.store.Snapshot()
	for _, key := range h.store.Keys(manifest.ManifestsPrefix) {
		n, _ := manifest.ParseManifestKey(key)
		m, err := manifest.DecodeManifest(content.Bytes(key), n)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, m)
	}
	return all
}

// A manifest in which a bit has flipped may still parse, and name other objects than its snapshot
// needs. So prune checks it against the hash in the ledger, and deletes nothing.
func TestPruneReadsManifestsByTheirHash(t *testing.T) {
	t.Parallel()
	h := newPruned(t, 4)
	h.keepLast(3) // a record names the hashes
	key := manifest.ManifestKey(3)
	b := bytes.Clone(h.store.Snapshot().Bytes(key))
	at := bytes.Index(b, []byte(`"created":"`)) + len(`"created":"2026-11-27T18:00:0`)
	b[at] ^= 1 // another second
	if m, err := manifest.DecodeManifest(b, 3); err != nil || m.Sequence != 3 {
		t.Fatalf("the manifest makes no sense: %v", err)
	}
	h.store.Replace(key, b)
	before := keys(h.store)
	_, err := h.archive().Prune(t.Context(), archive.PruneOptions{Retention: &retention.Policy{Last: 1}})
	if !errors.Is(err, archive.ErrDamaged) || !contains(err, "snapshot 3") {
		t.Fatal(err)
	}
	for _, key := range before {
		if _, isObject := manifest.ParseObjectKey(key); isObject && !slices.Contains(keys(h.store), key) {
			t.Errorf("%s is gone", key)
		}
	}
}
