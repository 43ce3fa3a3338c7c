package repo

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/archive/internal/localstate"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// checkPin compares the archive with what this host saw last. A difference is a warning for a backup, which
// continues with the next number, and a problem for Verify.
func (a *Repo) checkPin(h *Head, s *localstate.Pin) {
	if s == nil {
		return
	}
	problems := a.Anomalies(h, s)
	h.Greatest = max(h.Greatest, s.Newest.Sequence)
	h.Anomalies = problems
	for _, p := range problems {
		h.Warn("%s %s", p.Object, p.Detail)
	}
}

// LoadPin returns what this host has seen of an archive, or nil. It returns an error if that cannot be read: the
// archive is then not compared with it. An operation that only reads continues if another user keeps the local state.
// The caller must read what it compares with the pin afterwards, since the archive and the pin may both change at any
// time.
func (a *Repo) LoadPin(id string) (*localstate.Pin, error) {
	if a.State == nil || id == "" {
		return nil, nil
	}
	s, ok, err := a.State.LoadPin(id)
	switch {
	case a.isKeptByAnother(err):
		a.warnUncompared(err)
		return nil, nil
	case errors.Is(err, localstate.ErrUnread):
		return nil, err
	case err != nil: // the file is damaged, and the next pin replaces it
		a.Log.Warn("the local state cannot be used", "error", err)
		return nil, nil
	case !ok:
		return nil, nil
	}
	return &s, nil
}

// isKeptByAnother reports whether an error of the local state means that another user keeps it, such as that of the
// service, and that this operation can go on without it: it changes nothing in the archive.
func (a *Repo) isKeptByAnother(err error) bool {
	return a.ReadsOnly && errors.Is(err, localstate.ErrUnread) && errors.Is(err, fs.ErrPermission)
}

// warnUncompared logs once for each operation that the archive is not compared with the local state.
func (a *Repo) warnUncompared(err error) {
	a.mu.Lock()
	isFirst := !a.isUncompared
	a.isUncompared = true
	a.mu.Unlock()
	if isFirst {
		a.Log.Warn("the archive was not compared with what this host remembers of it", "error", err)
	}
}

// Anomalies returns the differences between the archive and what this host has seen of it.
func (a *Repo) Anomalies(h *Head, s *localstate.Pin) []values.Problem {
	problems := make([]values.Problem, 0, len(s.Anomalies)+1)
	for i := range s.Anomalies {
		problems = append(problems, fromAnomaly(&s.Anomalies[i]))
	}
	newest, forget := h.Newest(), "; to have this forgotten, delete "+a.State.PinPath(h.ArchiveID())
	a.mu.Lock()
	idSum := a.idSum
	a.mu.Unlock()
	if !s.Archive.IsZero() && !idSum.IsZero() && s.Archive != idSum {
		problems = append(problems, values.Problem{
			Object: manifest.ArchiveKey, Kind: values.ProblemLocalState,
			Detail: fmt.Sprintf("is not what this host has seen: it hashes to %s and was %s%s", idSum, s.Archive, forget),
		})
	}
	p := values.Problem{
		Object: manifest.ManifestKey(s.Newest.Sequence), Kind: values.ProblemLocalState,
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

// SavePin records the newest snapshot on this host, with the anomalies: a later snapshot does not repair them.
func (a *Repo) SavePin(id string, newest manifest.Ref, anomalies []values.Problem) {
	if a.State == nil {
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
		s.Anomalies = append(s.Anomalies, anomaly(&anomalies[i]))
	}
	err := a.State.SavePin(id, s)
	if err == nil {
		err = a.State.SavePlace(id)
	}
	if err != nil {
		a.Log.Warn("the local state was not written; state_dir, or STRONGROOM_STATE_DIR, names its directory", "error", err)
	}
}

// fromAnomaly returns a problem that the local state remembers.
func fromAnomaly(a *localstate.Anomaly) values.Problem {
	return values.Problem{
		Object: a.Object, Kind: values.ProblemKind(a.What), Detail: a.Detail, Files: a.Files, Snapshots: a.Snapshots, Was: a.Was,
	}
}

// anomaly returns the problem as the local state remembers it.
func anomaly(p *values.Problem) localstate.Anomaly {
	return localstate.Anomaly{
		Object: p.Object, What: string(p.Kind), Detail: p.Detail, Files: p.Files, Snapshots: p.Snapshots, Was: p.Was,
	}
}
