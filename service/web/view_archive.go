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
	State    State
	Word     string // the state as the page shows it
	Sentence string
	Timeline *timeline
	Href     string
	More     int // damaged files beyond those that are shown
}

func (s *Server) card(id string, a Archive) card {
	now := s.o.Now()
	c := card{
		Archive: a, State: a.State(), Sentence: a.sentence(now),
		Timeline: newTimeline(id, now, a.History), Href: "/archives/" + url.PathEscape(a.Name),
	}
	c.Word = map[State]string{
		StateDamaged: "Damaged", StateFailing: "Failing", StateOverdue: "Overdue",
		StateRunning: "Running", StateEmpty: "No snapshot yet", StateOK: "All is well",
	}[c.State]
	switch {
	case c.State == StateOK && len(a.failingTasks()) > 0:
		c.Word = "Snapshots are fine"
	case c.State == StateOK && a.LeftOut.Files > 0:
		c.Word = "Files left out"
	case c.State == StateOK && a.onDemand():
		c.Word = "Only on demand"
	}
	if n := len(a.Damaged); n > pageDamaged {
		c.Damaged, c.More = a.Damaged[:pageDamaged], n-pageDamaged
	}
	return c
}

// MoreLeftOut is the number of files that were left out beyond those that are shown.
func (c card) MoreLeftOut() int64 { return max(0, c.LeftOut.Files-int64(len(c.LeftOut.Some))) }

// ReadWidth is the part of the stored bytes that was ever read back and found good, in percent.
func (c card) ReadWidth() string {
	return percent(100 * min(1, ratio(c.LastVerification.ReadBytes, c.LastVerification.readTotal())))
}

// VerifiedText describes what the last verification covered.
func (c card) VerifiedText(now time.Time) string {
	v := c.LastVerification
	if v.At.IsZero() {
		return "never"
	}
	problems := "no problems"
	if v.Problems > 0 {
		problems = count(v.Problems, "problem")
	}
	text := fmt.Sprintf("%s, %s: %s of %s checked", ago(now, v.At), problems, number(v.Objects), count(v.ObjectsTotal, "object"))
	switch {
	case v.Bytes > 0:
		text += fmt.Sprintf(", %s of %s read and hashed", Size(v.Bytes), Size(v.BytesTotal))
	case v.PlainBytes > 0:
		text += fmt.Sprintf(", %s of content read and hashed", Size(v.PlainBytes))
	}
	if v.Unthawed > 0 {
		text += fmt.Sprintf("; %s could not be read back before a thaw", count(v.Unthawed, "object"))
	}
	return text
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

// ReadText describes how much was ever read back: only that finds changed bits. It is empty before the first
// verification.
func (c card) ReadText(now time.Time) string {
	v := c.LastVerification
	switch {
	case v.At.IsZero():
		return ""
	case v.ReadSince.IsZero():
		return "No data has been read back yet."
	case v.ReadBytes >= v.readTotal():
		return "All data was read back within the last " + span(max(2*time.Minute, now.Sub(v.ReadSince))) + "."
	}
	return fmt.Sprintf("%s of %s have been read back, the oldest part %s.", Size(v.ReadBytes), Size(v.readTotal()), ago(now, v.ReadSince))
}

// Drills reports whether the archive has a drill on schedule or has ever had one.
func (c card) Drills() bool {
	return !c.LastDrill.At.IsZero() || slices.ContainsFunc(c.Tasks, func(t Task) bool { return t.Name == "drill" })
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
	switch {
	case t.Running:
		parts = append(parts, "running now")
	case t.Overdue:
		parts = append(parts, "overdue")
	}
	if !t.Running && !t.NextRun.IsZero() {
		parts = append(parts, "next "+ahead(now, t.NextRun))
	}
	return strings.Join(parts, "; ")
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
