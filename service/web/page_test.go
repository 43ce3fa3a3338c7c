package web

import (
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestShellQuote(t *testing.T) {
	t.Parallel()
	for _, s := range []string{"", "orders@42", "it's", `"$HOME" ` + "`id`", "a b", "-x", hostile, "new\nline", "\xff", `back\slash`, "~", "*", "ö", "\u00a0", `\x41'` + "\u202e"} {
		out, err := exec.Command("bash", "-c", "printf %s "+shellQuote(s)).Output()
		if err != nil || string(out) != s {
			t.Errorf("%q is quoted as %s, which the shell takes for %q: %v", s, shellQuote(s), out, err)
		}
		if q := shellQuote(s); clean(q) != q {
			t.Errorf("%q cannot be shown as it is", q)
		}
	}
}

func TestPagesSayWhatIsKnown(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	s := newServer(t, f, token)
	page := get(t, s, "/archives/orders")
	for _, want := range []string{
		"strongroom restore orders@120 --to ./restored", `href="/archives/orders/snapshots/120"`, "before=96", "00000c1f.jdb",
		"1 file, 5.0 MiB", "The last 48 runs,", "42 made a snapshot, 4 found nothing new, 2 failed", "503 Slow Down",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the archive's page does not have %q", want)
		}
	}
	if page := get(t, s, "/archives/orders?before=96"); !strings.Contains(page, "/snapshots/95\"") || strings.Contains(page, "/snapshots/96\"") {
		t.Error("the older snapshots are other ones")
	}
	page = get(t, s, "/archives/orders/snapshots/120?offset=200")
	for _, want := range []string{"Since snapshot 119", "2 files added", "1 file removed", "201 to 400 of 1\u202f200 files", "offset=400", "offset=0", "strongroom restore orders@120"} {
		if !strings.Contains(page, want) {
			t.Errorf("the snapshot's page does not have %q", want)
		}
	}
	if page := get(t, s, "/archives/orders/snapshots/1"); !strings.Contains(page, "There is no earlier snapshot") {
		t.Error("the first snapshot is compared with something")
	}
}

func TestRestoreIsOfASnapshotThatCanBeRead(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	f.snapshots[119].Error = "it does not have the hash that it should"
	if page := get(t, newServer(t, f, ""), "/archives/orders"); !strings.Contains(page, "restore orders@119 ") {
		t.Error("not the newest one that can be read")
	}
}

func TestPageWithoutTheProvider(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	f.err = errors.New("listing the archive: connection refused")
	page := get(t, newServer(t, f, token), "/archives/orders")
	for _, want := range []string{"connection refused", "Recoverable through 12:15", "<form"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not have %q", want)
		}
	}
}

func TestTimelineShowsWhatIsSmall(t *testing.T) {
	t.Parallel()
	runs := []Run{
		{Start: noon, Outcome: Made, AddedBytes: 1, Duration: time.Millisecond},
		{Start: noon, Outcome: Made, AddedBytes: 1 << 40, Duration: time.Hour},
		{Start: noon, Outcome: Failed, Duration: time.Second},
	}
	bars := newTimeline("t", noon, runs).Bars
	if bars[0].Height < 2 || bars[0].Took < 2 || bars[1].Height != addedHeight || bars[1].Took != tookHeight || !bars[2].Failed {
		t.Errorf("%+v", bars)
	}
	if newTimeline("t", noon, nil) != nil {
		t.Error("there is a chart of nothing")
	}
	long := make([]Run, 1000)
	if got := newTimeline("t", noon, long); len(got.Bars) != timelineRuns {
		t.Errorf("%d bars", len(got.Bars))
	}
}

