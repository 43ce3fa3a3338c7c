package web

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"
)

// card is an archive as it is drawn, on the front page and on its own.
type card struct {
	Archive
	State    State
	Word     string // the state for people
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
	if c.State == StateOK && len(a.failingTasks()) > 0 {
		c.Word = "Snapshots are well"
	}
	if n := len(a.Damaged); n > pageDamaged {
		c.Damaged, c.More = a.Damaged[:pageDamaged], n-pageDamaged
	}
	return c
}

// ReadWidth is how much of what is stored was ever read back and found good, in percent.
func (c card) ReadWidth() string {
	return percent(100 * min(1, ratio(c.LastVerification.ReadBytes, c.LastVerification.BytesTotal)))
}

// VerifiedText says what the last verification covered.
func (c card) VerifiedText(now time.Time) string {
	v := c.LastVerification
	if v.At.IsZero() {
		return "never"
	}
	problems := "no problems"
	if v.Problems > 0 {
		problems = count(v.Problems, "problem")
	}
	text := fmt.Sprintf("%s, %s: %s of %s looked at", ago(now, v.At), problems, number(v.Objects), count(v.ObjectsTotal, "object"))
	if v.Bytes > 0 {
		text += fmt.Sprintf(", %s of %s read and hashed", Size(v.Bytes), Size(v.BytesTotal))
	}
	return text
}

// ReadText says how much was ever read back, since only that finds bits that have changed.
func (c card) ReadText(now time.Time) string {
	v := c.LastVerification
	switch {
	case v.At.IsZero():
		return ""
	case v.ReadSince.IsZero():
		return "No data was ever read back."
	case v.ReadBytes >= v.BytesTotal:
		return "All data was read back within the last " + span(max(2*time.Minute, now.Sub(v.ReadSince))) + "."
	}
	return fmt.Sprintf("%s of %s were ever read back, the longest ago %s.", Size(v.ReadBytes), Size(v.BytesTotal), ago(now, v.ReadSince))
}

// Drills reports whether there is anything to say of drills.
func (c card) Drills() bool {
	return !c.LastDrill.At.IsZero() || slices.ContainsFunc(c.Tasks, func(t Task) bool { return t.Name == "drill" })
}

// taskWords are what the page calls a task.
var taskWords = map[string]string{"verify": "Verification", "drill": "Trial restore", "prune": "Prune"}

// Word is the task for people.
func (t Task) Word() string {
	if w := taskWords[t.Name]; w != "" {
		return w
	}
	return clean(t.Name)
}

// Text says how a task is: what came of the last one, and when the next one begins.
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
		parts = append(parts, "goes on now")
	case t.Overdue:
		parts = append(parts, "overdue")
	}
	if !t.Running && !t.NextRun.IsZero() {
		parts = append(parts, "next "+ahead(now, t.NextRun))
	}
	return strings.Join(parts, "; ")
}

// DrillText says when a restore was last proven, and what became of the last drill.
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
		return text + fmt.Sprintf("; the trial of snapshot %d failed %s", d.Snapshot, ago(now, d.At))
	}
	return text + fmt.Sprintf(", of snapshot %d, in %s", d.Snapshot, took(d.Duration))
}

// BehindText says what waits to be archived.
func (c card) BehindText() string {
	if c.Behind == nil {
		return "not known"
	}
	if c.Behind.Files == 0 && c.Behind.Bytes == 0 {
		return "nothing"
	}
	return count(c.Behind.Files, "file") + ", " + Size(c.Behind.Bytes)
}
