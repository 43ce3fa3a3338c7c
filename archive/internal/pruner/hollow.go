package pruner

import (
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// hollow returns for each valid snapshot why no retention rule counts it; empty if rules count it. A snapshot is hollow
// if it has no files, or if it lost most of its content and has nothing new. A backup makes no empty snapshot, and
// makes one with that loss only if an operator accepts it. So hollow snapshots are forged, or older than these guards.
//
// The loss is measured against the last snapshot with new content. Otherwise a chain of forged snapshots could lose all
// content, each less than half of its predecessor's.
func hollow(s *repo.LedgerView) []string {
	why := make([]string, len(s.Valid))
	var full *manifest.Summary
	for i := range s.Valid {
		m := &s.Valid[i]
		if m.Err != nil || m.Summary == nil {
			continue
		}
		renewed := m.HasNews || lossAccepted(m.Summary)
		switch {
		case m.Summary.Counts.Files == 0:
			why[i] = "no files"
		case full != nil && !renewed && lostMost(&full.Counts, &m.Summary.Counts):
			why[i] = fmt.Sprintf("%d of the %d files and %d of the %d bytes of snapshot %d, and nothing new",
				m.Summary.Counts.Files, full.Counts.Files, m.Summary.Counts.Bytes, full.Counts.Bytes, full.Sequence)
		case full == nil || renewed:
			full = m.Summary
		}
	}
	return why
}

// lostMost reports whether more than half of the files or of the bytes are gone.
func lostMost(before, now *manifest.Counts) bool {
	return before.Files-now.Files > before.Files/2 || before.Bytes-now.Bytes > before.Bytes/2
}

// lossAccepted reports whether an operator accepted for a snapshot what a guard of backups found.
func lossAccepted(s *manifest.Summary) bool {
	return slices.ContainsFunc(s.Accepted, func(g manifest.Guard) bool {
		return slices.Contains(values.Guards(), g) && g != manifest.GuardPrune
	})
}
