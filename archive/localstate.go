package archive

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// LocalState names the directory where this host remembers, in a few small files per archive, the newest manifest
// that it saw. The store alone cannot show that its newest snapshot is gone, since that looks like a snapshot that
// was never finished. Deleting the files loses nothing but this knowledge.
type LocalState struct {
	Dir string // is made when it is missing

	// Place is the archive's address, without credentials. With it, once any operation has read the archive, later
	// ones return an error if the whole archive is gone, such as with a disk that is not mounted. Empty disables
	// this check.
	Place string

	// Former is Place as earlier versions of the program had it; empty if it is the same. What they remembered is read
	// where nothing was recorded for Place yet.
	Former string
}

// checkPin compares the archive with what this host saw last. A difference is a warning for a backup, which
// continues with the next number, and a problem for Verify.
func (a *Archive) checkPin(h *head, s *localstate.Pin) {
	if s == nil {
		return
	}
	problems := a.anomalies(h, s)
	h.greatest = max(h.greatest, s.Newest.Sequence)
	h.anomalies = problems
	for _, p := range problems {
		h.warn("%s %s", p.Object, p.Detail)
	}
}

// loadPin returns what this host has seen of an archive, or nil. It returns an error if that cannot be read: the
// archive is then not compared with it. An operation that only reads continues if another user keeps the local state.
// The caller must read what it compares with the pin afterwards, since the archive and the pin may both change at any
// time.
func (a *Archive) loadPin(id string) (*localstate.Pin, error) {
	if a.state == nil || id == "" {
		return nil, nil
	}
	s, ok, err := a.state.LoadPin(id)
	switch {
	case a.isKeptByAnother(err):
		a.warnUncompared(err)
		return nil, nil
	case errors.Is(err, localstate.ErrUnread):
		return nil, err
	case err != nil: // the file is damaged, and the next pin replaces it
		a.log.Warn("the local state cannot be used", "error", err)
		return nil, nil
	case !ok:
		return nil, nil
	}
	return &s, nil
}

// isKeptByAnother reports whether an error of the local state means that another user keeps it, such as that of the
// service, and that this operation can go on without it: it changes nothing in the archive.
func (a *Archive) isKeptByAnother(err error) bool {
	return a.readsOnly && errors.Is(err, localstate.ErrUnread) && errors.Is(err, fs.ErrPermission)
}

// warnUncompared logs once for each operation that the archive is not compared with the local state.
func (a *Archive) warnUncompared(err error) {
	a.mu.Lock()
	isFirst := !a.isUncompared
	a.isUncompared = true
	a.mu.Unlock()
	if isFirst {
		a.log.Warn("the archive was not compared with what this host remembers of it", "error", err)
	}
}

// anomalies returns the differences between the archive and what this host has seen of it.
func (a *Archive) anomalies(h *head, s *localstate.Pin) []Problem {
	problems := make([]Problem, 0, len(s.Anomalies)+1)
	for i := range s.Anomalies {
		problems = append(problems, fromAnomaly(&s.Anomalies[i]))
	}
	newest, forget := h.newest(), "; to have this forgotten, delete "+a.state.PinPath(h.archiveID())
	a.mu.Lock()
	idSum := a.idSum
	a.mu.Unlock()
	if !s.Archive.IsZero() && !idSum.IsZero() && s.Archive != idSum {
		problems = append(problems, Problem{
			Object: manifest.ArchiveKey, Kind: ProblemLocalState,
			Detail: fmt.Sprintf("is not what this host has seen: it hashes to %s and was %s%s", idSum, s.Archive, forget),
		})
	}
	p := Problem{
		Object: manifest.ManifestKey(s.Newest.Sequence), Kind: ProblemLocalState,
		Snapshots: []int64{s.Newest.Sequence}, Was: s.Newest.SHA256.String(),
	}
	switch {
	case newest.Sequence < s.Newest.Sequence:
		p.Detail = fmt.Sprintf("was seen by this host and is gone; the newest snapshot is now %d%s", newest.Sequence, forget)
		problems = append(problems, p)
	case newest.Sequence == s.Newest.Sequence && newest.SHA256 != s.Newest.SHA256:
		p.Detail = fmt.Sprintf("is not what this host has seen: it hashes to %s and was %s%s",
			newest.SHA256, s.Newest.SHA256, forget)
		problems = append(problems, p)
	}
	return problems
}

// savePin records the newest snapshot on this host, with the anomalies: a later snapshot does not repair them.
func (a *Archive) savePin(id string, newest manifest.Ref, anomalies []Problem) {
	if a.state == nil {
		return
	}
	const noted = " (noticed at "
	for i := range anomalies {
		if p := &anomalies[i]; !strings.Contains(p.Detail, noted) {
			p.Detail += noted + time.Now().UTC().Format(time.RFC3339) + ")"
		}
	}
	a.mu.Lock()
	s := localstate.Pin{Newest: newest, Archive: a.idSum, Whole: a.whole}
	a.mu.Unlock()
	for i := range anomalies {
		s.Anomalies = append(s.Anomalies, anomalies[i].anomaly())
	}
	err := a.state.SavePin(id, s)
	if err == nil {
		err = a.state.SavePlace(id)
	}
	if err != nil {
		a.log.Warn("the local state was not written; state_dir, or STRONGROOM_STATE_DIR, names its directory", "error", err)
	}
}

