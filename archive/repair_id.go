package archive

import (
	"bytes"
	"fmt"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// restateID returns an archive.json with the fields that the manifests repeat. It is for an archive.json that
// is missing or unreadable and that no copy has; without one, no backup could continue. All manifests must
// agree on the archive's id.
func (r *repairRun) restateID(noCopy error) (*stagedObject, store.Sums, error) {
	if r.head.ID != nil {
		return nil, store.Sums{}, noCopy
	}
	if record := r.head.Record; r.hasMixedIDs || record != nil && record.Archive != r.head.ArchiveID() {
		return nil, store.Sums{}, fmt.Errorf("%w, and the manifests do not agree on the archive's id", noCopy)
	}
	b, err := r.head.RestateID()
	if err != nil {
		return nil, store.Sums{}, err
	}
	s := manifest.StoredSumsOf(b)
	return &stagedObject{bytes.NewReader(b), func() {}}, store.Sums{Size: s.Size, SHA256: s.SHA256, CRC32C: s.CRC32C}, nil
}

// noteID saves the hash of a restored archive.json in the local state, so that it is not reported as changed.
func (r *repairRun) noteID(sum manifest.Hash) {
	id := r.head.ArchiveID()
	if r.repo.State == nil || id == "" {
		return
	}
	if err := r.repo.State.AcceptID(id, sum); err != nil {
		r.repo.Log.Warn("could not save in the local state that "+manifest.ArchiveKey+" was restored", "error", err)
	}
}
