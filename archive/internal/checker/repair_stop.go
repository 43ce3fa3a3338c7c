package checker

import (
	"bytes"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/internal/staging"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// restateID returns an archive.json with the fields that the manifests repeat. It is for an archive.json that
// is missing or unreadable and that no copy has; without one, no backup could continue. All manifests must
// agree on the archive's id.
func (r *repairRun) restateID(noCopy error) (*staging.Object, store.Sums, error) {
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
	return &staging.Object{ReaderAt: bytes.NewReader(b), Release: func() {}}, store.Sums{Size: s.Size, SHA256: s.SHA256, CRC32C: s.CRC32C}, nil
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

// untriedProblems returns the problems that a repair leaves when it ends early. It counts the problems of
// restored objects as repaired.
func (r *repairRun) untriedProblems(problems []values.Problem) []values.Problem {
	var left []values.Problem
	for _, p := range problems {
		if err, known := r.outcome[p.Object]; known && err == nil {
			r.report.Repaired = append(r.report.Repaired, p)
			continue
		}
		left = append(left, p)
	}
	return left
}

// endsRepair reports whether an error means that the archive no longer exists or was replaced by another one.
// The repair then must not change anything more.
func endsRepair(err error) bool {
	return errors.Is(err, store.ErrGone) || errors.Is(err, repo.ErrOtherID)
}

// stoppedReport returns the report of a repair that ends with an error; nil if no repair had begun.
func (v *verifyRun) stoppedReport() *values.VerifyReport {
	if v.lastReport == nil && len(v.repaired) == 0 {
		return nil
	}
	if v.lastReport == nil { // only the ledger was repaired
		v.lastReport = &values.VerifyReport{Problems: []values.Problem{}, Damaged: []values.Damage{}, Nested: []values.Nested{}}
	}
	v.lastReport.Repaired = v.repaired
	v.report = v.lastReport
	v.finish()
	return v.report
}
