package service

import (
	"path/filepath"
	"time"

	"github.com/strongroom-dev/strongroom/service/statefile"
)

// maxText is how much of an error is remembered, in bytes.
const maxText = 4 << 10

// memory is what a job remembers across restarts.
type memory struct {
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

func (r *runner) memoryFile() string { return filepath.Join(r.o.Dir, r.job.key()+".json") }

// recall reads what the job knew before the service was started, once.
func (r *runner) recall() {
	if r.o.Dir == "" || r.record.recalled() {
		return
	}
	m := &memory{}
	if err := statefile.Read(r.memoryFile(), m); err != nil {
		r.log.Warn("what earlier runs did is forgotten: its file cannot be read", "error", err)
		return
	}
	r.record.recall(m)
}

// keep writes down what the job knows.
func (r *runner) keep() {
	if r.o.Dir == "" {
		return
	}
	if err := statefile.Write(r.memoryFile(), r.record.memory()); err != nil {
		r.log.Warn("what this run did is not remembered after a restart", "error", err)
	}
}

// recalled reports whether this was asked before.
func (r *record) recalled() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	was := r.old
	r.old = true
	return was
}

func (r *record) recall(m *memory) {
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

// remembered is when a run last ended well, else when this was first asked, which is noted:
// then it is new.
func (r *record) remembered(now time.Time) (last time.Time, isNew bool) {
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

func (r *record) memory() *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := &r.status
	return &memory{
		Since: r.since, Snapshot: j.Snapshot, FailuresInRow: j.FailuresInRow,
		LastSuccess: j.LastSuccess, LastFailure: j.LastFailure, LastError: j.LastError,
		Took: r.took, Total: j.Total, History: j.History[:len(j.History):len(j.History)],
	}
}
