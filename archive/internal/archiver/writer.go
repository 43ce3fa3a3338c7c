package archiver

import (
	"context"
	"errors"
	"fmt"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// writerID returns the id of this host's state directory; empty without local state. With create it makes one if there
// is none.
func writerID(a *repo.Repo, create bool) string {
	if a.State == nil {
		return ""
	}
	read := a.State.Writer
	if create {
		read = a.State.MakeWriter
	}
	id, err := read()
	if err != nil {
		a.Log.Warn("the snapshot does not name its writer, since the local state cannot be used", "error", err)
	}
	return id
}

// warnWriter warns that this host comes back to an archive in which another writer has made a snapshot since. Two
// writers that take turns are a clone and its origin, or two archivers of one archive. A writer that replaced this one
// for good causes no warning.
func (r *backupRun) warnWriter() {
	parent := r.src.Parent()
	last := r.lastSeen.Snapshot
	if parent == nil || parent.Writer == "" || r.src.Writer == "" || last == 0 || last >= parent.Sequence {
		return
	}
	const advice = "give each an archive of its own"
	switch {
	case parent.Writer != r.src.Writer:
		r.src.Warn("after snapshot %d, the last one from here, another writer made snapshot %d, on node %s; "+
			"if both go on, this is a clone or a second archiver: %s", last, parent.Sequence, parent.Node, advice)
	case !r.hasTried():
		r.src.Warn("snapshot %d has the writer id of this host, and this host did not make it: on node %s a clone of the host, "+
			"or of its state directory, uses the same archive; delete the writer.json of the clone, and %s",
			parent.Sequence, parent.Node, advice)
	}
}

// hasTried reports whether this host made the base. It is true if that cannot be read: a warning without evidence would
// be wrong most of the time.
func (r *backupRun) hasTried() bool {
	made, err := r.repo.State.HasTried(r.src.Head.ArchiveID(), r.src.Head.Base.Ref)
	if err != nil {
		r.src.Warn("whether a clone of this host made snapshot %d is unknown: %v", r.src.Head.Base.Ref.Sequence, err)
	}
	return made || err != nil
}

// encode returns the bytes of the manifest that is about to be committed. The manifest names its writer only if this
// host has recorded it before: otherwise the next run would report a clone after an interruption.
func (r *backupRun) encode(id string, m *manifest.Manifest) ([]byte, error) {
	b, err := m.Encode()
	if err != nil || m.Writer == "" {
		return b, err
	}
	if err := r.repo.State.SaveTried(id, manifest.Ref{Sequence: r.next, SHA256: manifest.Sum(b)}); err != nil {
		r.repo.Log.Warn("the snapshot does not name its writer, since the local state cannot be used", "error", err)
		m.Writer = ""
		return m.Encode()
	}
	return b, nil
}

// errBaseDropped: a prune dropped the base while the backup ran.
var errBaseDropped = errors.New("a concurrent prune dropped it")

// holdBase holds the base, if the new snapshot does not continue all of it. The hold comes before the snapshot, so that
// no interruption leaves the base without it. A rewound source is backed up even if its base cannot be held: its
// newest state matters more. So is a forked one beside damage that only a backup ends: the newest manifest may be
// unreadable, and its hash unknown. In both cases holdLate tries again.
func (r *backupRun) holdBase(ctx context.Context) error {
	why := ""
	switch {
	case r.src.ForkedFrom != nil:
		why = fmt.Sprintf("snapshot %d begins another history", r.next)
	case r.src.RewoundFrom != nil:
		why = fmt.Sprintf("the log went back after it, in snapshot %d", r.next)
	default:
		return nil
	}
	base := r.src.Head.Base.Ref
	_, err := r.repo.AppendRecord(ctx, repo.RecordOptions{}, func(s *repo.LedgerView) (*repo.RecordPlan, error) {
		m := s.Find(base.Sequence)
		if m == nil || m.Kept.SHA256 != base.SHA256 {
			return nil, errBaseDropped
		}
		if m.Kept.Held != "" {
			return nil, nil
		}
		m.Kept.Held = why
		return s.KeepAll(fmt.Sprintf("hold %d", base.Sequence)), nil
	})
	switch {
	case errors.Is(err, errBaseDropped):
		return fmt.Errorf("manifest %d: %w: %w", base.Sequence, err, repo.ErrRaced)
	case err == nil, ctx.Err() != nil:
		return err
	case r.src.ForkedFrom != nil && !errors.Is(err, values.ErrDamaged):
		return fmt.Errorf("holding snapshot %d, the last of the other history: %w", base.Sequence, err)
	}
	r.unheld = err
	return nil
}

// holdLate holds the base after the commit if it could not be held before. The new snapshot, whose manifest names its
// parent's hash, may have ended the cause.
func (r *backupRun) holdLate(ctx context.Context) {
	if r.unheld == nil {
		return
	}
	r.unheld = nil
	if err := r.holdBase(ctx); err != nil {
		r.unheld = err
	}
	if r.unheld == nil {
		return
	}
	what := "the end of the log that is gone"
	if r.src.ForkedFrom != nil {
		what = "the other history"
	}
	r.src.Warn("snapshot %d, which has %s, could not be held: %v", r.src.Head.Base.Ref.Sequence, what, r.unheld)
}

// knownSource returns what this host remembers of the source as of the base snapshot, and of the last snapshot that it
// made or found up to date. It returns an error if that cannot be read: the guards need it.
func knownSource(a *repo.Repo, h *repo.Head) (base, last localstate.SourceState, err error) {
	if h.Base == nil {
		return base, last, nil
	}
	last = a.LastSource()
	if a.State != nil {
		last, err = a.State.LoadSource(h.ArchiveID())
		if errors.Is(err, localstate.ErrUnread) {
			return base, last, err
		}
		if err != nil {
			a.Log.Warn("the source cannot be compared with that of the last snapshot", "error", err)
		}
	}
	if last.IsOf(h.Base.Ref) {
		base = last
	}
	return base, last, nil
}