// keepSource records the identity of the source's directories and last files, now that a snapshot holds them.
func (r *backupRun) keepSource(id string, of manifest.Ref) {
	if r.capture.Dirs == nil {
		return
	}
	s := localstate.SourceState{
		Snapshot: of.Sequence, SHA256: of.SHA256.String(), Dirs: r.capture.Dirs, Files: r.identifyEnd(),
	}
	if r.seen.IsOf(of) && maps.Equal(s.Dirs, r.seen.Dirs) && maps.Equal(s.Files, r.seen.Files) {
		return
	}
	if r.state == nil {
		r.Archive.mu.Lock()
		r.lastSource = localstate.SourceState{Snapshot: s.Snapshot, SHA256: s.SHA256, Files: s.Files}
		r.Archive.mu.Unlock()
		return
	}
	if err := r.state.SaveSource(id, s); err != nil {
		r.log.Warn("the identity of the source's directories was not written", "error", err)
	}
}

// identifyEnd returns the identities of the tail and of the closed file before it.
func (r *backupRun) identifyEnd() map[string]source.DirID {
	if !r.layout.ChecksEntries() {
		return nil
	}
	tail, closed := endOf(r.layout, r.capture.Files, func(f *source.File) (string, bool) { return f.Name, f.State == source.Tail })
	files := map[string]source.DirID{}
	for _, name := range []string{tail, closed} {
		if name == "" {
			continue
		}
		if id := r.capture.Identify(name); id != (source.DirID{}) {
			files[name] = id
		}
	}
	return files
}

// loadStamps returns what is known of the source's files, for one backup. It returns an error if that cannot be read:
// the backup would replace the stamps of files that were rewritten since, and never notice these.
func (a *Archive) loadStamps(id string) (*localstate.FileStamps, error) {
	a.mu.Lock()
	stamps := a.stamps
	a.mu.Unlock()
	if stamps == nil || stamps.Archive != id {
		stamps = &localstate.FileStamps{Archive: id}
		if a.state != nil && id != "" {
			var err error
			stamps, err = a.state.LoadStamps(id)
			if errors.Is(err, localstate.ErrUnread) {
				return nil, err
			}
			if err != nil {
				a.log.Warn("the recorded attributes of the source's files cannot be read", "error", err)
			}
		}
		a.mu.Lock()
		a.stamps = stamps
		a.mu.Unlock()
	}
	s := *stamps
	return &s, nil
}

// newStamps returns the stamps of the run's capture, as its files are in a snapshot with these entries; nil if the
// source is another archive, whose files have no attributes that could replace what this host remembers of its own
// source.
func (r *backupRun) newStamps(id string, of manifest.Ref, files []manifest.File) *localstate.FileStamps {
	captured := r.capture.Files
	if !slices.ContainsFunc(captured, func(f source.File) bool { return f.ID() != (source.ID{}) }) {
		return nil
	}
	if r.partial != nil {
		return r.partial.stamps(of, captured, files)
	}
	return stampsOf(id, of, captured, files)
}

// keepForNext keeps, in memory and on this host, what later backups need of a snapshot that was just made or found to be
// up to date. stamps may be nil, as for rememberNew.
func (r *backupRun) keepForNext(id string, s *snapshot, stamps *localstate.FileStamps) {
	r.rememberNew(s, stamps)
	r.saveStamps(stamps)
	r.keepSource(id, s.ref)
}

// saveStamps records stamps for later processes.
func (r *backupRun) saveStamps(stamps *localstate.FileStamps) {
	if stamps == nil || r.state == nil {
		return
	}
	if err := r.state.SaveStamps(stamps); err != nil {
		r.log.Warn("the attributes of the source's files were not recorded", "error", err)
	}
}

// stampsOf returns the stamps of captured files and their entries, both in name order. If they do not have the same
// names, the stamps are of no snapshot.
func stampsOf(id string, of manifest.Ref, captured []source.File, files []manifest.File) *localstate.FileStamps {
	if !slices.EqualFunc(captured, files, func(f source.File, e manifest.File) bool { return f.Name == e.Name }) {
		of = manifest.Ref{}
	}
	s := localstate.NewStamps(id, of, len(captured))
	for i := range captured {
		f := &captured[i]
		for len(files) > 0 && files[0].Name < f.Name {
			files = files[1:]
		}
		if len(files) > 0 && files[0].Name == f.Name {
			s.Add(f, &files[0])
		} else {
			s.Add(f, nil)
		}
	}
	return s
}

// maxKeptPages is how many pages a running service keeps, for the next snapshot: those that change are mostly the same.
const maxKeptPages = 16

// rememberNew keeps a snapshot that was just made, or found to be up to date, in memory, with its stamps; nil keeps
// those that are there. If stamps show what a later backup needs of its pages, it keeps only those that have a tail,
// and the last ones of those that the run has read.
func (r *backupRun) rememberNew(s *snapshot, stamps *localstate.FileStamps) {
	a := r.Archive
	a.mu.Lock() // Pending reads both
	defer a.mu.Unlock()
	if stamps != nil {
		a.stamps = stamps
	}
	if a.stamps != nil && a.stamps.Snapshot == s.ref && s.pages != nil {
		s = withFewPages(s)
	}
	a.known = s
}

// withFewPages returns a snapshot with the pages that have a tail, and at most maxKeptPages others.
func withFewPages(of *snapshot) *snapshot {
	m := *of.m
	m.Files = nil
	s := &snapshot{ref: of.ref, m: &m, pages: slices.Clone(of.pages)}
	kept := 0
	for i := range slices.Backward(s.pages) {
		p := &s.pages[i]
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
