package archive

import (
	"fmt"
	"slices"

	"github.com/strongroom-dev/strongroom/manifest"
)

// hollow returns for each valid snapshot why no retention rule counts it; empty if rules count it. A snapshot is hollow
// if it has no files, or if it lost most of its content and has nothing new. A backup makes no empty snapshot, and
// makes one with that loss only if an operator accepts it. So hollow snapshots are forged, or older than these guards.
//
// The loss is measured against the last snapshot with new content. Otherwise a chain of forged snapshots could lose all
// content, each less than half of its predecessor's.
func (s *ledgerView) hollow() []string {
	why := make([]string, len(s.valid))
	var full *manifest.Summary
	for i := range s.valid {
		m := &s.valid[i]
		if m.err != nil || m.m == nil {
			continue
		}
		renewed := m.hasNews || lossAccepted(m.m)
		switch {
		case m.m.Counts.Files == 0:
			why[i] = "no files"
		case full != nil && !renewed && lostMost(&full.Counts, &m.m.Counts):
			why[i] = fmt.Sprintf("%d of the %d files and %d of the %d bytes of snapshot %d, and nothing new",
				m.m.Counts.Files, full.Counts.Files, m.m.Counts.Bytes, full.Counts.Bytes, full.Sequence)
		case full == nil || renewed:
			full = m.m
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
		return slices.Contains(guards(), g) && g != manifest.GuardPrune
	})
}

// hasNews reports whether a snapshot holds content that was stored for it. Its entries show that or, if these are in
// pages, the number of a page does; the count alone is only a claim.
func hasNews(m *manifest.Manifest) bool {
	if m.Counts.Added == 0 {
		return false
	}
	ownPage := func(p manifest.PageRef) bool {
		k, ok := manifest.ParseObjectKey(p.Object)
		return ok && k.Sequence == m.Sequence
	}
	return slices.ContainsFunc(m.Files, func(f manifest.File) bool { return f.Snapshot == m.Sequence }) ||
		slices.ContainsFunc(m.Pages, ownPage)
}
