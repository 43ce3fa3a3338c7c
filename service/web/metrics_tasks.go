package web

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// taskMetrics are the metrics of each task of each archive.
type taskMetrics struct {
	running, failures, overdue, success, failure, next, interval *prometheus.Desc
	ended, spent                                                 *prometheus.Desc
}

func newTaskMetrics() taskMetrics {
	of := func(name, help string, more ...string) *prometheus.Desc {
		return desc("task_"+name, help, append([]string{"task"}, more...)...)
	}
	return taskMetrics{
		running:  of("running", "1 while the task (verify, drill, prune) is running."),
		failures: of("failures_in_row", "Runs in a row in which the task could not be done, since its last success."),
		overdue:  of("overdue", "1 if the task has not succeeded by its deadline."),
		success:  of("last_success_timestamp_seconds", "When the task last succeeded."),
		failure:  of("last_failure_timestamp_seconds", "When the task last could not be done."),
		next:     of("next_run_timestamp_seconds", "When the task's next run begins."),
		interval: of("interval_seconds", "The longest time between two scheduled runs of the task."),
		ended:    of("runs_total", "Runs of the task that ended, by outcome.", "outcome"),
		spent:    of("duration_seconds", "Durations of the task's runs that ended since the service started."),
	}
}

func (m *taskMetrics) describe(ch chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{m.running, m.failures, m.overdue, m.success, m.failure, m.next, m.interval, m.ended, m.spent} {
		ch <- d
	}
}

func (m *taskMetrics) collect(ch chan<- prometheus.Metric, t *Task, archive string) {
	gauge := func(d *prometheus.Desc, v float64) {
		ch <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, archive, label(t.Name))
	}
	moment := func(d *prometheus.Desc, at time.Time) {
		if !at.IsZero() {
			gauge(d, float64(at.UnixMilli())/1000)
		}
	}
	gauge(m.running, truth(t.Running))
	gauge(m.failures, float64(t.FailuresInRow))
	gauge(m.overdue, truth(t.Overdue))
	moment(m.success, t.LastSuccess)
	moment(m.failure, t.LastFailure.At)
	moment(m.next, t.NextRun)
	if t.Interval > 0 {
		gauge(m.interval, t.Interval.Seconds())
	}
	for outcome, n := range map[string]int64{"done": t.Done, "failed": t.Failed} {
		ch <- prometheus.MustNewConstMetric(m.ended, prometheus.CounterValue, float64(n), archive, label(t.Name), outcome)
	}
	ch <- histogram(m.spent, &t.Spent, archive, label(t.Name))
}
