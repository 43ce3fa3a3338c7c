package web

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// noon is when all tests play.
var noon = time.Date(2026, 11, 22, 12, 19, 30, 0, time.UTC)

const token = "a-token-of-the-tests"

// hostile is a name that would do harm if it were shown as it is.
const hostile = "<script>alert(1)</script>\"'\u202egnp.exe&amp;"

// fake is a Backend that returns preset answers.
type fake struct {
	mu        sync.Mutex
	archives  []Archive
	snapshots []Snapshot
	files     []File
	diff      Diff
	err       error // of everything that comes from a provider
	triggered []string
	busy      bool
	confirmed []string // archive and confirmation
	pauses    []Pause  // the zero value for each Resume
}

func (f *fake) Archives() []Archive {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.archives
}

func (f *fake) Archive(name string) (Archive, error) {
	for _, a := range f.Archives() {
		if a.Name == name {
			return a, nil
		}
	}
	return Archive{}, ErrNotFound
}

// set replaces the archives.
func (f *fake) set(archives ...Archive) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.archives = archives
}

func (f *fake) known(name string) error {
	for _, a := range f.archives {
		if a.Name == name {
			return f.err
		}
	}
	return fmt.Errorf("looking for %s: %w", name, ErrNotFound)
}

func (f *fake) Snapshots(_ context.Context, name string) ([]Snapshot, error) {
	return f.snapshots, f.known(name)
}

func (f *fake) Snapshot(_ context.Context, name string, sequence int64, r Range) (SnapshotFiles, error) {
	if err := f.known(name); err != nil {
		return SnapshotFiles{}, err
	}
	for _, s := range f.snapshots {
		if s.Sequence == sequence {
			begin, end := r.Of(len(f.files))
			return SnapshotFiles{Snapshot: s, Total: int64(len(f.files)), List: f.files[begin:end]}, nil
		}
	}
	return SnapshotFiles{}, ErrNotFound
}

func (f *fake) Diff(_ context.Context, name string, from, to int64, _ int) (Diff, error) {
	if from >= to {
		return Diff{}, errors.New("the wrong way around")
	}
	return f.diff, f.known(name)
}

func (f *fake) Trigger(name, task string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.known(name); err != nil {
		return "", err
	}
	if f.busy {
		return "", fmt.Errorf("asking for a run of %s: %w", name, ErrBusy)
	}
	if task != TaskBackup {
		name = task + " " + name
	}
	f.triggered = append(f.triggered, name)
	return fmt.Sprintf("run-%d", len(f.triggered)), nil
}

func (f *fake) Pause(name string, p Pause) (Pause, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	p.Since = noon
	return p, f.pause(name, p)
}

func (f *fake) Resume(name string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.pause(name, Pause{})
}

// pause sets or ends a pause. The caller has locked f.
func (f *fake) pause(name string, p Pause) error {
	f.pauses = append(f.pauses, p)
	f.archives = slices.Clone(f.archives) // others may have the slice
	for i := range f.archives {
		if f.archives[i].Name == name && f.err == nil {
			f.archives[i].Paused = p
		}
	}
	return f.known(name)
}

// Confirm takes what the archive waits for.
func (f *fake) Confirm(name, confirmation string) (string, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.known(name); err != nil {
		return "", err
	}
	if strings.Contains(confirmation, " ") {
		return "", fmt.Errorf("%w: %.80q", ErrMalformed, confirmation)
	}
	for _, a := range f.archives {
		for _, c := range a.NeedsConfirmation {
			if a.Name == name && c.Confirmation == confirmation {
				f.confirmed = append(f.confirmed, name+" "+confirmation)
				return fmt.Sprintf("run-%d", len(f.confirmed)), nil
			}
		}
	}
	return "", fmt.Errorf("%s: %w", confirmation, ErrNotPending)
}

func (f *fake) confirmations() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.confirmed
}

func (f *fake) runs() []string {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.triggered
}

