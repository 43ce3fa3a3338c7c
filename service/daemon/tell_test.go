package daemon

import (
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/service/notify"
	"github.com/strongroom-dev/strongroom/service/web"
)

// What is told says what is the matter.
func TestEvent(t *testing.T) {
	since := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	for _, test := range []struct {
		what  string
		a     web.Archive
		state notify.State
		says  string
	}{
		{"nothing wrong", web.Archive{LastSuccess: since}, notify.OK, ""},
		{"a damaged file", web.Archive{Damaged: []string{"00000007.jdb"}, LastDrill: web.Drill{Error: "no"}}, notify.Damaged, "00000007.jdb"},
		{"a verify", web.Archive{LastVerification: web.Verification{Problems: 3}, LastDrill: web.Drill{Error: "no"}}, notify.Damaged, "found 3 problems"},
		{"a drill", web.Archive{LastDrill: web.Drill{Error: "DbVerify: exit status 1"}}, notify.Damaged, "the last drill failed: DbVerify: exit status 1"},
		{"a run", web.Archive{FailuresInRow: 1, LastFailure: web.Failure{Error: "no answer"}}, notify.Failing, "no answer"},
		{"no run", web.Archive{Overdue: true, LastSuccess: since}, notify.Overdue, "since 2026-11-01T02:00:00Z"},
		{"no run ever", web.Archive{Overdue: true}, notify.Overdue, "no run has ended well yet"},
	} {
		e := event(&test.a)
		if e.State != test.state || !strings.Contains(e.Detail, test.says) || (test.says == "") != (e.Detail == "") {
			t.Errorf("%s is told as %s: %q", test.what, e.State, e.Detail)
		}
	}
}
