package web

import (
	"strings"
	"time"
)

// State is how an archive is, as one word: the worst that is true of it.
type State string

// The states, worst first.
const (
	StateDamaged State = "damaged" // something that was archived is not as it should be
	StateFailing State = "failing" // the last run failed
	StateOverdue State = "overdue" // a run should have ended well by now
	StateRunning State = "running" // a run goes on, and nothing is wrong
	StateEmpty   State = "empty"   // there is no snapshot yet
	StateOK      State = "ok"
)

// State returns how the archive is.
func (a *Archive) State() State {
	switch {
	case len(a.Damaged) > 0 || a.LastVerification.Problems > 0 || a.LastDrill.Error != "":
		return StateDamaged
	case a.FailuresInRow > 0:
		return StateFailing
	case a.Overdue:
		return StateOverdue
	case a.Running:
		return StateRunning
	case a.RecoverableThrough.At.IsZero():
		return StateEmpty
	}
	return StateOK
}

// trouble reports whether somebody must look.
func (s State) trouble() bool {
	return s == StateDamaged || s == StateFailing || s == StateOverdue
}

// notReady says why the archive's last run was not good, or that it is overdue; empty:
// neither.
func (a *Archive) notReady() string {
	switch {
	case a.FailuresInRow > 0:
		return "the last run failed: " + clean(a.LastFailure.Error)
	case a.Overdue:
		return "overdue"
	case a.LastSuccess.IsZero():
		return "no run has ended well yet"
	}
	return ""
}

// sentence says whether all is well: what can be restored first, then what comes next.
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
	if a.unconfirmed() > 0 {
		parts = append(parts, "a confirmation is needed")
	}
	switch {
	case a.Running && a.RunningSince.IsZero():
		parts = append(parts, "a run goes on")
	case a.Running:
		parts = append(parts, "a run began "+ago(now, a.RunningSince))
	}
	switch {
	case a.Running && a.Waiting:
		parts[len(parts)-1] += ", and one more waits for it to end"
	case a.Running:
	case a.NextRun.IsZero() && a.Schedule == "@close":
		parts = append(parts, "next snapshot when a log file closes")
	case a.NextRun.IsZero() && a.Schedule == "":
		parts = append(parts, "snapshots are made on demand")
	case a.NextRun.IsZero():
		parts = append(parts, "no snapshot is scheduled")
	default:
		parts = append(parts, a.nextWord()+" "+ahead(now, a.NextRun))
	}
	return strings.Join(parts, "; ") + "."
}

// failingTasks are those that could not be done. They leave the snapshots as they are, so
// that the archive's state is not about them.
func (a *Archive) failingTasks() []Task {
	var failing []Task
	for _, t := range a.Tasks {
		if t.FailuresInRow > 0 {
			failing = append(failing, t)
		}
	}
	return failing
}

// damage goes on from what can be restored: why that cannot be relied upon; empty: it can.
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
		return but + "the last verification found nothing of the archive"
	case v.Problems > 0:
		return but + "the last verification found " + count(v.Problems, "problem")
	case a.LastDrill.Error != "":
		return but + "the last trial restore failed"
	}
	return ""
}

// idle reports whether the newest snapshot is old for the one reason that there is nothing
// new in the source.
func (a *Archive) idle() bool {
	n := len(a.History)
	return n > 0 && a.History[n-1].Outcome == Unchanged && !a.RecoverableThrough.At.IsZero() && a.Behind != nil && *a.Behind == Behind{}
}

func (a *Archive) nextWord() string {
	switch {
	case a.FailuresInRow > 0:
		return "next attempt"
	case a.RecoverableThrough.At.IsZero():
		return "first snapshot"
	}
	return "next snapshot"
}
