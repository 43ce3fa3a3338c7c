package web

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// The number of runs that the chart shows, and its heights in CSS pixels, from the top: room for a label, bars of added
// bytes above the base line, bars of durations below it, and the labels of the time axis.
const (
	timelineRuns = 48
	labelHeight  = 8.0
	addedHeight  = 64.0
	timelineGap  = 4.0
	tookHeight   = 16.0
	axisHeight   = 22.0

	baseLine = labelHeight + addedHeight
	plotEnd  = baseLine + timelineGap + tookHeight
)

// The width of a bar, in percent of the chart's, is the usual distance of two runs within these bounds.
const (
	leastBar = 0.6
	mostBar  = 2.0
)

// timeline is a chart of the last runs, drawn by the template. Horizontal lengths are percentages of its width, so
// neither text nor marks are stretched. A run's place is its time: the chart begins with the first run and ends now.
type timeline struct {
	ID       string // of the title element, unique in a page
	Summary  string // the chart's content as text, for screen readers
	Bars     []bar
	Ticks    []tick
	Scale    []mark
	MostSize string
	MostTime string
	Height   float64
	Base     float64
	PlotEnd  float64
	HasFails bool
	HasIdle  bool // runs that found nothing new
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

// tick is a label of the time axis.
type tick struct {
	X, Label string
	Anchor   string // start, middle or end
	IsNow    bool   // the end of the axis, which has no line
}

// mark is a label of the vertical axis.
type mark struct {
	Y       float64
	Label   string
	HasLine bool
}

// scale returns the labels of the vertical axes, for the end of that of bytes and of that of time. An axis without bars
// has none.
func scale(bytes int64, longest time.Duration) []mark {
	var all []mark
	if bytes > 0 {
		all = append(all, mark{labelHeight, axisSize(bytes), true})
		// The scale is that of the square root, so a quarter of the bytes is half as high.
		if quarter := bytes / 4; quarter > 0 {
			all = append(all, mark{labelHeight + addedHeight/2, axisSize(quarter), true})
		}
		all = append(all, mark{baseLine, "0", false})
	}
	if longest > 0 {
		all = append(all, mark{plotEnd, took(longest), false})
	}
	return all
}

func newTimeline(id string, now time.Time, runs []Run) *timeline {
	if len(runs) == 0 {
		return nil
	}
	runs = runs[max(0, len(runs)-timelineRuns):]
	var mostBytes int64
	var mostTime time.Duration
	ended := map[Outcome]int64{}
	begin := runs[0].Start
	for _, r := range runs {
		mostBytes, mostTime = max(mostBytes, r.AddedBytes), max(mostTime, r.Duration)
		ended[r.Outcome]++
		if r.Start.Before(begin) { // the clock was set back
			begin = r.Start
		}
	}
	top := roundSize(mostBytes)
	t := &timeline{
		ID: id, MostSize: Size(mostBytes), MostTime: took(mostTime), Height: plotEnd + axisHeight, Base: baseLine, PlotEnd: plotEnd,
		HasFails: ended[Failed] > 0, HasIdle: ended[Unchanged] > 0,
	}
	t.Summary = fmt.Sprintf("The last %s, %s to %s UTC: %s. The largest added %s; the longest took %s.",
		count(int64(len(runs)), "run"), clock(now, begin), clock(now, runs[len(runs)-1].Start), outcomes(ended), t.MostSize, t.MostTime)
	t.Scale = scale(top, mostTime)
	begin = begin.Add(-now.Sub(begin) / 50) // the first bar has room
	if least := now.Add(-time.Hour); begin.After(least) {
		begin = least
	}
	place := func(at time.Time) float64 {
		return 100 * min(1, max(0, at.Sub(begin).Seconds()/now.Sub(begin).Seconds()))
	}
	t.Ticks = ticks(begin, now, place)
	width := barWidth(runs, place)
	for _, r := range runs {
		middle := min(place(r.Start), 100-width/2)
		tall := scaled(float64(r.AddedBytes), float64(top), addedHeight)
		t.Bars = append(t.Bars, bar{
			X: percent(middle - width/2), Width: percent(width), Middle: percent(middle),
			Y: baseLine - tall, Height: tall,
			TookY: baseLine + timelineGap, Took: scaled(r.Duration.Seconds(), mostTime.Seconds(), tookHeight),
			Failed: r.Outcome == Failed, Unchanged: r.Outcome == Unchanged,
			Title: runTitle(now, r),
		})
	}
	return t
}

// barWidth returns the width of bars that rarely touch.
func barWidth(runs []Run, place func(time.Time) float64) float64 {
	var gaps []float64
	for i := 1; i < len(runs); i++ {
		gaps = append(gaps, place(runs[i].Start)-place(runs[i-1].Start))
	}
	if len(gaps) == 0 {
		return mostBar
	}
	slices.Sort(gaps)
	return max(leastBar, min(mostBar, 0.7*gaps[len(gaps)/2]))
}

// steps are the distances between two labels of the time axis.
var steps = []time.Duration{
	5 * time.Minute, 10 * time.Minute, 15 * time.Minute, 30 * time.Minute, time.Hour, 2 * time.Hour, 3 * time.Hour,
	6 * time.Hour, 12 * time.Hour, day, 2 * day, 7 * day, 14 * day, 30 * day, 90 * day, 365 * day,
}

const (
	day      = 24 * time.Hour
	maxTicks = 5 // as many as a telephone has room for
)

// ticks returns the labels of the time axis: round times in UTC, and the end.
func ticks(begin, now time.Time, place func(time.Time) float64) []tick {
	step := steps[len(steps)-1]
	for _, s := range steps {
		if now.Sub(begin)/s < maxTicks {
			step = s
			break
		}
	}
	step *= max(1, now.Sub(begin)/step/maxTicks) // more than five years
	var all []tick
	for at := begin.UTC().Truncate(step).Add(step); at.Before(now); at = at.Add(step) {
		x := place(at)
		if x > 90 { // the room of the last label
			break
		}
		t := tick{X: percent(x), Label: at.Format("15:04"), Anchor: "middle"}
		if x < 5 {
			t.Anchor = "start"
		}
		switch {
		case step >= 90*day:
			t.Label = at.Format("Jan 2006")
		case at.Equal(at.Truncate(day)):
			t.Label = at.Format("2 Jan")
		}
		all = append(all, t)
	}
	return append(all, tick{X: "100%", Label: "now", Anchor: "end", IsNow: true})
}

// roundSize returns the next larger round number of bytes, for the end of an axis; 0 for 0.
func roundSize(n int64) int64 {
	if n <= 0 {
		return 0
	}
	unit := int64(1)
	for n > 1000*unit && unit < 1<<50 {
		unit <<= 10
	}
	for _, f := range []int64{1, 2, 5, 10, 20, 50, 100, 200, 500, 1000} {
		if n <= f*unit {
			return f * unit
		}
	}
	return n
}

// axisSize is Size without a fraction that is zero.
func axisSize(n int64) string { return strings.Replace(Size(n), ".0 ", " ", 1) }

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
