package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// card is an archive's view on the front page and on its own page.
type card struct {
	Archive
	State    State  // without regard to a run in progress
	Word     string // the state as the page shows it
	Look     string // the class of its badge: the state, or late if something beside the snapshots needs attention
	Activity string // what happens now beside it; empty if nothing does
	Sentence string
	Timeline *timeline
	Href     string
	More     int // damaged files beyond those that are shown
}

// stateWords are the states as the page shows them.
var stateWords = map[State]string{
	StateDamaged: "Damaged", StateFailing: "Failing", StateOverdue: "Overdue",
	StatePaused: "Paused", StateEmpty: "No snapshot yet", StateOK: "Healthy",
}

func (s *Server) card(id string, a Archive) card {
	now := s.o.Now()
	c := card{
		Archive: a, State: a.Health(), Sentence: a.sentence(now),
		Timeline: newTimeline(id, now, a.History), Href: "/archives/" + url.PathEscape(a.Name),
	}
	c.Word, c.Look = stateWords[c.State], string(c.State)
	switch {
	case c.State == StateOK && len(a.failingTasks()) > 0:
		c.Word, c.Look = "Snapshots are fine", "late"
	case c.State == StateOK && a.LeftOut.Files > 0:
		c.Word, c.Look = "Files left out", "late"
	case c.State == StateOK && a.onDemand() && !a.Running && !a.Waiting:
		c.Word = "Only on demand"
	}
	switch {
	case a.Running:
		c.Activity = "Running"
	case a.isPaused() && c.State != StatePaused:
		c.Activity = "Paused"
	case a.Waiting && !a.isPaused():
		c.Activity = "Waiting"
	}
	if n := len(a.Damaged); n > pageDamaged {
		c.Damaged, c.More = a.Damaged[:pageDamaged], n-pageDamaged
	}
	return c
}

// PausedText describes the pause; empty if there is none.
func (c card) PausedText(now time.Time) string {
	if !c.isPaused() {
		return ""
	}
	return c.Paused.text(now)
}

// ThroughText is the age of what can be restored.
func (c card) ThroughText(now time.Time) string {
	if c.RecoverableThrough.At.IsZero() {
		return "not yet"
	}
	return ago(now, c.RecoverableThrough.At)
}

// Now is what matters most in a line about the archive: what is wrong, or else what happens next.
func (c card) Now(now time.Time) string {
	switch {
	case c.State == StateDamaged:
		return strings.TrimPrefix(strings.TrimPrefix(c.damage(), ", but "), ", and ")
	case c.State == StateFailing:
		line, _, _ := strings.Cut(c.LastFailure.Error, "\n")
		return clean(line)
	case c.State == StatePaused:
		return c.PausedText(now)
	case len(c.failingTasks()) > 0:
		return "the last " + strings.ToLower(c.failingTasks()[0].Word()) + " could not be done"
	case c.State == StateOverdue && c.LastSuccess.IsZero():
		return "no run has succeeded yet"
	case c.State == StateOverdue:
		return "last good run " + ago(now, c.LastSuccess)
	case c.LeftOut.Files > 0:
		return count(c.LeftOut.Files, "file") + " left out"
	case c.Running && !c.RunningSince.IsZero():
		return "a run began " + ago(now, c.RunningSince)
	case c.Running:
		return "a run is in progress"
	case c.Waiting:
		return "waits for other archives"
	case c.NextRun.IsZero() && c.Schedule == "@close":
		return "next when a log file closes"
	case c.NextRun.IsZero() && c.Schedule == "":
		return "on demand"
	case c.NextRun.IsZero():
		return "no snapshot is scheduled"
	}
	return "next " + ahead(now, c.NextRun)
}

// StoredText describes the size of the whole archive, as far as it is known, and the number of its snapshots.
func (c card) StoredText() string {
	var size, snapshots string
	if c.LastVerification.BytesTotal > 0 {
		size = Size(c.LastVerification.BytesTotal)
	}
	if c.Kept != nil {
		snapshots = count(c.Kept.Snapshots, "snapshot")
	}
	switch {
	case size != "" && snapshots != "":
		return size + " in " + snapshots
	case size != "":
		return size
	case snapshots != "" && c.Newest.StoredBytes > 0:
		return snapshots + ", " + Size(c.Newest.StoredBytes) + " for the newest"
	case snapshots != "":
		return snapshots
	case c.Newest.StoredBytes > 0:
		return Size(c.Newest.StoredBytes) + " for the newest snapshot"
	case c.RecoverableThrough.At.IsZero():
		return "nothing yet"
	}
	return "unknown"
}

// MoreLeftOut is the number of files that were left out beyond those that are shown.
func (c card) MoreLeftOut() int64 { return max(0, c.LeftOut.Files-int64(len(c.LeftOut.Some))) }

// ReadWidth is the part of the stored bytes that was ever read back and found good, in percent.
func (c card) ReadWidth() string {
	return percent(100 * min(1, ratio(c.LastVerification.ReadBytes, c.LastVerification.readTotal())))
}

