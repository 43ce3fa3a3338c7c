package repo

import (
	"slices"
	"sync"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/scan"
	"github.com/strongroom-dev/strongroom/manifest"
)

// memory is what one operation of a process leaves to the next. Nothing relies on it: without it, more is read again.
type memory struct {
	mu          sync.Mutex             // guards all fields
	idSum       manifest.Hash          // of archive.json, as it was last read or written
	headID      *manifest.Archive      // archive.json as ReadHead found it; nil if it is missing or damaged
	whole       *localstate.Whole      // the snapshots that were stored without the ledger's next record
	known       *Snapshot              // the newest manifest that was read or written
	tailRead    *scan.TailRead         // how far the tail was read last
	lastSource  localstate.SourceState // of the source's last files; used without a state directory
	stamps      *localstate.FileStamps // of the source's files
	listedPages string                 // the archive whose pages a backup of this process has listed

	// isUncompared means that it was logged that this operation does not compare the archive with the local state.
	isUncompared bool
}

// Known returns the newest snapshot that this process has read or made; nil if there is none.
func (m *memory) Known() *Snapshot {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.known
}

// Remember keeps a snapshot for Known.
func (m *memory) Remember(s *Snapshot) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.known = s
}

// RememberMade keeps a snapshot that was just made, or found to be up to date, with its stamps; nil keeps those that
// are there. If stamps show what a later backup needs of its pages, it keeps only those that have a tail, and the last
// ones of those that the run has read.
func (m *memory) RememberMade(s *Snapshot, stamps *localstate.FileStamps) {
	m.mu.Lock() // Pending reads both
	defer m.mu.Unlock()
	if stamps != nil {
		m.stamps = stamps
	}
	if m.stamps != nil && m.stamps.Snapshot == s.Ref && s.Pages != nil {
		s = withFewPages(s)
	}
	m.known = s
}

// maxKeptPages is how many pages a running service keeps, for the next snapshot: those that change are mostly the same.
const maxKeptPages = 16

// withFewPages returns a snapshot with the pages that have a tail, and at most maxKeptPages others.
func withFewPages(of *Snapshot) *Snapshot {
	m := *of.Manifest
	m.Files = nil
	s := &Snapshot{Ref: of.Ref, Manifest: &m, Pages: slices.Clone(of.Pages)}
	kept := 0
	for i := range slices.Backward(s.Pages) {
		p := &s.Pages[i]
		hasTail := slices.ContainsFunc(p.Files, func(f manifest.File) bool { return f.State == manifest.Tail })
		if p.Files == nil || !hasTail && kept == maxKeptPages {
			p.Files = nil
			continue
		}
		p.Files = slices.Clone(p.Files) // alone, without the memory of all
		kept++
	}
	return s
}

// Stamps returns what is known of the source's files; nil before KeepStamps.
func (m *memory) Stamps() *localstate.FileStamps {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.stamps
}

// KeepStamps keeps stamps for Stamps.
func (m *memory) KeepStamps(s *localstate.FileStamps) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.stamps = s
}

// TailRead returns how far this process has read a tail; nil if it has read none.
func (m *memory) TailRead() *scan.TailRead {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.tailRead
}

// KeepTailRead keeps a value for TailRead.
func (m *memory) KeepTailRead(t *scan.TailRead) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.tailRead = t
}

// LastSource returns the identity of the source's last files, which a host without a state directory has only here.
func (m *memory) LastSource() localstate.SourceState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.lastSource
}

// KeepLastSource keeps a value for LastSource.
func (m *memory) KeepLastSource(s localstate.SourceState) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.lastSource = s
}

// Whole returns since when snapshots were stored without the ledger's next record; nil if none was, or not by this
// process.
func (m *memory) Whole() *localstate.Whole {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.whole
}

// KeepWhole keeps a value for Whole.
func (m *memory) KeepWhole(w *localstate.Whole) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.whole = w
}

// HasListedPages reports whether a backup of this process has listed the pages of an archive.
func (m *memory) HasListedPages(id string) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.listedPages == id
}

// NoteListedPages records that a backup has listed the pages of an archive.
func (m *memory) NoteListedPages(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.listedPages = id
}
