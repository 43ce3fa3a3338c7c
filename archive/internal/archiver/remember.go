package archiver

import (
	"errors"
	"maps"
	"slices"

	"github.com/strongroom-dev/strongroom/archive/internal/guard"
	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/source"
)

// keepSource records the identity of the source's directories and last files, now that a snapshot holds them.
func (r *backupRun) keepSource(id string, of manifest.Ref) {
	if r.src.Capture.Dirs == nil {
		return
	}
	s := localstate.SourceState{
		Snapshot: of.Sequence, SHA256: of.SHA256.String(), Dirs: r.src.Capture.Dirs, Files: r.identifyEnd(),
	}
	if r.src.Seen.IsOf(of) && maps.Equal(s.Dirs, r.src.Seen.Dirs) && maps.Equal(s.Files, r.src.Seen.Files) {
		return
	}
	if r.repo.State == nil {
		r.repo.KeepLastSource(localstate.SourceState{Snapshot: s.Snapshot, SHA256: s.SHA256, Files: s.Files})
		return
	}
	if err := r.repo.State.SaveSource(id, s); err != nil {
		r.repo.Log.Warn("the identity of the source's directories was not written", "error", err)
	}
}

// identifyEnd returns the identities of the tail and of the closed file before it.
func (r *backupRun) identifyEnd() map[string]source.DirID {
	if !r.src.Layout.ChecksEntries() {
		return nil
	}
	tail, closed := guard.EndOf(r.src.Layout, r.src.Capture.Files, func(f *source.File) (string, bool) { return f.Name, f.State == source.Tail })
	files := map[string]source.DirID{}
	for _, name := range []string{tail, closed} {
		if name == "" {
			continue
		}
		if id := r.src.Capture.Identify(name); id != (source.DirID{}) {
			files[name] = id
		}
	}
	return files
}

// loadStamps returns what is known of the source's files, for one backup. It returns an error if that cannot be read:
// the backup would replace the stamps of files that were rewritten since, and never notice these.
func loadStamps(a *repo.Repo, id string) (*localstate.FileStamps, error) {
	stamps := a.Stamps()
	if stamps == nil || stamps.Archive != id {
		stamps = &localstate.FileStamps{Archive: id}
		if a.State != nil && id != "" {
			var err error
			stamps, err = a.State.LoadStamps(id)
			if errors.Is(err, localstate.ErrUnread) {
				return nil, err
			}
			if err != nil {
				a.Log.Warn("the recorded attributes of the source's files cannot be read", "error", err)
			}
		}
		a.KeepStamps(stamps)
	}
	s := *stamps
	return &s, nil
}

// newStamps returns the stamps of the run's capture, as its files are in a snapshot with these entries; nil if the
// source is another archive, whose files have no attributes that could replace what this host remembers of its own
// source.
func (r *backupRun) newStamps(id string, of manifest.Ref, files []manifest.File) *localstate.FileStamps {
	captured := r.src.Capture.Files
	if !slices.ContainsFunc(captured, func(f source.File) bool { return f.ID() != (source.ID{}) }) {
		return nil
	}
	if r.partial != nil {
		return r.partial.stamps(of, captured, files)
	}
	return stampsOf(id, of, captured, files)
}

// keepForNext keeps, in memory and on this host, what later backups need of a snapshot that was just made or found to be
// up to date. stamps may be nil, as for RememberMade.
func (r *backupRun) keepForNext(id string, s *repo.Snapshot, stamps *localstate.FileStamps) {
	r.repo.RememberMade(s, stamps)
	r.saveStamps(stamps)
	r.keepSource(id, s.Ref)
}

// saveStamps records stamps for later processes.
func (r *backupRun) saveStamps(stamps *localstate.FileStamps) {
	if stamps == nil || r.repo.State == nil {
		return
	}
	if err := r.repo.State.SaveStamps(stamps); err != nil {
		r.repo.Log.Warn("the attributes of the source's files were not recorded", "error", err)
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
