package deploy

import (
	"context"
	"encoding/json"
	"net/http/httptest"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/strongroom-dev/strongroom/service/web"
)

// one is a service with an archive whose metrics are all known.
type one struct{}

func (one) Archives() []web.Archive {
	now := time.Now()
	return []web.Archive{{
		Name: "orders", Running: true, RunningSince: now, LastSuccess: now, LastFailure: web.Failure{At: now}, NextRun: now,
		RecoverableThrough: web.Point{At: now}, LastVerification: web.Verification{At: now, ReadSince: now}, LastDrill: web.Drill{At: now}, ProvenRestore: now,
		Paused: web.Pause{Since: now},
		Kept:   &web.Kept{Snapshots: 1, Oldest: now},
		Behind: &web.Behind{}, Tasks: []web.Task{{Name: "verify", Interval: time.Hour, LastSuccess: now, LastFailure: web.Failure{At: now}, NextRun: now}},
		ProviderRequests: map[string]int64{"put": 1}, ProviderErrors: map[string]int64{"put": 1},
	}}
}

func (one) Service() web.Service { return web.Service{} }

func (one) Snapshots(context.Context, string) ([]web.Snapshot, error) { return nil, web.ErrNotFound }

func (o one) Archive(string) (web.Archive, error) { return o.Archives()[0], nil }

func (one) Snapshot(context.Context, string, int64, web.Range) (web.SnapshotFiles, error) {
	return web.SnapshotFiles{}, web.ErrNotFound
}

func (one) Diff(context.Context, string, int64, int64, int) (web.Diff, error) {
	return web.Diff{}, web.ErrNotFound
}

func (one) Trigger(string, string) (string, error) { return "", web.ErrNotFound }

func (one) Pause(string, web.Pause) (web.Pause, error) { return web.Pause{}, web.ErrNotFound }

func (one) Resume(string) error { return web.ErrNotFound }

func (one) Confirm(string, string) (string, error) { return "", web.ErrNotFound }

// exported are the names of the series that the service exports.
func exported(t *testing.T) map[string]bool {
	t.Helper()
	s, err := web.New(one{}, web.Options{Listen: "127.0.0.1:0", Version: "test"})
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequest("GET", "http://127.0.0.1/metrics", nil)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	names := map[string]bool{}
	for line := range strings.Lines(w.Body.String()) {
		if name, _, ok := strings.Cut(line, " "); ok && name != "#" {
			name, _, _ = strings.Cut(name, "{")
			names[name] = true
		}
	}
	if w.Code != 200 || len(names) < 20 {
		t.Fatalf("%d: %s", w.Code, w.Body)
	}
	return names
}

var metricName = regexp.MustCompile(`\b(strongroom|process|go)_[a-z_]+\b|\bup\b`)

// metrics are the names of the series in a file.
func metrics(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return metricName.FindAllString(string(b), -1)
}

const (
	rulesFile     = "prometheus/strongroom.rules.yml"
	dashboardFile = "grafana/strongroom.json"
)

// A dashboard or an alert that queries a series that is not exported shows nothing, for ever.
func TestMetricsAreExported(t *testing.T) {
	t.Parallel()
	known := exported(t)
	known["up"] = true // Prometheus' own
	for _, path := range []string{rulesFile, dashboardFile} {
		for _, name := range metrics(t, path) {
			if !known[name] {
				t.Errorf("%s: the service does not export %s", path, name)
			}
		}
	}
}

// leftOut are the series that the dashboard does not show, and why.
var leftOut = map[string]string{
	"strongroom_archive_recoverable_through_file_bytes":  "the status page shows it with the file's name",
	"strongroom_archive_running_since_timestamp_seconds": "the panel on running operations shows it",
	"strongroom_archive_paused_since_timestamp_seconds":  "the status page shows it with the reason",
	"strongroom_archive_run_duration_seconds_count":      "the same as strongroom_archive_runs_total",
	"strongroom_archive_info":                            "for joins with other series",
	"strongroom_archive_task_duration_seconds_count":     "the same as strongroom_archive_task_runs_total",
	"strongroom_archive_task_duration_seconds_sum":       "the buckets show more",
}

