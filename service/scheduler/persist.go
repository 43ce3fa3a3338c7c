package scheduler

import (
	"errors"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/service/statefile"
)

// maxText bounds the saved part of an error, in bytes.
const maxText = 4 << 10

// persistedStatus is a job's status in its state file.
type persistedStatus struct {
	Since         time.Time     `json:"since"`
	Snapshot      int64         `json:"snapshot"`
	FailuresInRow int64         `json:"failures_in_row"`
	LastSuccess   time.Time     `json:"last_success"`
	LastFailure   time.Time     `json:"last_failure"`
	LastError     string        `json:"last_error"`
	Took          time.Duration `json:"took_ns"`
	Total         Total         `json:"total"`
	History       []Run         `json:"history"`
}

// statusFile is the name of the job's state file.
func (r *runner) statusFile() string { return r.job.key() + ".json" }

// restoreStatus reads the status from before the start, once.
func (r *runner) restoreStatus() {
	if r.o.Dir == "" || r.record.recalled() {
		return
	}
	m := &persistedStatus{}
	err := r.state.Read(r.statusFile(), m)
	if errors.Is(err, statefile.ErrHangs) {
		r.log.Warn("cannot read the status of earlier runs yet; it is added once the state directory responds", "error", err)
		late := &persistedStatus{}
		r.state.ReadLater(r.statusFile(), late, func() {
			r.record.add(late)
			r.saveStatus()
		})
		return
	}
	if err != nil {
		r.log.Warn("cannot read the status of earlier runs, so the history begins again", "error", err)
		return
	}
	r.record.restore(m)
}

// saveStatus writes the job's status to its state file, in the background: a run must not wait for that disk.
func (r *runner) saveStatus() {
	if r.o.Dir == "" {
		return
	}
	r.state.Save(r.statusFile(), r.record.persisted(), func(err error) {
		r.log.Warn("cannot save this run's status; it is lost at a restart", "error", err)
	})
}

// recalled reports whether it was called before.
func (r *statusTracker) recalled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.old
	r.old = true
	return was
}

func (r *statusTracker) restore(m *persistedStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := &r.status
	j.Snapshot, j.FailuresInRow = m.Snapshot, max(0, m.FailuresInRow)
	j.LastSuccess, j.LastFailure, j.LastError = m.LastSuccess, m.LastFailure, m.LastError
	r.since, r.took, j.Total = m.Since, m.Took, m.Total
	r.spent = time.Duration(m.Total.Milliseconds) * time.Millisecond
	j.History = m.History
	if n := len(m.History); n > 0 {
		j.Last = m.History[n-1]
	}
}

// add adds the status from before the start to that of the runs since.
func (r *statusTracker) add(m *persistedStatus) {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := &r.status
	if !slices.ContainsFunc(j.History, func(run Run) bool { return run.Outcome != Failed }) { // no success since
		j.FailuresInRow += max(0, m.FailuresInRow)
		r.took = m.Took
	}
	if j.Snapshot == 0 {
		j.Snapshot = m.Snapshot
	}
	if m.LastSuccess.After(j.LastSuccess) {
		j.LastSuccess = m.LastSuccess
	}
	if j.LastFailure.IsZero() {
		j.LastFailure, j.LastError = m.LastFailure, m.LastError
	}
	if !m.Since.IsZero() {
		r.since = m.Since
	}
	t, was := &j.Total, m.Total
	t.Made, t.Unchanged, t.Failed = t.Made+was.Made, t.Unchanged+was.Unchanged, t.Failed+was.Failed
	t.Files, t.Bytes = t.Files+was.Files, t.Bytes+was.Bytes
	r.spent += time.Duration(was.Milliseconds) * time.Millisecond
	t.Milliseconds = r.spent.Milliseconds()
	j.History = slices.Concat(m.History, j.History)
	j.History = j.History[max(0, len(j.History)-maxHistory):]
	if n := len(j.History); n > 0 {
		j.Last = j.History[n-1]
	}
}

// remembered returns the time of the last successful run. If there is none, it returns the time of its own first
// call, which it records; isNew reports that first call.
func (r *statusTracker) remembered(now time.Time) (last time.Time, isNew bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at := r.status.LastSuccess; !at.IsZero() {
		return at, false
	}
	if r.since.IsZero() {
		r.since, isNew = now, true
	}
	return r.since, isNew
}

func (r *statusTracker) persisted() *persistedStatus {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := &r.status
	return &persistedStatus{
		Since: r.since, Snapshot: j.Snapshot, FailuresInRow: j.FailuresInRow,
		LastSuccess: j.LastSuccess, LastFailure: j.LastFailure, LastError: j.LastError,
		Took: r.took, Total: j.Total, History: j.History[:len(j.History):len(j.History)],
	}
}
