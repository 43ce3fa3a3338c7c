package service

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// maxMemory is more than what a job remembers: 48 runs with long errors.
const maxMemory = 4 << 20

// maxText is how much of an error is remembered, in bytes.
const maxText = 4 << 10

// memory is what a job remembers across restarts, as a JSON file. It is for people to look
// at: losing it loses no snapshot.
type memory struct {
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
	m, err := readMemory(r.memoryFile())
	if errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		r.log.Warn("what earlier runs did is forgotten: its file cannot be read", "error", err)
		return
	}
	r.record.recall(m)
}

func readMemory(file string) (m *memory, err error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("reading the state of a job: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	b, err := io.ReadAll(io.LimitReader(f, maxMemory))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	m = &memory{}
	if err := json.Unmarshal(b, m); err != nil {
		return nil, fmt.Errorf("reading %s: %w", file, err)
	}
	return m, nil
}

// keep writes down what the job knows.
func (r *runner) keep() {
	if r.o.Dir == "" {
		return
	}
	if err := writeMemory(r.memoryFile(), r.record.memory()); err != nil {
		r.log.Warn("what this run did is not remembered after a restart", "error", err)
	}
}

// writeMemory replaces the file in one step, without a sync: after a power loss it is the
// old one, the new one, or one that cannot be read.
func writeMemory(file string, m *memory) error {
	b, err := json.Marshal(m)
	if err != nil {
		return fmt.Errorf("encoding the state of a job: %w", err)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		return fmt.Errorf("keeping the state of a job: %w", err)
	}
	if err := os.WriteFile(file+".new", b, 0o600); err != nil {
		return fmt.Errorf("keeping the state of a job: %w", err)
	}
	if err := os.Rename(file+".new", file); err != nil {
		return fmt.Errorf("keeping the state of a job: %w", err)
	}
	return nil
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
	r.took, j.Total = m.Took, m.Total
	r.spent = time.Duration(m.Total.Milliseconds) * time.Millisecond
	j.History = m.History
	if n := len(m.History); n > 0 {
		j.Last = m.History[n-1]
	}
}

func (r *record) memory() *memory {
	r.mu.Lock()
	defer r.mu.Unlock()
	j := &r.status
	return &memory{
		Snapshot: j.Snapshot, FailuresInRow: j.FailuresInRow,
		LastSuccess: j.LastSuccess, LastFailure: j.LastFailure, LastError: j.LastError,
		Took: r.took, Total: j.Total, History: j.History[:len(j.History):len(j.History)],
	}
}
