package web

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

// checkTexts checks a page for the texts that it must have and must not have.
func checkTexts(t *testing.T, page string, want, not []string) {
	t.Helper()
	for _, w := range want {
		if !strings.Contains(page, w) {
			t.Errorf("the page does not have %q", w)
		}
	}
	for _, n := range not {
		if strings.Contains(page, n) {
			t.Errorf("the page has %q", n)
		}
	}
}

// Tasks beside snapshots are shown, above all those that cannot be done.
func TestTasksAreShown(t *testing.T) {
	t.Parallel()
	s := newServer(t, filled(unpruned("orders")), "")
	checkTexts(t, get(t, s, "/"), []string{"Snapshots are fine", "the last prune could not be done", "Prune could not be done, 2 times in a row", "403 AccessDenied"}, nil)
	checkTexts(t, get(t, s, "/archives/orders"), []string{
		"Prune could not be done", "no problems, 9 hours ago", "2\u202f113 objects checked", "next in 15 hours", "could not be done 10 minutes ago; last done 12 hours ago; next in 20 minutes",
	}, nil)
	var v apiArchives
	decode(t, get(t, s, "/api/v1/archives"), &v)
	if tasks := v.Archives[0].Tasks; len(tasks) != 2 || tasks[0].Name != "verify" || tasks[0].LastFailure != nil || tasks[1].FailuresInRow != 2 || tasks[1].Failed != 2 {
		t.Errorf("%+v", tasks)
	}
	want := `
# HELP strongroom_archive_task_failures_in_row Runs in a row in which the task could not be done, since its last success.
# TYPE strongroom_archive_task_failures_in_row gauge
strongroom_archive_task_failures_in_row{archive="orders",task="prune"} 2
strongroom_archive_task_failures_in_row{archive="orders",task="verify"} 0
`
	if err := testutil.GatherAndCompare(s.registry(), strings.NewReader(want), "strongroom_archive_task_failures_in_row"); err != nil {
		t.Error(err)
	}
}

// Unknown values are not shown as zero, anywhere.
func TestBehindIsNotKnown(t *testing.T) {
	t.Parallel()
	a := states()[StateEmpty]
	s := newServer(t, filled(a), "")
	checkTexts(t, get(t, s, "/"), []string{"<dt>Not archived yet</dt><dd>unknown</dd>"}, []string{"<dd>nothing</dd>"})
	checkTexts(t, get(t, s, "/api/v1/archives"), []string{`"behind":null`}, nil)
	if n, err := testutil.GatherAndCount(s.registry(), "strongroom_archive_behind_bytes", "strongroom_archive_behind_files"); err != nil || n != 0 {
		t.Errorf("%d metrics: %v", n, err)
	}
}

// An old snapshot is no worry where nothing has changed since.
func TestIdleSentence(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.RecoverableThrough.At, a.Behind = noon.Add(-50*time.Hour), &Behind{}
	a.History = append(a.History, Run{Start: noon.Add(-time.Minute), Outcome: Unchanged})
	const since = ", and nothing has changed since; "
	if got := a.sentence(noon); got != "Recoverable through 20 Nov 2026, 10:19, 2 days ago"+since+"next snapshot in 11 minutes." {
		t.Error(got)
	}
	for what, change := range map[string]func(*Archive){
		"something waits":         func(a *Archive) { a.Behind = &Behind{Files: 1} },
		"it is not known":         func(a *Archive) { a.Behind = nil },
		"the last run failed":     func(a *Archive) { a.FailuresInRow = 1 },
		"a snapshot was made":     func(a *Archive) { a.History = append(a.History, Run{Outcome: Made}) },
		"it is overdue":           func(a *Archive) { a.Overdue = true },
		"the archive is not well": func(a *Archive) { a.LastVerification.Problems = 1 },
	} {
		b := a
		change(&b)
		if got := b.sentence(noon); strings.Contains(got, since) {
			t.Errorf("%s: %s", what, got)
		}
	}
	a.LastVerification.Problems, a.LastVerification.Objects = 1, 0
	a.FailuresInRow = 2 // what is worse does not hide it
	if got := a.sentence(noon); !strings.Contains(got, "; the last 2 runs failed; next attempt") {
		t.Error(got)
	}
	a.LastFailure = Failure{noon, "the disk is not mounted"}
	checkTexts(t, get(t, newServer(t, filled(a), ""), "/"), []string{"the disk is not mounted"}, nil)
	if got := a.sentence(noon); !strings.Contains(got, "did not find the archive") {
		t.Error(got)
	}
}

