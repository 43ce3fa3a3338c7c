package main

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/service/web"
)

// A status that ends with another code than 0 prints the reason.
func TestStatusExplains(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	s := archiveStatus{
		Name:             "orders",
		LastVerification: &verification{At: at, Problems: 2, Unthawed: 5, Found: []string{"missing: data/00000007.jdb"}},
		LastDrill:        &drillStatus{At: at, Snapshot: 7, Error: "DbVerify: exit status 1"},
		Tasks:            []taskStatus{{Name: "verify", LastFailure: &failedLast{At: at, Error: "long ago"}}, {Name: "prune", FailuresInRow: 3, LastFailure: &failedLast{At: at, Error: "403 AccessDenied"}}},
		NeedsConfirmation: []confirmationStatus{
			{Confirmation: "rollback:41-0a1b2c3d", Guard: "rollback", Task: "backup", Detail: "the source was rolled back", Since: at},
			{Confirmation: "prune:41-7e1f00d0", Guard: "prune", Task: "prune", Detail: "it would remove 40 snapshots", Since: at, ConfirmedAt: &at},
		},
	}
	var b bytes.Buffer
	s.explain(&b)
	for _, want := range []string{
		"found 2 problems\n    missing: data/00000007.jdb\n", "5 objects could not be read back before a thaw by the last verification", "of snapshot 7 at ", "failed: DbVerify: exit status 1", "the last prune could not be done, 3 times in a row", "403 AccessDenied",
		"the backup needs a confirmation (since ", "the source was rolled back\n    Accept it if the database was restored", "\n    strongroom confirm orders rollback:41-0a1b2c3d\n", "an operator accepted prune:41-7e1f00d0 at ",
	} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "confirm orders prune") {
		t.Errorf("a confirmation is requested that was given: %s", b.String())
	}
	if strings.Contains(b.String(), "long ago") {
		t.Errorf("a repaired problem is reported: %s", b.String())
	}
}

// The last line names the first damaged archive, with its problem.
func TestStatusVerdict(t *testing.T) {
	t.Parallel()
	failed := &drillStatus{Snapshot: 7, Error: "DbVerify: exit status 1"}
	for _, test := range []struct {
		what     string
		s        archiveStatus
		wantText string
	}{
		{"a drill", archiveStatus{LastDrill: failed}, "the drill failed"},
		{"a drill, with nothing found", archiveStatus{LastDrill: failed, LastVerification: &verification{}}, "the drill failed"},
		{"both", archiveStatus{LastDrill: failed, LastVerification: &verification{Problems: 1}}, "the archive is damaged"},
		{"the last verify, without a service", archiveStatus{}, "the archive is damaged"},
		{"a log file", archiveStatus{LastDrill: failed, Damaged: []string{"00000007.jdb"}}, "log files were damaged"},
	} {
		test.s.Name, test.s.State = "orders", web.StateDamaged
		s := status{Archives: []archiveStatus{test.s, {Name: "other", State: web.StateDamaged}}}
		err := s.verdict()
		if err == nil || !strings.HasPrefix(err.Error(), "orders: "+test.wantText) || exitCode(t.Context(), err) != exitDamaged {
			t.Errorf("%s ends with %d: %v", test.what, exitCode(t.Context(), err), err)
		}
		if strings.Contains(message(err), "lists all problems") != (test.wantText == "the archive is damaged") {
			t.Errorf("%s sends to: %s", test.what, message(err))
		}
	}
}

// With thousands of archives, an operator sees why a run that is due has not begun.
func TestStatusShowsWhatWaits(t *testing.T) {
	t.Parallel()
	s := status{Service: true, Archives: []archiveStatus{
		{Name: "a", State: web.StateOK, Waiting: true}, {Name: "b", State: web.StateRunning, Running: true, Waiting: true},
	}}
	var b bytes.Buffer
	if err := s.print(&b, time.Now()); err != nil {
		t.Fatal(err)
	}
	_, lines, _ := strings.Cut(b.String(), "\n")
	first, second, _ := strings.Cut(lines, "\n")
	if !strings.Contains(first, "waiting") || !strings.Contains(second, "running") {
		t.Errorf("%s", b.String())
	}
}
