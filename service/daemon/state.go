package daemon

import (
	"maps"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/providers"
	"github.com/strongroom-dev/strongroom/service/scheduler"
	"github.com/strongroom-dev/strongroom/service/web"
)

// ran records a run's duration.
func (k *managedArchive) ran(j *scheduler.JobStatus) {
	k.mu.Lock()
	defer k.mu.Unlock()
	spent := maps.Clone(k.known.spent)
	if spent == nil {
		spent = map[string]web.Histogram{}
	}
	h := spent[j.Task]
	h.Observe(j.Last.Duration)
	spent[j.Task] = h
	k.known.spent = spent // a copy: a successor of k may share the old map
}

// state returns the archive's state for the page, the API and notifications.
func (k *managedArchive) state(j *scheduler.JobStatus, tasks []scheduler.JobStatus, now time.Time) web.Archive {
	paused := k.d.pauses.get(k.name) // before k.mu: what holds the pauses may wait for what holds k.mu
	k.mu.Lock()
	defer k.mu.Unlock()
	a := web.Archive{
		Name: k.name, Destination: providers.Redact(k.settings.Destination), Address: addressOf(k.settings.Destination), Layout: k.known.layout, Schedule: k.settings.Schedule,
		RecoverableThrough: k.known.recoverable, Damaged: k.known.damaged, LeftOut: k.known.leftOut, LastVerification: k.known.latest(), LastDrill: k.known.drills.Last, ProvenRestore: k.known.drills.Proven, Spent: k.known.spent[""],
		Running: j.Running(), RunningSince: j.Began, Waiting: j.Waiting,
		LastSuccess: j.LastSuccess, FailuresInRow: j.FailuresInRow, NextRun: j.Next, Overdue: j.Overdue(now),
		LastFailure: web.Failure{At: j.LastFailure, Error: j.LastError}, FailureCause: k.known.causes[""],
		Last:   web.Work{Files: j.Last.Files, Bytes: j.Last.Bytes, Milliseconds: j.Last.Duration.Milliseconds()},
		Total:  web.Work{Files: j.Total.Files, Bytes: j.Total.Bytes, Milliseconds: j.Total.Milliseconds},
		Runs:   web.Outcomes{Made: j.Total.Made, Unchanged: j.Total.Unchanged, Failed: j.Total.Failed},
		Newest: k.known.newest, Kept: k.known.kept, TailLeftOut: int64(k.known.tailLeftOut),
		PrunedBytes: k.known.pruned, ReadBackBytes: k.known.read,
		Encrypted: len(k.settings.Encryption.Recipients) > 0,

		NeedsConfirmation: k.refusals.shown(append(slices.Clone(tasks), *j)...),
	}
	if a.Paused = paused; !a.Paused.Since.IsZero() {
		a.Overdue, a.NextRun = false, time.Time{}
	}
	if j.AheadKnown {
		a.Behind = &web.Behind{Files: j.Ahead.Files, Bytes: j.Ahead.Bytes}
	}
	for i := range tasks {
		a.Tasks = append(a.Tasks, k.task(&tasks[i], !paused.Since.IsZero(), now))
	}
	if a.Layout == "" {
		a.Layout = k.settings.Source.Layout
	}
	for _, r := range j.History {
		a.History = append(a.History, web.Run{
			Start: r.Start, Duration: r.Duration, Outcome: web.Outcome(r.Outcome), Snapshot: r.Snapshot, Files: r.Files, AddedBytes: r.Bytes, Error: r.Error,
		})
	}
	if k.archive != nil {
		a.ProviderRequests, a.ProviderErrors = k.archive.Requests(), k.archive.Failures()
	}
	return a
}

// task returns the state of one of the archive's tasks, with k.mu held.
func (k *managedArchive) task(j *scheduler.JobStatus, isPaused bool, now time.Time) web.Task {
	next := j.Next
	if isPaused {
		next = time.Time{}
	}
	return web.Task{
		Name: j.Task, Running: j.Running(), LastSuccess: j.LastSuccess, LastFailure: web.Failure{At: j.LastFailure, Error: j.LastError},
		FailureCause: k.known.causes[j.Task], FailuresInRow: j.FailuresInRow, NextRun: next, Overdue: j.Overdue(now) && !isPaused,
		Interval: j.Interval, Last: j.Last.Duration, Said: j.Last.Said,
		Done: j.Total.Made + j.Total.Unchanged, Failed: j.Total.Failed, Spent: k.known.spent[j.Task],
	}
}

// addressOf returns a destination as commands take it; empty if it has what may be a secret.
func addressOf(destination string) string {
	if providers.Redact(destination) != destination {
		return ""
	}
	return destination
}