// Coverage counts objects that were read back: an object in a listing may be rotten.
func TestReadBack(t *testing.T) {
	t.Parallel()
	for want, v := range map[string]Verification{
		"never": {},
		"no problems, just now; no data was read back yet":                            {At: noon, Objects: 3, ObjectsTotal: 3, BytesTotal: 9},
		"no problems, just now; all data was read back within 31 days":                {At: noon, ReadBytes: 9, BytesTotal: 9, ReadSince: noon.Add(-31 * 24 * time.Hour)},
		"1 problem, just now; 4 B of 9 B were read back, the oldest part 3 hours ago": {At: noon, Problems: 1, ReadBytes: 4, BytesTotal: 9, ReadSince: noon.Add(-3 * time.Hour)},
	} {
		c := card{Archive: Archive{LastVerification: v}}
		if got := c.VerifiedText(noon); got != want {
			t.Errorf("%q, not %q", got, want)
		}
	}
	if w := (card{Archive: Archive{LastVerification: Verification{Objects: 3, ObjectsTotal: 3, BytesTotal: 9}}}).ReadWidth(); w != "0.00%" {
		t.Errorf("the bar of what was never read is %s wide", w)
	}
}

// The page names objects that could not be read back because they are frozen: "no problems" alone would read as sound.
func TestVerifiedTextOfFrozenObjects(t *testing.T) {
	t.Parallel()
	c := card{Archive: Archive{LastVerification: Verification{At: noon, Objects: 3, ObjectsTotal: 3, BytesTotal: 9, Unthawed: 2}}}
	if got := c.VerifiedText(noon); !strings.HasSuffix(got, "; 2 objects could not be read back before a thaw") {
		t.Errorf("%q", got)
	}
}

// Damage is named where it is seen first.
func TestDamageIsNamed(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.LastVerification.Problems, a.LastVerification.Found = 3, []string{"missing: data/" + hostile, "content: data/00000002.jdb"}
	a.LastDrill = Drill{At: noon, Snapshot: 7, Error: "DbVerify: exit status 1"}
	checkTexts(t, get(t, newServer(t, filled(a), ""), "/"), []string{
		"data/00000002.jdb", "and more; <code>strongroom verify</code>", "test restore of snapshot 7 failed", "DbVerify: exit status 1", "Last proven restore",
	}, []string{"<script>alert"})
}

func TestRestoreOfWhatIsEncrypted(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.Encrypted = true
	s := newServer(t, filled(a), "")
	for _, path := range []string{"/archives/orders", "/archives/orders/snapshots/120"} {
		checkTexts(t, get(t, s, path), []string{"strongroom restore orders@120 --to ./restored --identity ./identity.txt", "The archive is encrypted"}, nil)
	}
	a.Encrypted = false
	checkTexts(t, get(t, newServer(t, filled(a), ""), "/archives/orders"), nil, []string{"identity"})
}

func TestSnapshotsSayWhatChangedAndWhatIsHeld(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	f.snapshots[118].Held, f.snapshots[118].Changed = "end of the year", 2
	s := newServer(t, f, "")
	checkTexts(t, get(t, s, "/archives/orders"), []string{
		`<a href="/archives/orders/snapshots/119#changes">3 stored, 2 changed, 1 removed</a>`, `ok, <span title="end of the year">held</span>`,
	}, nil)
	checkTexts(t, get(t, s, "/archives/orders/snapshots/119"), []string{"<dt>Held</dt><dd>end of the year</dd>", "Since snapshot 118", `value="118"`}, nil)
	checkTexts(t, get(t, s, "/archives/orders/snapshots/119?since=7"), []string{"Since snapshot 7"}, nil)
	if w := ask(t, s, "GET", "/archives/orders/snapshots/119?since=x", ""); w.Code != 400 {
		t.Errorf("since=x: %d", w.Code)
	}
}

// A host that is new to an archive shows the timeline of the other hosts' snapshots.
func TestTimelineOfOthers(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.History = nil
	checkTexts(t, get(t, newServer(t, filled(a), ""), "/archives/orders"), []string{"The last 47 runs", "47 made a snapshot"}, nil)
}

// A provider that is away takes nothing from the page that was known before.
func TestPageWithAnOldListing(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	f.err = errors.New("listing the archive: connection refused")
	page := get(t, newServer(t, f, ""), "/archives/orders")
	checkTexts(t, page, []string{"the table is from the last successful read", "connection refused", "restore orders@120", "/snapshots/120"}, nil)
	f.snapshots = nil
	checkTexts(t, get(t, newServer(t, f, ""), "/archives/orders"), []string{"The snapshots cannot be listed:"}, []string{"There are no snapshots.", "restore orders@"})
}
