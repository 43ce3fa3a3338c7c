package archive

import (
	"bytes"
	"fmt"

	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// restateID returns archive.json with what the manifests repeat of it, where it is lost or
// cannot be read and no copy has it: else no backup could go on. All manifests must agree.
func (r *repairRun) restateID(noCopy error) (*stagedObject, store.Sums, error) {
	if r.head.id != nil {
		return nil, store.Sums{}, noCopy
	}
	if record := r.head.record; r.hasMixedIDs || record != nil && record.Archive != r.head.archiveID() {
		return nil, store.Sums{}, fmt.Errorf("%w, and the manifests do not agree whose the archive is", noCopy)
	}
	b, err := r.head.restateID()
	if err != nil {
		return nil, store.Sums{}, err
	}
	s := manifest.StoredSumsOf(b)
	return &stagedObject{bytes.NewReader(b), func() {}}, store.Sums{Size: s.Size, SHA256: s.SHA256, CRC32C: s.CRC32C}, nil
}

// noteID keeps the local state from reporting an archive.json that was put back.
func (r *repairRun) noteID(sum manifest.Hash) {
	id := r.head.archiveID()
	if r.state == nil || id == "" {
		return
	}
	if err := r.state.acceptID(id, sum); err != nil {
		r.log.Warn("that "+manifest.ArchiveKey+" was put back is not remembered", "error", err)
	}
}
