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
# HELP strongroom_archive_provider_errors_total Requests to the provider that failed since the service started, by kind.
# TYPE strongroom_archive_provider_errors_total counter
strongroom_archive_provider_errors_total{archive="orders",kind="put"} 3
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
