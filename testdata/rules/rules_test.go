// Package rules tries deploy/prometheus and deploy/grafana with Prometheus' own parser and
// engine.
package rules

import (
	"encoding/json"
	"log/slog"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/prometheus/model/labels"
	"github.com/prometheus/prometheus/model/rulefmt"
	"github.com/prometheus/prometheus/promql/parser"
	"github.com/prometheus/prometheus/promql/promqltest"
	"github.com/prometheus/prometheus/rules"
)

const file = "../../deploy/prometheus/strongroom.rules.yml"

// load reads the rules as Prometheus does, which checks expressions and templates.
func load(t *testing.T) []rulefmt.Rule {
	t.Helper()
	groups, errs := rulefmt.ParseFile(file, false)
	for _, err := range errs {
		t.Error(err)
	}
	if t.Failed() || len(groups.Groups) != 1 {
		t.Fatalf("%s has %d groups", file, len(groups.Groups))
	}
	return groups.Groups[0].Rules
}

// at is a moment that a test checks, and the alerts that fire then.
type at struct {
	when time.Duration
	want []string // summaries
}

// Each alert fires when it should, has the right text, and does not fire when all is well. Times
// are from 1970 on: a timestamp of 0 is when the test begins.
func TestAlerts(t *testing.T) {
	const archive = `{job="strongroom", instance="db-1:8470", archive="orders"}`
	for name, tt := range map[string]struct {
		alert  string
		series string
		at     []at
	}{
		"the service is down": {
			"StrongroomDown", `up{job="strongroom", instance="db-1:8470"} 1x10 0x20`,
			[]at{{10 * time.Minute, nil}, {15 * time.Minute, nil}, {20 * time.Minute, []string{"strongroom is not running on db-1:8470"}}},
		},
		"the service is not scraped": {
			"StrongroomDown", `up{job="node"} 1x30`, []at{{4 * time.Minute, nil}, {20 * time.Minute, []string{"strongroom is not running"}}},
		},
		"one failure passes, many do not": {
			"StrongroomFailing", `strongroom_archive_failures_in_row` + archive + ` 0x5 1x5 0x5 1+1x20`,
			[]at{{20 * time.Minute, nil}, {35 * time.Minute, []string{"orders: snapshots fail"}}},
		},
		"a guard needs a confirmation": {
			"StrongroomConfirmationNeeded", `strongroom_confirmation_needed` + archive + ` 0x5 1x20`,
			[]at{{10 * time.Minute, nil}, {12 * time.Minute, []string{"orders: a guard needs a confirmation"}}},
		},
		"overdue": {
			"StrongroomOverdue", `strongroom_archive_overdue` + archive + ` 0x5 1x30`,
			[]at{{14 * time.Minute, nil}, {20 * time.Minute, []string{"orders: a snapshot is overdue"}}},
		},
		"paused": {
			"StrongroomPaused", `strongroom_archive_paused` + archive + ` 0x5 1x3000` + "\n" +
				`strongroom_archive_paused_since_timestamp_seconds` + archive + ` _x5 300x3000`,
			[]at{{23 * time.Hour, nil}, {25 * time.Hour, []string{"orders: paused for a day"}}},
		},
		"paused, and a scrape fails": {
			"StrongroomPaused", `strongroom_archive_paused` + archive + ` 0x5 1x1200 stale 1x3000` + "\n" +
				`strongroom_archive_paused_since_timestamp_seconds` + archive + ` _x5 300x1200 stale 300x3000`,
			[]at{{23 * time.Hour, nil}, {25 * time.Hour, []string{"orders: paused for a day"}}},
		},
		"paused, and resumed": {
			"StrongroomPaused", `strongroom_archive_paused` + archive + ` 0x5 1x1400 0x300` + "\n" +
				`strongroom_archive_paused_since_timestamp_seconds` + archive + ` _x5 300x1400 stale`,
			[]at{{25 * time.Hour, nil}},
		},
		"the database is idle": {
			"StrongroomRecoveryPointOld", "strongroom_archive_recoverable_through_timestamp_seconds" + archive + " 0x3000\nstrongroom_archive_behind_bytes" + archive + " 0x3000",
			[]at{{40 * time.Hour, nil}},
		},
		"the database goes on, the archive does not": {
			"StrongroomRecoveryPointOld", "strongroom_archive_recoverable_through_timestamp_seconds" + archive + " 0x3000\nstrongroom_archive_behind_bytes" + archive + " 7x3000",
			[]at{{24 * time.Hour, nil}, {26 * time.Hour, []string{"orders: data of the last 1d 2h 0m 0s would be lost with the host"}}},
		},
		"how far behind is unknown": {
			"StrongroomRecoveryPointOld", "strongroom_archive_recoverable_through_timestamp_seconds" + archive + " 0x3000\nstrongroom_archive_failures_in_row" + archive + " 7x3000",
			[]at{{26 * time.Hour, []string{"orders: data of the last 1d 2h 0m 0s would be lost with the host"}}},
		},
		"nothing was ever archived": {
			"StrongroomNothingArchived", "strongroom_archive_running" + archive + " 0x3000",
			[]at{{23 * time.Hour, nil}, {25 * time.Hour, []string{"orders: there is no snapshot yet"}}},
		},
		"nothing was ever archived, and a scrape fails": {
			"StrongroomNothingArchived", "strongroom_archive_running" + archive + " 0x1200 stale 0x3000",
			[]at{{23 * time.Hour, nil}, {25 * time.Hour, []string{"orders: there is no snapshot yet"}}},
		},
		"something was archived": {
			"StrongroomNothingArchived", "strongroom_archive_running" + archive + " 0x3000\nstrongroom_archive_recoverable_through_timestamp_seconds" + archive + " _x60 5x3000",
			[]at{{25 * time.Hour, nil}},
		},
		"each snapshot clears what waits": {
			"StrongroomBehindGrowing", "strongroom_archive_behind_bytes" + archive + " " + strings.Repeat("0+1000000000x59 ", 60),
			[]at{{55 * time.Hour, nil}},
		},
		"more waits every day": {
			"StrongroomBehindGrowing", "strongroom_archive_behind_bytes" + archive + " 0+1000000x3600",
			[]at{{23 * time.Hour, nil}, {50 * time.Hour, []string{"orders: the archive does not keep up"}}},
		},
		"damaged files": {
			"StrongroomDamagedFiles", "strongroom_archive_damaged_files" + archive + " 0x5 2x5",
			[]at{{5 * time.Minute, nil}, {6 * time.Minute, []string{"orders: 2 log files of the database are damaged"}}},
		},
		"damaged archive": {
			"StrongroomVerificationProblems", "strongroom_archive_verification_problems" + archive + " 0x5 2x5",
			[]at{{5 * time.Minute, nil}, {6 * time.Minute, []string{"orders: the archive is damaged"}}},
		},
		"verified long ago": {
			"StrongroomVerificationOld", "strongroom_archive_last_verification_timestamp_seconds" + archive + " 0x6000\n" +
				`strongroom_archive_task_interval_seconds{job="strongroom", instance="db-1:8470", archive="orders", task="verify"} 86400x6000`,
			[]at{{72 * time.Hour, nil}, {74 * time.Hour, []string{"orders: not verified for 3d 2h 0m 0s"}}},
		},
		"verified every week": {
			"StrongroomVerificationOld", "strongroom_archive_last_verification_timestamp_seconds" + archive + " 0x10000\n" +
				`strongroom_archive_task_interval_seconds{job="strongroom", instance="db-1:8470", archive="orders", task="verify"} 604800x10000`,
			[]at{{150 * time.Hour, nil}},
		},
		"the end of the log is left out": {
			"StrongroomTailLeftOut", "strongroom_archive_tail_left_out_files" + archive + " 1x10 0x5 2x100",
			[]at{{10 * time.Minute, nil}, {90 * time.Minute, []string{"orders: 2 log files at the end are not archived"}}},
		},
		"a reload was refused": {
			"StrongroomReloadFailed", `strongroom_config_last_reload_successful{job="strongroom", instance="db-1:8470"} 1x5 0x20`,
			[]at{{8 * time.Minute, nil}, {15 * time.Minute, []string{"strongroom on db-1:8470 has refused a configuration"}}},
		},
		"one delivery fails": {
			"StrongroomNotificationsFail", "strongroom_archive_notification_failures_total" + archive + " 0x5 1x100",
			[]at{{90 * time.Minute, nil}},
		},
		"no delivery succeeds": {
			"StrongroomNotificationsFail", "strongroom_archive_notification_failures_total" + archive + " 0+1x200",
			[]at{{20 * time.Minute, nil}, {90 * time.Minute, []string{"strongroom on db-1:8470 does not deliver notifications"}}},
		},
		"no delivery succeeds, for two archives": {
			"StrongroomNotificationsFail", "strongroom_archive_notification_failures_total" + archive + " 0+1x200\n" +
				`strongroom_archive_notification_failures_total{job="strongroom", instance="db-1:8470", archive="users"} 0+1x200`,
			[]at{{90 * time.Minute, []string{"strongroom on db-1:8470 does not deliver notifications"}}},
		},
		"never verified": {
			"StrongroomNeverVerified", "strongroom_archive_recoverable_through_timestamp_seconds" + archive + " 0x6000",
			[]at{{71 * time.Hour, nil}, {73 * time.Hour, []string{"orders: was never verified"}}},
		},
		"never verified, and a scrape fails": {
			"StrongroomNeverVerified", "strongroom_archive_recoverable_through_timestamp_seconds" + archive + " 0x3000 stale 0x3000",
			[]at{{71 * time.Hour, nil}, {73 * time.Hour, []string{"orders: was never verified"}}},
		},
		"a prune fails for a while, then for good": {
			"StrongroomTaskFailing", `strongroom_archive_task_failures_in_row{job="strongroom", instance="db-1:8470", archive="orders", task="prune"} 0x5 1x30 0x5 1+1x200` + "\n" +
				`strongroom_archive_task_overdue{job="strongroom", instance="db-1:8470", archive="orders", task="prune"} 0x300`,
			[]at{{30 * time.Minute, nil}, {80 * time.Minute, nil}, {2 * time.Hour, []string{"orders: prune fails or is overdue"}}},
		},
		"a verification hangs": {
			"StrongroomTaskFailing", `strongroom_archive_task_failures_in_row{job="strongroom", instance="db-1:8470", archive="orders", task="verify"} 0x300` + "\n" +
				`strongroom_archive_task_overdue{job="strongroom", instance="db-1:8470", archive="orders", task="verify"} 0x5 1x300`,
			[]at{{30 * time.Minute, nil}, {2 * time.Hour, []string{"orders: verify fails or is overdue"}}},
		},
		"a run hangs, and what waits is unknown": {
			"StrongroomRecoveryPointOld", `strongroom_archive_recoverable_through_timestamp_seconds` + archive + ` 0x2000` + "\n" +
				`strongroom_archive_overdue` + archive + ` 1x2000`,
			[]at{{24 * time.Hour, nil}, {26 * time.Hour, []string{"orders: data of the last 1d 2h 0m 0s would be lost with the host"}}},
		},
		"a drill failed": {
			"StrongroomDrillFailed", "strongroom_archive_last_drill_timestamp_seconds" + archive + " 100x5 500x5\n" +
				"strongroom_archive_proven_restore_timestamp_seconds" + archive + " 100x10",
			[]at{{5 * time.Minute, nil}, {7 * time.Minute, []string{"orders: the last drill failed"}}},
		},
		"no drill ever went well": {
			"StrongroomDrillFailed", "strongroom_archive_last_drill_timestamp_seconds" + archive + " 100x5",
			[]at{{5 * time.Minute, []string{"orders: the last drill failed"}}},
		},
		"the provider refuses": {
			"StrongroomProviderErrors",
			`strongroom_archive_provider_errors_total{job="strongroom", instance="db-1:8470", archive="orders", reason="throttled"} 0+3x200` + "\n" +
				`strongroom_archive_provider_requests_total{job="strongroom", instance="db-1:8470", archive="orders", operation="put"} 0+4x200` + "\n" +
				`strongroom_archive_provider_requests_total{job="strongroom", instance="db-1:8470", archive="orders", operation="get"} 0+8x200`,
			[]at{{20 * time.Minute, nil}, {60 * time.Minute, []string{"orders: 25% of the requests to the provider fail"}}},
		},
		"the provider refuses now and then": {
			"StrongroomProviderErrors",
			`strongroom_archive_provider_errors_total{job="strongroom", instance="db-1:8470", archive="orders", reason="throttled"} 0+1x200` + "\n" +
				`strongroom_archive_provider_requests_total{job="strongroom", instance="db-1:8470", archive="orders", operation="put"} 0+20x200`,
			[]at{{60 * time.Minute, nil}},
		},
	} {
		t.Run(name, func(t *testing.T) { tries(t, tt.alert, tt.series, tt.at) })
	}
}

