package web

import (
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestMetricsFollowTheConventions(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	for state, a := range states() {
		a.Name = string(state)
		f.archives = append(f.archives, a)
	}
	reg := newServer(t, f, "").registry()
	problems, err := testutil.GatherAndLint(reg)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	if n, err := testutil.GatherAndCount(reg, "strongroom_archive_overdue"); err != nil || n != len(f.archives) {
		t.Errorf("%d archives of %d: %v", n, len(f.archives), err)
	}
}

func TestMetricsAreTheBackendsValues(t *testing.T) {
	t.Parallel()
	f := filled(states()[StateFailing])
	reg := newServer(t, f, "").registry()
	want := `
# HELP strongroom_archive_copied_bytes_total Bytes copied.
# TYPE strongroom_archive_copied_bytes_total counter
strongroom_archive_copied_bytes_total{archive="orders"} 2.2548578304e+10
# HELP strongroom_archive_failures_in_row Failed runs since the last success.
# TYPE strongroom_archive_failures_in_row gauge
strongroom_archive_failures_in_row{archive="orders"} 3
# HELP strongroom_archive_last_success_timestamp_seconds When a run last succeeded.
# TYPE strongroom_archive_last_success_timestamp_seconds gauge
strongroom_archive_last_success_timestamp_seconds{archive="orders"} 1.79534973e+09
# HELP strongroom_archive_provider_errors_total Requests to the provider that failed since the service started, by reason.
# TYPE strongroom_archive_provider_errors_total counter
strongroom_archive_provider_errors_total{archive="orders",reason="put"} 3
# HELP strongroom_archive_runs_total Runs that ended, by outcome.
# TYPE strongroom_archive_runs_total counter
strongroom_archive_runs_total{archive="orders",outcome="failed"} 3
strongroom_archive_runs_total{archive="orders",outcome="made"} 41
strongroom_archive_runs_total{archive="orders",outcome="unchanged"} 4
`
	names := []string{
		"strongroom_archive_copied_bytes_total", "strongroom_archive_failures_in_row", "strongroom_archive_last_success_timestamp_seconds",
		"strongroom_archive_provider_errors_total", "strongroom_archive_runs_total",
	}
	if err := testutil.GatherAndCompare(reg, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
	// Unknown times have no series, rather than a time in 1970.
	f.set(states()[StateEmpty])
	if n, err := testutil.GatherAndCount(reg, "strongroom_archive_last_success_timestamp_seconds", "strongroom_archive_verification_problems"); err != nil || n != 0 {
		t.Errorf("%d metrics of what never was: %v", n, err)
	}
}

func TestMetricsOverHTTP(t *testing.T) {
	t.Parallel()
	body := get(t, newServer(t, filled(well("orders")), ""), "/metrics")
	for _, want := range []string{
		`strongroom_build_info{goversion="go`, `strongroom_archive_run_duration_seconds_bucket{archive="orders",le="+Inf"} 48`,
		"strongroom_archive_run_duration_seconds_sum", "process_resident_memory_bytes", "go_goroutines",
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
}

func TestHistogramIsCumulative(t *testing.T) {
	t.Parallel()
	a := well("orders")
	body := get(t, newServer(t, filled(a), ""), "/metrics")
	var under1, under5 int
	for _, r := range a.History {
		if r.Duration.Seconds() <= 1 {
			under1++
		}
		if r.Duration.Seconds() <= 5 {
			under5++
		}
	}
	for bound, n := range map[string]int{"1": under1, "5": under5} {
		want := `bucket{archive="orders",le="` + bound + `"} ` + number(int64(n))
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
}

// What waits has an age; where nothing waits, an old snapshot is no lag.
func TestLag(t *testing.T) {
	t.Parallel()
	for want, change := range map[string]func(*Archive){
		"strongroom_archive_lag_seconds{archive=\"orders\"} 250\n": func(*Archive) {},
		"strongroom_archive_lag_seconds{archive=\"orders\"} 0\n":   func(a *Archive) { a.Behind = &Behind{} },
		"": func(a *Archive) { a.Behind = nil },
	} {
		a := well("orders")
		change(&a)
		text := ""
		if want != "" {
			text = "# HELP strongroom_archive_lag_seconds Time since the newest snapshot if the source has something newer; " +
				"0 if nothing waits. It is absent if that is unknown.\n# TYPE strongroom_archive_lag_seconds gauge\n" + want
		}
		reg := newServer(t, filled(a), "").registry()
		if err := testutil.GatherAndCompare(reg, strings.NewReader(text), "strongroom_archive_lag_seconds"); err != nil {
			t.Error(err)
		}
	}
}

// serving is a backend that has the state of the service.
type serving struct{ *fake }

func (serving) Service() Service {
	return Service{ConfigRead: noon, ReloadFailed: true, StateFailed: 3, Slots: 8, SlotsInUse: 5, SlotsWaiting: 2}
}

// A refused reload is seen only here: the service continues with the previous configuration.
func TestServiceMetrics(t *testing.T) {
	t.Parallel()
	a := well("orders")
	a.Newest, a.Kept = Contents{7, 700, 70}, &Kept{Snapshots: 41, Oldest: noon}
	a.TailLeftOut, a.PrunedBytes, a.ReadBackBytes, a.NotifyFailed = 1, 2, 3, 4
	a.LastDrill = Drill{At: noon, Error: "no"}
	body := get(t, newServer(t, serving{filled(a)}, ""), "/metrics")
	for _, want := range []string{
		"strongroom_config_last_reload_successful 0", "strongroom_config_last_reload_success_timestamp_seconds 1.7953", "strongroom_state_write_failures_total 3",
		"strongroom_transfer_slots 8", "strongroom_transfer_slots_in_use 5", "strongroom_transfer_slots_waiting 2",
		`_snapshots{archive="orders"} 41`, `_oldest_snapshot_timestamp_seconds{archive="orders"} 1.7953`, `_newest_snapshot_files{archive="orders"} 7`,
		`_newest_snapshot_bytes{archive="orders"} 700`, `_newest_snapshot_stored_bytes{archive="orders"} 70`, `_stored_bytes{archive="orders"} 2.147483648e+10`,
		`_tail_left_out_files{archive="orders"} 1`, `_pruned_bytes_total{archive="orders"} 2`, `_read_back_bytes_total{archive="orders"} 3`,
		`_notification_failures_total{archive="orders"} 4`, `_last_drill_successful{archive="orders"} 0`, `strongroom_archive_info{archive="orders",destination="s3://`,
		`_provider_requests_total{archive="orders",operation="get"} 310`, `_provider_errors_total{archive="orders",reason="put"} 3`,
	} {
		if !strings.Contains(body, want) {
			t.Errorf("no %s", want)
		}
	}
	for _, gone := range []string{"objects_ratio", "run_seconds_total", "kind="} {
		if strings.Contains(body, gone) {
			t.Errorf("%s is there", gone)
		}
	}
	if problems, err := testutil.GatherAndLint(newServer(t, serving{filled(a)}, "").registry()); err != nil || len(problems) > 0 {
		t.Errorf("%v, %v", problems, err)
	}
}