func TestDashboardShowsEveryMetric(t *testing.T) {
	t.Parallel()
	shown := metrics(t, dashboardFile)
	for name := range exported(t) {
		if strings.HasPrefix(name, "strongroom_") && slices.Contains(shown, name) == (leftOut[name] != "") {
			t.Errorf("%s: on the dashboard: %v; left out on purpose: %v", name, slices.Contains(shown, name), leftOut[name] != "")
		}
	}
	for name := range leftOut {
		if !exported(t)[name] {
			t.Errorf("%s is left out and not there", name)
		}
	}
}

// Panels lie side by side on Grafana's grid of 24 columns, and each has a title, a query
// and an id of its own.
func TestDashboardPanels(t *testing.T) {
	t.Parallel()
	b, err := os.ReadFile(dashboardFile)
	if err != nil {
		t.Fatal(err)
	}
	var d struct {
		UID, Title    string
		SchemaVersion int
		Panels        []struct {
			ID          int
			Title, Type string
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct{ Expr, RefID string }
		}
		Templating struct{ List []struct{ Name string } }
	}
	if err := json.Unmarshal(b, &d); err != nil {
		t.Fatal(err)
	}
	if d.UID == "" || d.Title == "" || d.SchemaVersion == 0 || len(d.Panels) < 20 || len(d.Templating.List) != 3 {
		t.Errorf("%q %q has %d panels and %d variables", d.UID, d.Title, len(d.Panels), len(d.Templating.List))
	}
	ids, taken := map[int]bool{}, map[[2]int]string{}
	for _, p := range d.Panels {
		if ids[p.ID] || p.Title == "" {
			t.Errorf("%d %q: twice, or without a title", p.ID, p.Title)
		}
		ids[p.ID] = true
		if p.Type != "row" && (len(p.Targets) == 0 || p.Targets[0].Expr == "") {
			t.Errorf("%s queries nothing", p.Title)
		}
		g := p.GridPos
		if g.W < 1 || g.H < 1 || g.X < 0 || g.X+g.W > 24 {
			t.Errorf("%s lies at %+v", p.Title, g)
		}
		for x := g.X; x < g.X+g.W; x++ {
			for y := g.Y; y < g.Y+g.H; y++ {
				if under := taken[[2]int{x, y}]; under != "" {
					t.Fatalf("%s lies on %s", p.Title, under)
				}
				taken[[2]int{x, y}] = p.Title
			}
		}
	}
}

// An operator who is woken by an alert finds a section with the remedy.
func TestRunbook(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../docs/alerts.md")
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(rulesFile)
	if err != nil {
		t.Fatal(err)
	}
	var file struct {
		Groups []struct {
			Rules []struct {
				Alert       string
				Annotations map[string]string
				Labels      map[string]string
			}
		}
	}
	if err := yaml.Unmarshal(b, &file); err != nil {
		t.Fatal(err)
	}
	if len(file.Groups) != 1 || len(file.Groups[0].Rules) == 0 {
		t.Fatalf("%s has %d groups", rulesFile, len(file.Groups))
	}
	for _, r := range file.Groups[0].Rules {
		if !strings.Contains(string(page), "\n### "+r.Alert+"\n") {
			t.Errorf("docs/alerts.md has no section %s", r.Alert)
		}
		want := "https://github.com/strongroom-dev/strongroom/blob/main/docs/alerts.md#" + strings.ToLower(r.Alert)
		if r.Annotations["runbook_url"] != want {
			t.Errorf("%s leads to %s, want %s", r.Alert, r.Annotations["runbook_url"], want)
		}
		if r.Annotations["summary"] == "" || r.Annotations["description"] == "" || !slices.Contains([]string{"warning", "critical"}, r.Labels["severity"]) {
			t.Errorf("%s lacks a summary, a description or a severity", r.Alert)
		}
	}
}
