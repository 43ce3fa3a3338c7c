package web

import (
	"log/slog"
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics serves a registry of its own.
func (s *Server) metrics() http.Handler {
	return promhttp.HandlerFor(s.registry(), promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(s.o.Log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: 4,
		Timeout:             backendTimeout,
	})
}

func (s *Server) registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newCollector(s.backend, s.o.Version),
	)
	return reg
}

// metric is one number of each archive.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*Archive) (v float64, ok bool) // not ok: there is none
}

// collector reads the backend's values at each scrape, so that there is no second copy
// that could differ.
type collector struct {
	backend Backend
	version string

	each     []metric
	build    *prometheus.Desc
	runs     *prometheus.Desc
	spent    *prometheus.Desc
	requests *prometheus.Desc
	errors   *prometheus.Desc
	tasks    taskMetrics
}

func desc(name, help string, more ...string) *prometheus.Desc {
	return prometheus.NewDesc("strongroom_archive_"+name, help, append([]string{"archive"}, more...), nil)
}

func gauge(name, help string, value func(*Archive) float64) metric {
	return metric{desc(name, help), prometheus.GaugeValue, func(a *Archive) (float64, bool) { return value(a), true }}
}

func counter(name, help string, value func(*Archive) int64) metric {
	return metric{desc(name, help), prometheus.CounterValue, func(a *Archive) (float64, bool) { return float64(value(a)), true }}
}

// moment is in seconds since 1970; there is none as long as it is not known.
func moment(name, help string, value func(*Archive) time.Time) metric {
	return metric{desc(name+"_timestamp_seconds", help), prometheus.GaugeValue, func(a *Archive) (float64, bool) {
		t := value(a)
		return float64(t.UnixMilli()) / 1000, !t.IsZero()
	}}
}

// verified is a number of the last verification; there is none before the first one.
func verified(name, help string, value func(Verification) float64) metric {
	return metric{desc("verification_"+name, help), prometheus.GaugeValue, func(a *Archive) (float64, bool) {
		return value(a.LastVerification), !a.LastVerification.At.IsZero()
	}}
}