// VerifiedText describes the last verification: its result, and how much was ever read back, which alone finds changed
// bits.
func (c card) VerifiedText(now time.Time) string {
	v := c.LastVerification
	if v.At.IsZero() {
		return "never"
	}
	text := "no problems"
	if v.Problems > 0 {
		text = count(v.Problems, "problem")
	}
	text += ", " + ago(now, v.At)
	switch {
	case v.ReadSince.IsZero():
		text += "; no data was read back yet"
	case v.ReadBytes >= v.readTotal():
		text += "; all data was read back within " + span(max(2*time.Minute, now.Sub(v.ReadSince)))
	default:
		text += fmt.Sprintf("; %s of %s were read back, the oldest part %s", Size(v.ReadBytes), Size(v.readTotal()), ago(now, v.ReadSince))
	}
	if v.Unthawed > 0 {
		text += fmt.Sprintf("; %s could not be read back before a thaw", count(v.Unthawed, "object"))
	}
	return text
}

// VerifiedMore describes what the last verification covered, and when the next one begins; empty if neither is known.
func (c card) VerifiedMore(now time.Time) string {
	var parts []string
	v := c.LastVerification
	if !v.At.IsZero() {
		parts = append(parts, fmt.Sprintf("%s of %s checked", number(v.Objects), count(v.ObjectsTotal, "object")))
	}
	switch {
	case v.Bytes > 0:
		parts = append(parts, Size(v.Bytes)+" of them read")
	case v.PlainBytes > 0:
		parts = append(parts, Size(v.PlainBytes)+" of content read")
	}
	for _, t := range c.Tasks {
		if t.Name == TaskVerify {
			parts = append(parts, t.Ahead(now)...)
		}
	}
	return strings.Join(parts, "; ")
}

// LastRun is the last run that ended. All that the page states of it comes from here. It is nil if there was none.
func (c card) LastRun() *Run {
	if n := len(c.History); n > 0 {
		return &c.History[n-1]
	}
	return nil
}

// Word is the run's outcome.
func (r Run) Word() string {
	switch r.Outcome {
	case Failed:
		return "failed"
	case Unchanged:
		return "nothing new"
	}
	return fmt.Sprintf("snapshot %d", r.Snapshot)
}

// Drills reports whether the archive has a drill on schedule or has ever had one.
func (c card) Drills() bool {
	return !c.LastDrill.At.IsZero() || c.Has(TaskDrill)
}

// Has reports whether the configuration has what a task needs.
func (c card) Has(task string) bool {
	return slices.ContainsFunc(c.Tasks, func(t Task) bool { return t.Name == task })
}

// Prunes returns the archive's prunes; nil if the configuration has no retention.
func (c card) Prunes() *Task {
	if i := slices.IndexFunc(c.Tasks, func(t Task) bool { return t.Name == TaskPrune }); i >= 0 {
		return &c.Tasks[i]
	}
	return nil
}

// taskWords are the page's names of tasks.
var taskWords = map[string]string{"verify": "Verification", "drill": "Test restore", "prune": "Prune"}

// Word is the task's name as the page shows it.
func (t Task) Word() string {
	if w := taskWords[t.Name]; w != "" {
		return w
	}
	return clean(t.Name)
}

// Text describes a task: the result of the last run, and when the next one begins.
func (t Task) Text(now time.Time) string {
	var parts []string
	switch {
	case t.FailuresInRow > 0:
		parts = append(parts, "could not be done "+ago(now, t.LastFailure.At))
		if !t.LastSuccess.IsZero() {
			parts = append(parts, "last done "+ago(now, t.LastSuccess))
		}
	case t.LastSuccess.IsZero():
		parts = append(parts, "not yet")
	default:
		parts = append(parts, ago(now, t.LastSuccess)+", in "+took(t.Last))
	}
	return strings.Join(append(parts, t.Ahead(now)...), "; ")
}

// Ahead describes whether the task runs, and when it runs next.
func (t Task) Ahead(now time.Time) (parts []string) {
	switch {
	case t.Running:
		parts = append(parts, "running now")
	case t.Overdue:
		parts = append(parts, "overdue")
	}
	if !t.Running && !t.NextRun.IsZero() {
		parts = append(parts, "next "+ahead(now, t.NextRun))
	}
	return parts
}

// DrillText describes when a restore was last proven, and the result of the last drill.
func (c card) DrillText(now time.Time) string {
	text := "never"
	if !c.ProvenRestore.IsZero() {
		text = ago(now, c.ProvenRestore)
	}
	d := c.LastDrill
	switch {
	case d.At.IsZero():
		return text
	case d.Error != "":
		return text + fmt.Sprintf("; the test restore of snapshot %d failed %s", d.Snapshot, ago(now, d.At))
	}
	return text + fmt.Sprintf(", of snapshot %d, in %s", d.Snapshot, took(d.Duration))
}

// BehindText describes what the source has and the newest snapshot has not.
func (c card) BehindText() string {
	if c.Behind == nil {
		return "unknown"
	}
	if c.Behind.Files == 0 && c.Behind.Bytes == 0 {
		return "nothing"
	}
	return count(c.Behind.Files, "file") + ", " + Size(c.Behind.Bytes)
}
