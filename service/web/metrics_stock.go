package web

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// stockMetrics are about what an archive has, and what is done with it.
func stockMetrics() []metric {
	newest := func(name, help string, value func(Contents) int64) metric {
		return metric{desc("newest_snapshot_"+name, help), prometheus.GaugeValue, func(a *Archive) (float64, bool) {
			return float64(value(a.Newest)), !a.RecoverableThrough.At.IsZero()
		}}
	}
	return []metric{
		{
			desc("snapshots", "Snapshots in the archive. It is absent until a prune, a verification or a listing has counted them."),
			prometheus.GaugeValue,
			func(a *Archive) (float64, bool) {
				if a.Kept == nil {
					return 0, false
				}
				return float64(a.Kept.Snapshots), true
			},
		},
		moment("oldest_snapshot", "When the oldest snapshot was made.", func(a *Archive) time.Time {
			if a.Kept == nil {
				return time.Time{}
			}
			return a.Kept.Oldest
		}),
		newest("files", "Files of the newest snapshot.", func(c Contents) int64 { return c.Files }),
		newest("bytes", "Bytes of the newest snapshot, before compression and encryption.",
			func(c Contents) int64 { return c.Bytes }),
		newest("stored_bytes", "Stored bytes that the newest snapshot needs.",
			func(c Contents) int64 { return c.StoredBytes }),
		{
			desc("stored_bytes", "Stored bytes that all snapshots need, at the last verification."), prometheus.GaugeValue,
			func(a *Archive) (float64, bool) {
				return float64(a.LastVerification.BytesTotal), !a.LastVerification.At.IsZero()
			},
		},
		gauge("tail_left_out_files", "Log files at the end of the source that the last run did not archive, since they "+
			"have no valid entry.", func(a *Archive) float64 { return float64(a.TailLeftOut) }),
		counter("pruned_bytes_total", "Stored bytes that prunes deleted since the service started.",
			func(a *Archive) int64 { return a.PrunedBytes }),
		counter("read_back_bytes_total", "Stored bytes that verifications read back since the service started.",
			func(a *Archive) int64 { return a.ReadBackBytes }),
		counter("notification_failures_total", "Attempts to deliver a notification that failed since the service started; an attempt for several archives counts for each.",
			func(a *Archive) int64 { return a.NotifyFailed }),
	}
}

// lag is the age of what waits. Unlike the age of the newest snapshot it is 0 where nothing waits.
func lag(now func() time.Time) metric {
	const help = "Time since the newest snapshot if the source has something newer; 0 if nothing waits. " +
		"It is absent if that is unknown."
	return metric{desc("lag_seconds", help), prometheus.GaugeValue, func(a *Archive) (float64, bool) {
		at := a.RecoverableThrough.At
		switch {
		case a.Behind == nil || at.IsZero():
			return 0, false
		case *a.Behind == Behind{}:
			return 0, true
		}
		return max(0, now().Sub(at).Seconds()), true
	}}
}

// serviceMetric is one metric of the service itself.
type serviceMetric struct {
	desc  *prometheus.Desc
	kind  prometheus.ValueType
	value func(*Service) float64
}

func serviceMetrics() []serviceMetric {
	of := func(name, help string, kind prometheus.ValueType, value func(*Service) float64) serviceMetric {
		return serviceMetric{prometheus.NewDesc("strongroom_"+name, help, nil, nil), kind, value}
	}
	const g, c = prometheus.GaugeValue, prometheus.CounterValue
	return []serviceMetric{
		of("config_last_reload_successful", "1 if the last reload of the configuration was not refused.", g,
			func(s *Service) float64 { return truth(!s.ReloadFailed) }),
		of("config_last_reload_success_timestamp_seconds", "When the configuration in force was read.", g,
			func(s *Service) float64 { return float64(s.ConfigRead.UnixMilli()) / 1000 }),
		of("state_write_failures_total", "Writes of a state file that failed or hung since the service started.", c,
			func(s *Service) float64 { return float64(s.StateFailed) }),
		of("transfer_slots", "Transfers that all archives together may have in progress, besides one of each.", g,
			func(s *Service) float64 { return float64(s.Slots) }),
		of("transfer_slots_in_use", "Transfers in progress, including the one that each archive may have.", g,
			func(s *Service) float64 { return float64(s.SlotsInUse) }),
		of("transfer_slots_waiting", "Transfers that wait for a slot.", g,
			func(s *Service) float64 { return float64(s.SlotsWaiting) }),
	}
}
