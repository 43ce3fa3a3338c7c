package web

import (
	"strings"
	"time"
)

// State is an archive's condition in one word: the worst that applies.
type State string

// The states, worst first.
const (
	StateDamaged State = "damaged" // archived data is damaged or missing, or the last test restore failed
	StateFailing State = "failing" // the last run failed
	StateOverdue State = "overdue" // no run has succeeded by its deadline
	StatePaused  State = "paused"  // an operator has paused the archive: no run begins
	StateRunning State = "running" // a run is in progress, and nothing is wrong
	StateEmpty   State = "empty"   // there is no snapshot yet
	StateOK      State = "ok"
)

// State returns the archive's condition.
func (a *Archive) State() State {
	switch {
	case len(a.Damaged) > 0 || a.LastVerification.Problems > 0 || a.LastDrill.Error != "":
		return StateDamaged
	case a.FailuresInRow > 0:
		return StateFailing
	case a.Overdue:
		return StateOverdue
	case a.isPaused():
		return StatePaused
	case a.Running:
		return StateRunning
	case a.RecoverableThrough.At.IsZero():
		return StateEmpty
	}
	return StateOK
}

// Health is State without regard to a run in progress: a run does not hide whether the archive is well.
func (a *Archive) Health() State {
	idle := *a
	idle.Running = false
	return idle.State()
}

// ranks are the order of the front page, worst first.
var ranks = map[State]int{StateDamaged: 0, StateFailing: 1, StateOverdue: 2, StatePaused: 3, StateEmpty: 5, StateOK: 6}

// rank returns the archive's place in the order of the front page.
func (a *Archive) rank() int {
	r := ranks[a.Health()]
	if len(a.failingTasks()) > 0 || a.LeftOut.Files > 0 {
		return min(r, 4)
	}
	return r
}

// isPaused reports whether an operator has paused the archive.
func (a *Archive) isPaused() bool { return !a.Paused.Since.IsZero() }

// trouble reports whether the state needs an operator's attention.
func (s State) trouble() bool {
	return s == StateDamaged || s == StateFailing || s == StateOverdue || s == StatePaused
}

// needsAttention reports whether an operator has to look at the archive.
func (a *Archive) needsAttention() bool {
	return a.State().trouble() || len(a.failingTasks()) > 0
}

// notReady returns why the archive's last run failed, or that one is overdue, or that none begins. It is empty if none
// of these applies.
func (a *Archive) notReady(now time.Time) string {
	switch {
	case a.FailuresInRow > 0:
		return "the last run failed: " + clean(a.LastFailure.Error)
	case a.Overdue:
		return "overdue"
	case a.isPaused():
		return "paused " + a.Paused.text(now)
	case a.LastSuccess.IsZero():
		return "no run has succeeded yet"
	}
	return ""
}

// sentence summarizes the archive: what can be restored, what is wrong, and what happens next.
func (a *Archive) sentence(now time.Time) string {
	var parts []string
	if at := a.RecoverableThrough.At; at.IsZero() {
		nothing := "Nothing can be restored"
		if a.LastSuccess.IsZero() {
			nothing += " yet"
		}
		parts = append(parts, nothing)
	} else {
		parts = append(parts, "Recoverable through "+clock(now, at)+", "+ago(now, at))
	}
	parts[0] += a.damage()
	switch {
	case a.FailuresInRow > 0:
		failed := "the last run failed"
		if a.FailuresInRow > 1 {
			failed = "the last " + number(a.FailuresInRow) + " runs failed"
		}
		parts = append(parts, failed)
	case a.Overdue:
		parts = append(parts, "a snapshot is overdue")
	case a.State() != StateDamaged && a.idle():
		parts[0] += ", and nothing has changed since"
	}
	for _, t := range a.failingTasks() {
		parts = append(parts, "the last "+strings.ToLower(t.Word())+" could not be done")
	}
	if n := a.LeftOut.Files; n > 0 {
		parts = append(parts, count(n, "file")+" of the source left out")
	}
	if a.unconfirmed() > 0 {
		parts = append(parts, "a confirmation is needed")
	}
	switch {
	case a.Running && a.RunningSince.IsZero():
		parts = append(parts, "a run is in progress")
	case a.Running:
		parts = append(parts, "a run began "+ago(now, a.RunningSince))
	}
	switch {
	case a.Running && a.Waiting && !a.isPaused():
		parts[len(parts)-1] += ", and another waits for it to end"
	case a.isPaused():
		parts = append(parts, "no run begins before it is resumed")
	case a.Running:
	case a.Waiting:
		parts = append(parts, "a run waits for those of other archives")
	case a.NextRun.IsZero() && a.Schedule == "@close":
		parts = append(parts, "next snapshot when a log file closes")
	case a.NextRun.IsZero() && a.Schedule == "":
		parts = append(parts, "no schedule: snapshots are made on demand only")
	case a.NextRun.IsZero():
		parts = append(parts, "no snapshot is scheduled")
	default:
		parts = append(parts, a.nextWord()+" "+ahead(now, a.NextRun))
	}
	return strings.Join(parts, "; ") + "."
}

// failingTasks returns the tasks that could not be done. They leave the snapshots unchanged, so the archive's state
// does not cover them.
func (a *Archive) failingTasks() []Task {
	var failing []Task
	for _, t := range a.Tasks {
		if t.FailuresInRow > 0 {
			failing = append(failing, t)
		}
	}
	return failing
}

// damage returns the second half of a sentence on what can be restored: why a restore is not reliable. It is empty
// if a restore is reliable.
func (a *Archive) damage() string {
	but := ", but "
	if a.RecoverableThrough.At.IsZero() {
		but = ", and "
	}
	v := a.LastVerification
	switch {
	case len(a.Damaged) > 0:
		return but + count(int64(len(a.Damaged)), "file") + " in it cannot be trusted"
	case v.Problems > 0 && v.Objects == 0 && v.ObjectsTotal > 0:
		return but + "the last verification did not find the archive"
	case v.Problems > 0:
		return but + "the last verification found " + count(v.Problems, "problem")
	case a.LastDrill.Error != "":
		return but + "the last test restore failed"
	}
	return ""
}

// idle reports whether the newest snapshot is old only because the source has nothing new, also in files left out.
func (a *Archive) idle() bool {
	n := len(a.History)
	return n > 0 && a.History[n-1].Outcome == Unchanged && !a.RecoverableThrough.At.IsZero() && a.Behind != nil && *a.Behind == Behind{} && a.LeftOut.Files == 0
}

// onDemand reports whether nothing makes snapshots by itself.
func (a *Archive) onDemand() bool { return a.Schedule == "" && a.NextRun.IsZero() }

func (a *Archive) nextWord() string {
	switch {
	case a.FailuresInRow > 0:
		return "next attempt"
	case a.RecoverableThrough.At.IsZero():
		return "first snapshot"
	}
	return "next snapshot"
}
