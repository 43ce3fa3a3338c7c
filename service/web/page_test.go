package web

import (
	"errors"
	"os/exec"
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
	if few := newTimeline("t", noon, []Run{{Start: noon.Add(-time.Hour)}, {Start: noon}}); few.First != "11:19 to 12:19" || few.Last != "" {
		t.Errorf("few runs are from %q to %q", few.First, few.Last)
	}
	if newTimeline("t", noon, nil) != nil {
		t.Error("there is a chart of nothing")
	}
	long := make([]Run, 1000)
	if got := newTimeline("t", noon, long); len(got.Bars) != timelineRuns {
		t.Errorf("%d bars", len(got.Bars))
	}
}
