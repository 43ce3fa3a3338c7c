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

// metrics serves a separate registry.
func (s *Server) metrics() http.Handler {
	return &sharedAnswers{handler: promhttp.HandlerFor(s.registry(), promhttp.HandlerOpts{
		ErrorLog:            slog.NewLogLogger(s.o.Log.Handler(), slog.LevelWarn),
		MaxRequestsInFlight: 4,
		Timeout:             backendTimeout,
	})}
}

func (s *Server) registry() *prometheus.Registry {
	reg := prometheus.NewRegistry()
	reg.MustRegister(
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
		newCollector(s.backend, s.o.Version, s.o.Now),
	)
	return reg
}

// metric is one metric of each archive.
type metric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*Archive) (v float64, ok bool) // ok is false if the archive has no value
}

// collector reads the backend's values at each scrape, so no second copy can differ.
type collector struct {
	backend Backend
	version string

	each     []metric
	build    *prometheus.Desc
	runs     *prometheus.Desc
	spent    *prometheus.Desc
	requests *prometheus.Desc
	errors   *prometheus.Desc
	info     *prometheus.Desc
	tasks    taskMetrics
	service  []serviceMetric
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

// moment is a time in seconds since 1970. It is absent while the time is unknown.
func moment(name, help string, value func(*Archive) time.Time) metric {
	return metric{desc(name+"_timestamp_seconds", help), prometheus.GaugeValue, func(a *Archive) (float64, bool) {
		t := value(a)
		return float64(t.UnixMilli()) / 1000, !t.IsZero()
	}}
}

// verified is a metric of the last verification. It is absent before the first one.
func verified(name, help string, value func(Verification) float64) metric {
	return metric{desc("verification_"+name, help), prometheus.GaugeValue, func(a *Archive) (float64, bool) {
		return value(a.LastVerification), !a.LastVerification.At.IsZero()
	}}
}

// waits is a metric of the data that is not archived yet. It is absent while that is unknown.
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

// ratio is 1 if whole is 0: there is nothing to cover.
func ratio(part, whole int64) float64 {
	if whole == 0 {
		return 1
	}
	return float64(part) / float64(whole)
}

func newCollector(backend Backend, version string, now func() time.Time) *collector {
	return &collector{
		backend: backend,
		version: version,
		build: prometheus.NewDesc("strongroom_build_info", "The running version; always 1.",
			[]string{"version", "goversion"}, nil),
		runs:  desc("runs_total", "Runs that ended, by outcome.", "outcome"),
		spent: desc("run_duration_seconds", "Durations of the runs that ended since the service started."),
		requests: desc("provider_requests_total",
			"Requests sent to the provider since the service started, by operation.", "operation"),
		errors: desc("provider_errors_total",
			"Requests to the provider that failed since the service started, by reason.", "reason"),
		info:    desc("info", "What is configured; always 1.", "destination", "layout", "schedule"),
		tasks:   newTaskMetrics(),
		service: serviceMetrics(),
		each: append(stockMetrics(),

			gauge("running", "1 while a run is in progress.", func(a *Archive) float64 { return truth(a.Running) }),
			gauge("waiting", "1 while a run waits for the present run, or for those of other archives, to end.",
				func(a *Archive) float64 { return truth(a.Waiting) }),
			gauge("paused", "1 while an operator has paused the archive, so that no run begins.",
				func(a *Archive) float64 { return truth(!a.Paused.Since.IsZero()) }),
			moment("paused_since", "When the archive was paused. It is absent if it is not paused.",
				func(a *Archive) time.Time { return a.Paused.Since }),
			gauge("overdue", "1 if no run has succeeded by its deadline.",
				func(a *Archive) float64 { return truth(a.Overdue) }),
			gauge("failures_in_row", "Failed runs since the last success.",
				func(a *Archive) float64 { return float64(a.FailuresInRow) }),
			moment("running_since", "When the present run began.",
				func(a *Archive) time.Time { return a.RunningSince }),
			moment("last_success", "When a run last succeeded.", func(a *Archive) time.Time { return a.LastSuccess }),
			moment("last_failure", "When a run last failed.", func(a *Archive) time.Time { return a.LastFailure.At }),
			moment("next_run", "When the next run begins.", func(a *Archive) time.Time { return a.NextRun }),
			moment("recoverable_through", "The time up to which a restore is known to be possible.",
				func(a *Archive) time.Time { return a.RecoverableThrough.At }),
			gauge("recoverable_through_file_bytes", "The bytes of the newest log file that a restore is known to recover.",
				func(a *Archive) float64 { return float64(a.RecoverableThrough.Size) }),
			lag(now),
			waits("files", "Files in the source that are not in the archive yet.",
				func(b *Behind) int64 { return b.Files }),
			waits("bytes", "Bytes in the source that are not in the archive yet.",
				func(b *Behind) int64 { return b.Bytes }),
			gauge("last_run_copied_files", "Files that the last run copied.",
				func(a *Archive) float64 { return float64(a.Last.Files) }),
			gauge("last_run_copied_bytes", "Bytes that the last run copied.",
				func(a *Archive) float64 { return float64(a.Last.Bytes) }),
			gauge("last_run_duration_seconds", "How long the last run took.",
				func(a *Archive) float64 { return float64(a.Last.Milliseconds) / 1000 }),
			counter("copied_files_total", "Files copied.", func(a *Archive) int64 { return a.Total.Files }),
			counter("copied_bytes_total", "Bytes copied.", func(a *Archive) int64 { return a.Total.Bytes }),
			gauge("damaged_files", "Files of the newest snapshot that are known to be damaged.",
				func(a *Archive) float64 { return float64(len(a.Damaged)) }),
			gauge("left_out_files", "Files of the source that match the layout and that the last run did not archive.",
				func(a *Archive) float64 { return float64(a.LeftOut.Files) }),
			moment("last_verification", "When the archive was last verified.",
				func(a *Archive) time.Time { return a.LastVerification.At }),
			metric{
				desc("verification_read_ratio", "The part of all stored bytes that the last verification read and hashed, 0 to 1. "+
					"It is absent if that is unknown, as of a verify by hand."), prometheus.GaugeValue,
				func(a *Archive) (float64, bool) {
					v := a.LastVerification
					return ratio(v.Bytes, v.BytesTotal), !v.At.IsZero() && v.PlainBytes == 0
				},
			},
			verified("read_ever_ratio", "The part of all stored bytes that was ever read back and found good, 0 to 1.",
				func(v Verification) float64 { return ratio(v.ReadBytes, v.readTotal()) }),
			moment("read_since", "The oldest read of all data that was ever read back.",
				func(a *Archive) time.Time { return a.LastVerification.ReadSince }),
			moment("last_drill", "When the last test restore began.",
				func(a *Archive) time.Time { return a.LastDrill.At }),
			metric{
				desc("last_drill_successful", "1 if the last test restore succeeded."), prometheus.GaugeValue,
				func(a *Archive) (float64, bool) { return truth(a.LastDrill.Error == ""), !a.LastDrill.At.IsZero() },
			},
			metric{
				desc("last_drill_duration_seconds", "How long the last test restore took."), prometheus.GaugeValue,
				func(a *Archive) (float64, bool) { return a.LastDrill.Duration.Seconds(), !a.LastDrill.At.IsZero() },
			},
			moment("proven_restore", "When a test restore last succeeded.",
				func(a *Archive) time.Time { return a.ProvenRestore }),
			metric{
				prometheus.NewDesc("strongroom_confirmation_needed",
					"Refusals by guards that wait for an operator to accept the finding.", []string{"archive"}, nil),
				prometheus.GaugeValue, func(a *Archive) (float64, bool) { return float64(a.unconfirmed()), true },
			},
			verified("problems", "Problems that the last verification found.",
				func(v Verification) float64 { return float64(v.Problems) }),
		),
	}
}

// Describe implements prometheus.Collector.
func (c *collector) Describe(ch chan<- *prometheus.Desc) {
	for _, m := range c.each {
		ch <- m.desc
	}
	for _, m := range c.service {
		ch <- m.desc
	}
	for _, d := range []*prometheus.Desc{c.build, c.runs, c.spent, c.requests, c.errors, c.info} {
		ch <- d
	}
	c.tasks.describe(ch)
}

// Collect implements prometheus.Collector.
func (c *collector) Collect(ch chan<- prometheus.Metric) {
	ch <- prometheus.MustNewConstMetric(c.build, prometheus.GaugeValue, 1, label(c.version), runtime.Version())
	if b, ok := c.backend.(ServiceBackend); ok {
		state := b.Service()
		for _, m := range c.service {
			ch <- prometheus.MustNewConstMetric(m.desc, m.kind, m.value(&state))
		}
	}
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
	ch <- prometheus.MustNewConstMetric(c.info, prometheus.GaugeValue, 1, name, label(a.Destination), label(a.Layout), label(a.Schedule))
	for i := range a.Tasks {
		c.tasks.collect(ch, &a.Tasks[i], name)
	}
	for operation, n := range a.ProviderRequests {
		ch <- prometheus.MustNewConstMetric(c.requests, prometheus.CounterValue, float64(n), name, label(operation))
	}
	for reason, n := range a.ProviderErrors {
		ch <- prometheus.MustNewConstMetric(c.errors, prometheus.CounterValue, float64(n), name, label(reason))
	}
}

// histogram returns cumulative counts, as Prometheus requires.
func histogram(d *prometheus.Desc, h *Histogram, labels ...string) prometheus.Metric {
	buckets, below := map[float64]uint64{}, uint64(0)
	for i, bound := range DurationBounds {
		below += h.Buckets[i]
		buckets[bound] = below
	}
	return prometheus.MustNewConstHistogram(d, h.Count, h.Sum.Seconds(), buckets, labels...)
}

// label makes a value valid for Prometheus, which requires UTF-8.
func label(s string) string { return clean(s) }
