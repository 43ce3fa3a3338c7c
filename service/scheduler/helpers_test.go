package scheduler

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"
	_ "time/tzdata" // the tests do not depend on what is installed
)

var errBroken = errors.New("the bucket is away")

// span is one run as it was seen.
type span struct{ from, to time.Time }

// fake is a job that notes when it runs. It fails the test when it overlaps with itself.
type fake struct {
	t    *testing.T
	mu   sync.Mutex
	runs []span
	busy bool

	last   time.Time                 // what Last returns
	takes  func(n int) time.Duration // how long run n takes; nil: no time
	comes  func(n int) error         // what it ends with; nil: well
	during func()                    // called in each run
}

func (f *fake) job(name, expr string, location *time.Location) Job {
	s, err := ParseSchedule(expr, location)
	if err != nil {
		f.t.Fatal(err)
	}
	return Job{
		Name:     name,
		Schedule: s,
		Run:      f.run,
		Last:     func(context.Context) (time.Time, error) { return f.last, nil },
	}
}

func (f *fake) run(ctx context.Context) (Result, error) {
	f.mu.Lock()
	n := len(f.runs)
	if f.busy {
		f.t.Errorf("run %d overlaps with the one before", n)
	}
	f.busy = true
	f.runs = append(f.runs, span{from: time.Now()})
	f.mu.Unlock()
	defer func() {
		f.mu.Lock()
		defer f.mu.Unlock()
		f.runs[n].to = time.Now()
		f.busy = false
	}()
	if f.takes != nil {
		if pause(ctx, f.takes(n), nil, nil); ctx.Err() != nil {
			return Result{}, ctx.Err()
		}
	}
	if f.during != nil {
		f.during()
	}
	if f.comes != nil {
		if err := f.comes(n); err != nil {
			return Result{}, err
		}
	}
	return Result{Snapshot: int64(n + 1), Files: 2, Bytes: 300}, nil
}

// starts returns when the runs began.
func (f *fake) starts() []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []time.Time
	for _, r := range f.runs {
		all = append(all, r.from)
	}
	return all
}

// logbook collects log lines.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) logger() *slog.Logger { return slog.New(slog.NewJSONHandler(l, nil)) }

// lines returns the lines that are about an archive.
func (l *logbook) lines(t *testing.T) []map[string]any {
	t.Helper()
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []map[string]any
	for d := json.NewDecoder(bytes.NewReader(l.b.Bytes())); d.More(); {
		var line map[string]any
		if err := d.Decode(&line); err != nil {
			t.Fatal(err)
		}
		if line["archive"] != nil {
			all = append(all, line)
		}
	}
	return all
}

// runFor runs jobs for a time, in the bubble of a test, and stops them.
func runFor(t *testing.T, d time.Duration, jobs ...Job) *Service {
	t.Helper()
	s := New(Options{}, jobs)
	ctx, cancel := context.WithTimeout(t.Context(), d)
	defer cancel()
	if err := s.Run(ctx); err != nil {
		t.Fatal(err)
	}
	if s.Running() {
		t.Error("it runs after its end")
	}
	return s
}

// sleepUntil lets a bubble's clock, which begins in the year 2000, come to a time.
func sleepUntil(t time.Time) { time.Sleep(time.Until(t)) }

func berlin(t *testing.T) *time.Location {
	t.Helper()
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	return l
}
