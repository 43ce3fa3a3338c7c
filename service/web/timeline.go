package web

import (
	"fmt"
	"math"
	"strings"
	"time"
)

// The number of runs that the chart shows, and its heights in CSS pixels. Bars above the base line show added
// bytes, bars below it durations.
const (
	timelineRuns = 48
	fewRuns      = 16
	addedHeight  = 56.0
	tookHeight   = 20.0
	timelineGap  = 4.0
)

// timeline is a chart of the last runs, drawn by the template. Horizontal lengths are percentages of its width, so
// neither text nor marks are stretched.
type timeline struct {
	ID       string // of the title element, unique in a page
	Summary  string // the chart's content as text, for screen readers
	Bars     []bar
	First    string // the first run's start
	Last     string
	MostSize string
	MostTime string
	Height   float64
	Base     float64
}

// bar is one run.
type bar struct {
	X, Width, Middle string // percent
	Y, Height        float64
	TookY, Took      float64
	Failed           bool
	Unchanged        bool
	Title            string
}

func newTimeline(id string, now time.Time, runs []Run) *timeline {
	if len(runs) == 0 {
		return nil
	}
	runs = runs[max(0, len(runs)-timelineRuns):]
	var mostBytes int64
	var mostTime time.Duration
	ended := map[Outcome]int64{}
	for _, r := range runs {
		mostBytes, mostTime = max(mostBytes, r.AddedBytes), max(mostTime, r.Duration)
		ended[r.Outcome]++
	}
	first, last := clock(now, runs[0].Start), clock(now, runs[len(runs)-1].Start)
	t := &timeline{
		ID: id, First: first, Last: last, MostSize: Size(mostBytes), MostTime: took(mostTime),
		Height: addedHeight + timelineGap + tookHeight, Base: addedHeight + timelineGap/2,
	}
	t.Summary = fmt.Sprintf("The last %s, %s to %s UTC: %s. The largest added %s; the longest took %s.",
		count(int64(len(runs)), "run"), first, last, outcomes(ended), t.MostSize, t.MostTime)
	// Few runs do not fill the whole width, or their bars would become too wide. The caption then has both times
	// at the left, where the bars are.
	step := 100 / float64(max(len(runs), fewRuns))
	if len(runs) < fewRuns {
		t.First, t.Last = first+" to "+last, ""
	}
	if first == last {
		t.First, t.Last = first, ""
	}
	for i, r := range runs {
		x := float64(i) * step
		tall := scaled(float64(r.AddedBytes), float64(mostBytes), addedHeight)
		long := scaled(r.Duration.Seconds(), mostTime.Seconds(), tookHeight)
		t.Bars = append(t.Bars, bar{
			X: percent(x + step*0.15), Width: percent(step * 0.7), Middle: percent(x + step/2),
			Y: addedHeight - tall, Height: tall, TookY: addedHeight + timelineGap, Took: long,
			Failed: r.Outcome == Failed, Unchanged: r.Outcome == Unchanged,
			Title: runTitle(now, r),
		})
	}
	return t
}

// made derives runs from snapshots, for a host that has no record of the runs.
func made(all []Snapshot) []Run {
	var runs []Run
	for _, s := range all[max(0, len(all)-timelineRuns):] {
		if s.Error == "" {
			runs = append(runs, Run{Start: s.Created, Duration: s.Duration, Outcome: Made, Snapshot: s.Sequence, AddedBytes: s.AddedBytes})
		}
	}
	return runs
}

// scaled returns a bar's height, by the square root: otherwise one large run would make all others invisible. A
// value above 0 gives at least 2 pixels.
func scaled(v, most, height float64) float64 {
	if v <= 0 || most <= 0 {
		return 0
	}
	return math.Round(10*max(2, height*math.Sqrt(v/most))) / 10
}

func percent(v float64) string { return fmt.Sprintf("%.2f%%", v) }

// outcomes lists the number of runs by outcome.
func outcomes(n map[Outcome]int64) string {
	var parts []string
	if c := n[Made]; c > 0 {
		parts = append(parts, number(c)+" made a snapshot")
	}
	if c := n[Unchanged]; c > 0 {
		parts = append(parts, number(c)+" found nothing new")
	}
	if c := n[Failed]; c > 0 {
		parts = append(parts, number(c)+" failed")
	}
	return strings.Join(parts, ", ")
}

func runTitle(now time.Time, r Run) string {
	return clock(now, r.Start) + " UTC: " + runOutcome(r) + ", " + took(r.Duration)
}

func runOutcome(r Run) string {
	switch r.Outcome {
	case Failed:
		return "failed"
	case Unchanged:
		return "nothing new"
	}
	return fmt.Sprintf("snapshot %d, %s added", r.Snapshot, Size(r.AddedBytes))
}