// tries has Prometheus evaluate one rule every minute.
func tries(t *testing.T, alert, series string, moments []at) {
	all := load(t)
	i := slices.IndexFunc(all, func(r rulefmt.Rule) bool { return r.Alert == alert })
	if i < 0 {
		t.Fatalf("there is no alert %s", alert)
	}
	store := promqltest.LoadedStorage(t, "load 1m\n  "+strings.ReplaceAll(series, "\n", "\n  "))
	defer store.Close()
	query := rules.EngineQueryFunc(promqltest.NewTestEngine(t, false, 0, promqltest.DefaultMaxSamplesPerQuery), store)
	rule := rules.NewAlertingRule(alert, expression(t, all[i].Expr), time.Duration(all[i].For), 0,
		labels.FromMap(all[i].Labels), labels.FromMap(all[i].Annotations), labels.EmptyLabels(), "", true, slog.New(slog.DiscardHandler))
	now := time.Unix(0, 0)
	for _, m := range moments {
		for ; !now.After(time.Unix(0, 0).Add(m.when)); now = now.Add(time.Minute) {
			if _, err := rule.Eval(t.Context(), 0, now, query, nil, 0); err != nil {
				t.Fatal(err)
			}
		}
		var fire []string
		for _, a := range rule.ActiveAlerts() {
			if a.State == rules.StateFiring {
				fire = append(fire, a.Annotations.Get("summary"))
			}
		}
		if !slices.Equal(fire, m.want) {
			t.Errorf("after %s: %q, want %q", m.when, fire, m.want)
		}
	}
}