// A run's place in the chart is its time, so a gap is a gap. The axes have round labels.
func TestTimelineHasAxes(t *testing.T) {
	t.Parallel()
	labels := func(c *timeline) string {
		var all []string
		for _, tick := range c.Ticks {
			all = append(all, tick.Label)
		}
		for _, m := range c.Scale {
			all = append(all, m.Label)
		}
		return strings.Join(all, " | ")
	}
	place := func(b bar) float64 {
		var x float64
		if _, err := fmt.Sscanf(b.Middle, "%f%%", &x); err != nil {
			t.Fatal(err)
		}
		return x
	}
	c := newTimeline("t", noon, []Run{
		{Start: noon.Add(-10 * time.Hour), AddedBytes: 70 << 20, Duration: 2 * time.Second},
		{Start: noon.Add(-9 * time.Hour)},
		{Start: noon.Add(-time.Hour)},
	})
	one, two, three := place(c.Bars[0]), place(c.Bars[1]), place(c.Bars[2])
	if gap, wide := two-one, three-two; one < 0.5 || gap < 8 || wide < 7.9*gap || wide > 8.1*gap || three > 95 {
		t.Errorf("the runs are at %v, %v and %v", one, two, three)
	}
	if got, want := labels(c), "03:00 | 06:00 | 09:00 | now | 100 MiB | 25 MiB | 0 | 2.0\u00a0s"; got != want {
		t.Errorf("the labels are %s, not %s", got, want)
	}
	for span, want := range map[time.Duration]string{
		time.Minute:         "11:30 | 11:45 | 12:00 | now",
		3 * day:             "20 Nov | 21 Nov | 22 Nov | now",
		47 * day:            "now",
		10 * 365 * day:      "now",
		-2 * time.Hour:      "now", // the clock was set back
		200 * 365 * day / 2: "now",
	} {
		c := newTimeline("t", noon, []Run{{Start: noon.Add(-span)}, {Start: noon}})
		if got := labels(c); !strings.Contains(got, want) || len(c.Ticks) > maxTicks+1 {
			t.Errorf("%v: the labels are %s", span, got)
		}
		for _, b := range c.Bars {
			if x := place(b); x < 0 || x > 100 {
				t.Errorf("%v: a run at %v", span, x)
			}
		}
	}
}

// The page commands what works on another host. An address with what may be a secret is not shown: the name stays.
func TestRestoreCommandHasTheURL(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.Address, a.Encrypted = a.Destination, true
	const long, short = "strongroom restore &#39;s3://backups/orders/node-1?region=eu-central-1@%d&#39; --to ./restored --identity ./identity.txt",
		"strongroom restore orders@%d --to ./restored --identity ./identity.txt"
	s := newServer(t, filled(a), "")
	for path, n := range map[string]int{"/archives/orders": 120, "/archives/orders/snapshots/7": 7} {
		checkTexts(t, get(t, s, path), []string{fmt.Sprintf(long, n), fmt.Sprintf(short, n), "All archives"}, nil)
	}
	a.Address = ""
	checkTexts(t, get(t, newServer(t, filled(a), ""), "/archives/orders"), []string{fmt.Sprintf(short, 120)}, []string{"@120&#39;", "has the configuration"})
}

// The front page begins with the verdict. Archives are in the order of their trouble, and a run does not hide health.
func TestFrontPageBeginsWithTheWorst(t *testing.T) {
	t.Parallel()
	for want, all := range map[string][]Archive{
		"The archive is healthy":              {well("a")},
		"The archive needs attention":         {unpruned("a")},
		"There is no snapshot yet":            {states()[StateEmpty]},
		"Both archives are healthy":           {well("a"), states()[StateRunning]},
		"All 3 archives are healthy":          {well("a"), well("b"), well("c")},
		"1 of 3 archives has no snapshot yet": {well("a"), well("b"), states()[StateEmpty]},
		"1 of 2 archives needs attention":     {well("a"), states()[StateFailing]},
		"2 of 2 archives need attention":      {states()[StateOverdue], states()[StateFailing]},
	} {
		page := get(t, newServer(t, &fake{archives: all}, ""), "/")
		checkTexts(t, page, []string{"<h1>" + want + "</h1>", "<title>" + want}, nil)
	}
	var all []Archive
	for i, state := range []State{StateOK, StateRunning, StateEmpty, StateOverdue, StateFailing, StateDamaged} {
		a := states()[state]
		a.Name = fmt.Sprintf("%d-%s", i, state)
		all = append(all, a)
	}
	late := unpruned("6-unpruned")
	paused := well("7-paused")
	paused.Paused.Since = noon
	for _, few := range []bool{true, false} {
		shown := append(slices.Clone(all), late, paused)
		want := []string{"5-damaged", "4-failing", "3-overdue", "7-paused", "6-unpruned", "2-empty", "0-ok", "1-running"}
		if few {
			shown, want = all[:5], []string{"4-failing", "3-overdue", "2-empty", "0-ok", "1-running"}
		}
		page := get(t, newServer(t, &fake{archives: shown}, ""), "/")
		at := 0
		for _, name := range want {
			i := strings.Index(page, "/archives/"+name)
			if i < at {
				t.Errorf("few %v: %s is not in its place", few, name)
			}
			at = i
		}
		if strings.Contains(page, "<table") == few {
			t.Errorf("few %v: cards and lines are confused", few)
		}
		_, running, _ := strings.Cut(page, "/archives/1-running")
		checkTexts(t, running, []string{"Running", "Healthy"}, nil)
	}
}