// well is an archive without problems.
func well(name string) Archive {
	a := Archive{
		Name: name, Destination: "s3://backups/orders/node-1?region=eu-central-1", Layout: "je",
		LastSuccess: noon.Add(-4 * time.Minute), NextRun: noon.Add(11*time.Minute + 10*time.Second),
		Last: Work{Files: 3, Bytes: 30 << 20, Milliseconds: 1900}, Total: Work{Files: 2113, Bytes: 21 << 30, Milliseconds: 912345},
		Runs:               Outcomes{Made: 41, Unchanged: 4, Failed: 3},
		RecoverableThrough: Point{At: noon.Add(-4*time.Minute - 10*time.Second), File: "00000c1f.jdb", Size: 7340032},
		Behind:             &Behind{Files: 1, Bytes: 5 << 20},
		LastVerification: Verification{
			At: noon.Add(-9 * time.Hour), Objects: 1840, ObjectsTotal: 2113, Bytes: 430 << 20, BytesTotal: 20 << 30,
		},
		ProviderRequests: map[string]int64{"put": 2290, "get": 310, "list": 96},
		ProviderErrors:   map[string]int64{"put": 3},
		Tasks: []Task{
			{Name: "verify", LastSuccess: noon.Add(-9 * time.Hour), NextRun: noon.Add(15 * time.Hour), Last: 3 * time.Minute, Done: 40, Said: "the archive was verified: 2113 objects, 430.0 MiB read back, 0 problems"},
			{Name: "prune", LastSuccess: noon.Add(-12 * time.Hour), NextRun: noon.Add(12 * time.Hour), Last: 4 * time.Second, Done: 9, Failed: 2},
		},
	}
	for i := range int64(48) {
		r := Run{
			Start: noon.Add(time.Duration(i-48)*15*time.Minute + 11*time.Minute), Outcome: Made, Snapshot: i + 1,
			Duration: time.Duration(900+i*i%7*310) * time.Millisecond, AddedBytes: 10 << 20 * (1 + i*i%11),
		}
		switch {
		case i%13 == 5:
			r.Outcome, r.Snapshot, r.AddedBytes, r.Duration = Unchanged, 0, 0, 200*time.Millisecond
		case i == 20 || i == 21:
			r.Outcome, r.Snapshot, r.AddedBytes, r.Error = Failed, 0, 0, "uploading data/00000c11.jdb: 503 Slow Down"
		}
		a.History = append(a.History, r)
		a.Spent.Observe(r.Duration)
	}
	return a
}

// unpruned is an archive that is well, except for its tasks beside snapshots.
func unpruned(name string) Archive {
	a := well(name)
	a.Tasks[1] = Task{Name: "prune", LastSuccess: noon.Add(-12 * time.Hour), LastFailure: Failure{noon.Add(-10 * time.Minute), "deleting 12 objects: 403 AccessDenied"}, FailuresInRow: 2, NextRun: noon.Add(20 * time.Minute), Done: 9, Failed: 2}
	return a
}

// refused is an archive whose backup and prune wait for confirmations.
func refused(name string) Archive {
	a := unpruned(name)
	a.FailuresInRow, a.NextRun = 3, noon.Add(8*time.Second)
	a.LastFailure = Failure{noon.Add(-20 * time.Second), "backup: the source was rolled back: snapshot 41 holds 00000c1f.jdb"}
	a.NeedsConfirmation = []Confirmation{
		{
			Confirmation: "rollback:41-0a1b2c3d", Guard: "rollback", Task: "backup", Since: noon.Add(-time.Hour),
			Detail: "the source was rolled back: snapshot 41 holds 00000c1f.jdb (7340032 bytes) and the source ends with 00000c1b.jdb",
		},
		{
			Confirmation: "prune:41-77e1f00d", Guard: "prune", Task: "prune", Since: noon.Add(-2 * time.Hour),
			Detail: "it would remove 40 of 41 snapshots, " + hostile,
		},
	}
	return a
}