// waits is a number of what waits to be archived; there is none where that is not known.
func waits(name, help string, value func(*Behind) int64) metric {
	return metric{desc("behind_"+name, help), prometheus.GaugeValue, func(a *Archive) (float64, bool) {
		if a.Behind == nil {
			return 0, false
		}
		return float64(value(a.Behind)), true
	}}
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// ratio is 1 where there is nothing to be covered.
func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

func newCollector(backend Backend, version string) *collector {
	return &collector{
		backend:  backend,
		version:  version,
		build:    prometheus.NewDesc("strongroom_build_info", "The version that runs; always 1.", []string{"version", "goversion"}, nil),
		runs:     desc("runs_total", "Runs that ended, by how.", "outcome"),
		spent:    desc("run_duration_seconds", "How long the runs took that ended since the start."),
		requests: desc("provider_requests_total", "Requests sent to the provider since the start, by kind.", "kind"),
		errors:   desc("provider_errors_total", "Requests to the provider that failed since the start, by kind.", "kind"),
		tasks:    newTaskMetrics(),
		each: []metric{
			gauge("running", "1 while a run goes on.", func(a *Archive) float64 { return truth(a.Running) }),
			gauge("waiting", "1 while a run that was asked for waits for the present one.", func(a *Archive) float64 { return truth(a.Waiting) }),
			gauge("overdue", "1 when a run should have ended well by now and did not.", func(a *Archive) float64 { return truth(a.Overdue) }),
			gauge("failures_in_row", "Runs that failed since the last one that ended well.", func(a *Archive) float64 { return float64(a.FailuresInRow) }),
			moment("running_since", "When the present run began.", func(a *Archive) time.Time { return a.RunningSince }),
			moment("last_success", "When a run last ended well.", func(a *Archive) time.Time { return a.LastSuccess }),
			moment("last_failure", "When a run last failed.", func(a *Archive) time.Time { return a.LastFailure.At }),
			moment("next_run", "When the next run begins.", func(a *Archive) time.Time { return a.NextRun }),
			moment("recoverable_through", "Up to when a restore is known to be possible.", func(a *Archive) time.Time { return a.RecoverableThrough.At }),
			gauge("recoverable_through_file_bytes", "Up to which byte of its newest file the log can be restored.", func(a *Archive) float64 { return float64(a.RecoverableThrough.Size) }),
			waits("files", "Files in the source that are not in the archive yet.", func(b *Behind) int64 { return b.Files }),
			waits("bytes", "Bytes in the source that are not in the archive yet.", func(b *Behind) int64 { return b.Bytes }),
			gauge("last_run_copied_files", "Files that the last run copied.", func(a *Archive) float64 { return float64(a.Last.Files) }),
			gauge("last_run_copied_bytes", "Bytes that the last run copied.", func(a *Archive) float64 { return float64(a.Last.Bytes) }),
			gauge("last_run_duration_seconds", "How long the last run took.", func(a *Archive) float64 { return float64(a.Last.Milliseconds) / 1000 }),
			counter("copied_files_total", "Files copied.", func(a *Archive) int64 { return a.Total.Files }),
			counter("copied_bytes_total", "Bytes copied.", func(a *Archive) int64 { return a.Total.Bytes }),
			{desc("run_seconds_total", "Time spent in runs."), prometheus.CounterValue, func(a *Archive) (float64, bool) { return float64(a.Total.Milliseconds) / 1000, true }},
			gauge("damaged_files", "Files of the newest snapshot that are known to be damaged.", func(a *Archive) float64 { return float64(len(a.Damaged)) }),
			moment("last_verification", "When the archive was last verified.", func(a *Archive) time.Time { return a.LastVerification.At }),
			verified("objects_ratio", "The part of all objects that the last verification looked at, 0 to 1.", func(v Verification) float64 { return ratio(v.Objects, v.ObjectsTotal) }),
			verified("read_ratio", "The part of all stored bytes that the last verification read and hashed, 0 to 1.", func(v Verification) float64 { return ratio(v.Bytes, v.BytesTotal) }),
			verified("read_ever_ratio", "The part of all stored bytes that was ever read back and found good, 0 to 1.", func(v Verification) float64 { return ratio(v.ReadBytes, v.BytesTotal) }),
			moment("read_since", "All that was ever read back was read back then or later.", func(a *Archive) time.Time { return a.LastVerification.ReadSince }),
			moment("last_drill", "When the last trial restore began.", func(a *Archive) time.Time { return a.LastDrill.At }),
			{desc("last_drill_duration_seconds", "How long the last trial restore took."), prometheus.GaugeValue, func(a *Archive) (float64, bool) { return a.LastDrill.Duration.Seconds(), !a.LastDrill.At.IsZero() }},
			moment("proven_restore", "When a trial restore last went well.", func(a *Archive) time.Time { return a.ProvenRestore }),
			{
				prometheus.NewDesc("strongroom_confirmation_needed",
					"Refusals of guards that wait until an operator accepts what was found.", []string{"archive"}, nil),
				prometheus.GaugeValue, func(a *Archive) (float64, bool) { return float64(a.unconfirmed()), true },
			},
			verified("problems", "What the last verification found wrong.", func(v Verification) float64 { return float64(v.Problems) }),
		},
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.each {
		ch <- m.desc
	}
	for _, d := range []*prometheus.Desc{c.build, c.runs, c.spent, c.requests, c.errors} {
		ch <- d
	}
	c.tasks.describe(ch)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(c.build, prometheus.GaugeValue, 1, label(c.version), runtime.Version())
	for _, a := range c.backend.Archives() {
		c.collect(ch, &a)
	}
}

func (c *collector) collect(ch chan<- prometheus.Metric, a *Archive) {
	name := label(a.Name)
	for _, m := range c.each {
		if v, ok := m.value(a); ok {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, v, name)
		}
	}
	for outcome, n := range map[Outcome]int64{Made: a.Runs.Made, Unchanged: a.Runs.Unchanged, Failed: a.Runs.Failed} {
		ch <- prometheus.MustNewConstMetric(c.runs, prometheus.CounterValue, float64(n), name, string(outcome))
	}
	ch <- histogram(c.spent, &a.Spent, name)
	for i := range a.Tasks {
		c.tasks.collect(ch, &a.Tasks[i], name)
	}
	for kind, n := range a.ProviderRequests {
		ch <- prometheus.MustNewConstMetric(c.requests, prometheus.CounterValue, float64(n), name, label(kind))
	}
	for kind, n := range a.ProviderErrors {
		ch <- prometheus.MustNewConstMetric(c.errors, prometheus.CounterValue, float64(n), name, label(kind))
	}
}

// histogram counts cumulatively, as Prometheus has it.
func histogram(d *prometheus.Desc, h *Histogram, labels ...string) prometheus.Metric {
	buckets, below := map[float64]uint64{}, uint64(0)
	for i, bound := range DurationBounds {
		below += h.Buckets[i]
		buckets[bound] = below
	}
	return prometheus.MustNewConstHistogram(d, h.Count, h.Sum.Seconds(), buckets, labels...)
}

// label is a value that Prometheus takes: valid UTF-8.
func label(s string) string { return clean(s) }