func expression(t *testing.T, text string) parser.Expr {
	t.Helper()
	e, err := parser.ParseExpr(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return e
}

// Each alert has a test above.
func TestEveryAlertIsTried(t *testing.T) {
	b, err := os.ReadFile("rules_test.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range load(t) {
		if !strings.Contains(string(b), "\t\t\t\""+r.Alert+"\",") {
			t.Errorf("%s is not tried", r.Alert)
		}
	}
}

// The dashboard's queries to Prometheus, with Grafana's variables replaced as Grafana does.
func TestDashboardQueries(t *testing.T) {
	b, err := os.ReadFile("../../deploy/grafana/strongroom.json")
	if err != nil {
		t.Fatal(err)
	}
	var dashboard any
	if err := json.Unmarshal(b, &dashboard); err != nil {
		t.Fatal(err)
	}
	variables := strings.NewReplacer("$__rate_interval", "5m", "$__range", "1h", "$archive", "orders", "$instance", "db-1:8470")
	asked := 0
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case []any:
			for _, e := range v {
				walk(e)
			}
		case map[string]any:
			if text, ok := v["expr"].(string); ok {
				asked++
				if text = variables.Replace(text); strings.Contains(text, "$") {
					t.Errorf("%s: a variable that is not there", text)
				}
				expression(t, text)
			}
			for _, e := range v {
				walk(e)
			}
		}
	}
	walk(dashboard)
	if asked == 0 {
		t.Error("the dashboard has no query")
	}
}