// states are an archive in each state.
func states() map[State]Archive {
	running, failing, overdue, damaged := well("orders"), well("orders"), well("orders"), well("orders")
	running.Running, running.RunningSince, running.Waiting, running.NextRun = true, noon.Add(-90*time.Second), true, time.Time{}
	failing.FailuresInRow, failing.NextRun = 3, noon.Add(8*time.Second)
	failing.LastFailure = Failure{At: noon.Add(-20 * time.Second), Error: "uploading objects/ab/abcdef0123456789abcdef0123456789abcdef0123456789: 403 AccessDenied.\nThe credentials lack s3:PutObject on arn:aws:s3:::backups/orders/*"}
	overdue.Overdue, overdue.NextRun = true, noon
	overdue.LastSuccess, overdue.RecoverableThrough.At = noon.Add(-26*time.Hour), noon.Add(-26*time.Hour)
	damaged.LastVerification.Problems = 2
	damaged.Damaged = []string{"00000b02.jdb", hostile}
	damaged.Tasks = []Task{{Name: "verify"}, {Name: "prune", FailuresInRow: 4, LastFailure: Failure{At: noon.Add(-time.Hour), Error: "pruning: " + hostile}}}
	return map[State]Archive{
		StateOK: well("orders"), StateRunning: running, StateFailing: failing, StateOverdue: overdue, StateDamaged: damaged,
		StateEmpty: {Name: "orders", Destination: "file:///srv/backups/orders", NextRun: noon.Add(3 * time.Minute)},
	}
}

// filled is a backend with one archive and all its details.
func filled(a Archive) *fake {
	f := &fake{archives: []Archive{a}, diff: Diff{From: 1, To: 2, Added: Names{2, []string{"00000c1f.jdb", hostile}}, Removed: Names{1, []string{"00000001.jdb"}}}}
	if a.RecoverableThrough.At.IsZero() {
		return f
	}
	for i := range int64(120) {
		f.snapshots = append(f.snapshots, Snapshot{
			Sequence: i + 1, Created: noon.Add(time.Duration(i-120) * 15 * time.Minute), Files: 2000 + i, Bytes: 20<<30 + i<<20,
			StoredBytes: 9 << 30, Added: 3, AddedBytes: 30 << 20, Removed: 1, Duration: 1900 * time.Millisecond, State: "ok",
		})
	}
	f.snapshots[119].Damaged = int64(len(a.Damaged))
	f.snapshots[110].State, f.snapshots[110].Error = "unreadable", "manifest 111 does not have the hash that its successor names"
	for i := range 1200 {
		f.files = append(f.files, File{
			Name: fmt.Sprintf("%08x.jdb", i), Size: 10 << 20, Modified: noon.Add(-time.Hour), SHA256: strings.Repeat("0123456789abcdef", 4), Snapshot: 7, State: "closed",
		})
	}
	f.files[3].Name = hostile
	return f
}

func newServer(t *testing.T, b Backend, token string) *Server {
	t.Helper()
	s, err := New(b, Options{Listen: "127.0.0.1:0", Token: token, Version: "1.2.3", Now: func() time.Time { return noon }})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ask sends a request through all defences. Pairs are headers; Host is one.
func ask(t *testing.T, s *Server, method, target, body string, pairs ...string) *httptest.ResponseRecorder {
	t.Helper()
	r := httptest.NewRequest(method, target, strings.NewReader(body))
	r.Host = "127.0.0.1:8470"
	for i := 0; i < len(pairs); i += 2 {
		if pairs[i] == "Host" {
			r.Host = pairs[i+1]
			continue
		}
		r.Header.Set(pairs[i], pairs[i+1])
	}
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	return w
}

// get is ask for a path that must exist.
func get(t *testing.T, s *Server, target string) string {
	t.Helper()
	w := ask(t, s, http.MethodGet, target, "")
	if w.Code != http.StatusOK {
		t.Fatalf("GET %s: %d\n%s", target, w.Code, w.Body)
	}
	b, err := io.ReadAll(w.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
