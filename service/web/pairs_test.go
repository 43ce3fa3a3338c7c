package web

import (
	"regexp"
	"strings"
	"testing"
	"time"
)

// fact returns the text of a row of facts on an archive's page.
func fact(t *testing.T, page, name string) string {
	t.Helper()
	_, rest, ok := strings.Cut(page, "<dt>"+name+"</dt><dd>")
	if !ok {
		t.Fatalf("the page has no row %s", name)
	}
	text, _, _ := strings.Cut(rest, "</dd>")
	return regexp.MustCompile("<[^>]*>").ReplaceAllString(strings.ReplaceAll(text, "<br>", "; "), "")
}

// The outcome of the last run, its time and its figures are of one run, and the last success is a fact of its own. An
// operator read that a run ended well beside the figures of one that failed.
func TestLastRunIsOneRun(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.LastSuccess, a.FailuresInRow = noon.Add(-2*time.Hour), 1
	a.LastFailure = Failure{noon.Add(-time.Minute), "no answer"}
	a.Last = Work{Files: 7, Bytes: 7 << 20}
	a.History = append(a.History, Run{
		Start: noon.Add(-90 * time.Second), Duration: 30 * time.Second, Outcome: Failed, Files: 7, AddedBytes: 7 << 20, Error: "no answer",
	})
	for _, test := range []struct {
		outcome       Outcome
		run, succeded string
	}{
		{Failed, "failed, 22 Nov 2026, 12:18:00; 7 files, 7.0 MiB copied in 30.0\u00a0s", "22 Nov 2026, 10:19:30"},
		{Unchanged, "nothing new, 22 Nov 2026, 12:18:00; 7 files, 7.0 MiB copied in 30.0\u00a0s", "22 Nov 2026, 10:19:30"},
		{Made, "snapshot 0, 22 Nov 2026, 12:18:00; 7 files, 7.0 MiB copied in 30.0\u00a0s", "22 Nov 2026, 10:19:30"},
	} {
		a.History[len(a.History)-1].Outcome = test.outcome
		page := get(t, newServer(t, filled(a), ""), "/archives/orders")
		if got := fact(t, page, "Last run"); got != test.run {
			t.Errorf("%s: the last run: %q", test.outcome, got)
		}
		if got := fact(t, page, "Last success"); got != test.succeded {
			t.Errorf("%s: the last success: %q", test.outcome, got)
		}
	}
	a.History, a.LastSuccess = nil, time.Time{}
	page := get(t, newServer(t, filled(a), ""), "/archives/orders")
	if run, success := fact(t, page, "Last run"), fact(t, page, "Last success"); run != "none yet" || success != "never" {
		t.Errorf("before any: %q, %q", run, success)
	}
}

// A part is never larger than its whole: both are of one measure, and of one verification.
func TestPartsOfWholes(t *testing.T) {
	t.Parallel()
	show := func(v Verification) (verified string) {
		a := well("orders")
		v.At, v.Objects, v.ObjectsTotal = noon.Add(-time.Hour), 9, 9
		a.LastVerification = v
		return fact(t, get(t, newServer(t, filled(a), ""), "/archives/orders"), "Verified")
	}
	check := func(v Verification, want ...string) {
		t.Helper()
		verified := show(v)
		for _, text := range want {
			if !strings.Contains(verified, text) {
				t.Errorf("%q does not have %q", verified, text)
			}
		}
	}
	const mib = 1 << 20
	// By the service: the whole includes pages, which the coverage does not.
	check(Verification{Bytes: 3 * mib, BytesTotal: 20 * mib, ReadBytes: 12 * mib, ReadTotal: 19 * mib, ReadSince: noon.Add(-48 * time.Hour)},
		"; 12.0 MiB of 19.0 MiB were read back, the oldest part 2 days ago", "9 of 9 objects checked; 3.0 MiB of them read")
	// By hand, of a compressed archive: more plain bytes were read than are stored.
	check(Verification{PlainBytes: 216 * mib / 10, BytesTotal: 196 * mib / 10, ReadBytes: 12 * mib, ReadTotal: 19 * mib, ReadSince: noon.Add(-48 * time.Hour)},
		"; 12.0 MiB of 19.0 MiB were read back", "21.6 MiB of content read")
	// A state file of an older version has no whole of the coverage.
	check(Verification{BytesTotal: 5 * mib, ReadBytes: 12 * mib, ReadSince: noon.Add(-48 * time.Hour)}, "; all data was read back within 2 days")
}

// Found damage is named where its number is.
func TestProblemsAreNamed(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.LastVerification.Problems, a.LastVerification.Found = 1, []string{"missing: data/00000c1f.jdb"}
	for _, path := range []string{"/", "/archives/orders"} {
		page := get(t, newServer(t, filled(a), ""), path)
		if !strings.Contains(page, "the last verification found 1 problem") || !strings.Contains(page, "missing: data/00000c1f.jdb") {
			t.Errorf("%s has not both", path)
		}
	}
}

// An archive whose schedule was removed is not reported as well: nothing makes snapshots of it.
func TestNoScheduleIsShown(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.Schedule, a.NextRun = "", time.Time{}
	for _, path := range []string{"/", "/archives/orders"} {
		page := get(t, newServer(t, filled(a), ""), path)
		if strings.Contains(page, "Healthy") || !strings.Contains(page, "Only on demand") || !strings.Contains(page, "no schedule: snapshots are made on demand only") {
			t.Errorf("%s does not show that there is no schedule", path)
		}
	}
	a.Schedule = "@close" // has no next run either
	if page := get(t, newServer(t, filled(a), ""), "/"); !strings.Contains(page, "Healthy") {
		t.Error("@close counts as no schedule")
	}
}

// After a change of keys, a restore needs both identities: the hint beside the command states that.
func TestIdentityHintNamesBothKeys(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.Encrypted = true
	for _, path := range []string{"/archives/orders", "/archives/orders/snapshots/120"} {
		if page := get(t, newServer(t, filled(a), ""), path); !strings.Contains(page, "the new identity and the old one are both needed") {
			t.Errorf("%s does not", path)
		}
	}
}