// The size of the whole archive and the number of its snapshots are on both pages, as far as they are known.
func TestStoredText(t *testing.T) {
	t.Parallel()
	for want, a := range map[string]Archive{
		"nothing yet":                    {},
		"9 B in 3 snapshots":             {LastVerification: Verification{BytesTotal: 9}, Kept: &Kept{Snapshots: 3}},
		"9 B":                            {LastVerification: Verification{BytesTotal: 9}},
		"1 snapshot, 7 B for the newest": {Kept: &Kept{Snapshots: 1}, Newest: Contents{StoredBytes: 7}},
		"7 B for the newest snapshot":    {Newest: Contents{StoredBytes: 7}},
		"unknown":                        {RecoverableThrough: Point{At: noon}},
	} {
		if got := (card{Archive: a}).StoredText(); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// A line states the same of the next run as the sentence on a card.
func TestLineStatesWhatHappensNext(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Archive){
		"next in 11 minutes":        func(*Archive) {},
		"waits for other archives":  func(a *Archive) { a.Waiting, a.NextRun = true, time.Time{} },
		"a run is in progress":      func(a *Archive) { a.Running, a.RunningSince, a.NextRun = true, time.Time{}, time.Time{} },
		"a run began 2 minutes ago": func(a *Archive) { a.Running, a.RunningSince, a.Waiting = true, noon.Add(-2*time.Minute), true },
		"next when a log file closes": func(a *Archive) {
			a.Schedule, a.NextRun = "@close", time.Time{}
		},
		"on demand":                func(a *Archive) { a.Schedule, a.NextRun = "", time.Time{} },
		"no snapshot is scheduled": func(a *Archive) { a.NextRun = time.Time{} },
	} {
		a := well("orders")
		a.Schedule = "@hourly"
		change(&a)
		if got := newServer(t, filled(a), "").card("t", a).Now(noon); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
}

// Where no run added a byte, the axis of bytes has no labels: each would be zero.
func TestIdleTimelineHasNoSizes(t *testing.T) {
	t.Parallel()
	runs := []Run{
		{Start: noon.Add(-2 * time.Hour), Outcome: Unchanged, Duration: time.Second},
		{Start: noon.Add(-time.Hour), Outcome: Made, Snapshot: 2, Duration: 2 * time.Second},
	}
	c := newTimeline("t", noon, runs)
	if want := []mark{{plotEnd, "2.0\u00a0s", false}}; !slices.Equal(c.Scale, want) {
		t.Errorf("the labels are %v, not %v", c.Scale, want)
	}
	a := well("orders")
	a.History = runs
	checkTexts(t, get(t, newServer(t, filled(a), ""), "/archives/orders"), nil, []string{"1 B</text>", "0 B</text>", ">0</text>"})
	runs[1].AddedBytes = 1
	for _, m := range newTimeline("t", noon, runs).Scale {
		if m.Label == "0 B" {
			t.Errorf("two labels of zero: %v", newTimeline("t", noon, runs).Scale)
		}
	}
}
