package cost

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// The kinds of measurements.
const (
	Restore = "restore"
	Drill   = "drill"
)

// MaxMeasurements is how many measurements of an archive are kept: see Keep.
const MaxMeasurements = 8

// alwaysKept is how many of them are the newest, whatever their size.
const alwaysKept = MaxMeasurements / 2

// Measurement is how long the files of one restore took, from the first request until all were durable.
type Measurement struct {
	At       time.Time `json:"at"`   // when it began
	Kind     string    `json:"kind"` // Restore or Drill
	Host     string    `json:"host"` // where it ran; empty if unknown
	Snapshot int64     `json:"snapshot"`
	Files    int64     `json:"files"` // that were fetched
	Bytes    int64     `json:"bytes"` // plain bytes of them
	MS       int64     `json:"ms"`
}

// IsValid reports whether the measurement shows a rate.
func (m *Measurement) IsValid() bool { return m.Files > 0 && m.Bytes > 0 && m.MS > 0 }

// Counts reports whether the measurement shows how long a restore of this many plain bytes takes: it was of at least a
// tenth of them.
func (m *Measurement) Counts(bytes int64) bool { return m.IsValid() && m.Bytes >= bytes/10 }

// IsSame reports whether both are of the same restore. The record of a drill has another time than the local state.
func (m *Measurement) IsSame(other Measurement) bool {
	other.At = m.At
	return *m == other
}

// Keep returns the measurements to keep of those in order of time: the newest four, and of the others the four with the
// most bytes. Small restores, however many, do not displace one that shows how long a whole snapshot takes.
func Keep(all []Measurement) []Measurement {
	all = slices.DeleteFunc(slices.Clone(all), func(m Measurement) bool { return !m.IsValid() })
	if len(all) <= MaxMeasurements {
		return all
	}
	newest := len(all) - alwaysKept
	older := slices.Clone(all[:newest])
	slices.SortStableFunc(older, func(a, b Measurement) int {
		return cmp.Or(cmp.Compare(a.Bytes, b.Bytes), a.At.Compare(b.At))
	})
	most := older[len(older)-(MaxMeasurements-alwaysKept):]
	slices.SortStableFunc(most, func(a, b Measurement) int { return a.At.Compare(b.At) })
	return append(most, all[newest:]...)
}

// Rate returns the plain bytes per second.
func (m *Measurement) Rate() int64 {
	return toInt(float64(m.Bytes) * 1000 / float64(max(m.MS, 1)))
}

// Time is how long a restore takes, as measurements show it.
type Time struct {
	LeastMS  int64         `json:"least_ms"` // at the pace of the fastest of the measurements
	MostMS   int64         `json:"most_ms"`  // at the pace of the slowest
	Rough    bool          `json:"rough"`    // only restores of less than a tenth of the bytes were measured
	Measured []Measurement `json:"measured"` // those that count, in the order given
}

// EstimateTime returns how long it takes to restore a number of files with these plain bytes; nil if no measurement is
// valid. Measurements of less than a tenth of the bytes count only if there are no others, and then only the largest.
//
// Some restores are bound by bytes, and others by the number of files. So a restore takes as many times as long as a
// measured one as it has more bytes, or more files: the greater factor counts.
func EstimateTime(all []Measurement, files, bytes int64) *Time {
	t := &Time{}
	var largest *Measurement
	for i := range all {
		m := &all[i]
		if !m.IsValid() {
			continue
		}
		if m.Counts(bytes) {
			t.Measured = append(t.Measured, *m)
		}
		if largest == nil || m.Bytes > largest.Bytes {
			largest = m
		}
	}
	if largest == nil {
		return nil
	}
	if len(t.Measured) == 0 {
		t.Rough, t.Measured = true, []Measurement{*largest}
	}
	t.LeastMS = math.MaxInt64
	for i := range t.Measured {
		ms := t.Measured[i].scaled(files, bytes)
		t.LeastMS, t.MostMS = min(t.LeastMS, ms), max(t.MostMS, ms)
	}
	return t
}

// scaled returns the milliseconds that a restore takes at the pace of the measurement.
func (m *Measurement) scaled(files, bytes int64) int64 {
	factor := max(float64(bytes)/float64(m.Bytes), float64(files)/float64(m.Files))
	return toInt(math.Ceil(float64(m.MS) * factor))
}

// toInt converts a number that is not negative. The result is bounded, so that a time.Duration can hold it as
// milliseconds: a record in a bucket may be forged.
func toInt(v float64) int64 {
	const most = int64(math.MaxInt64 / int64(time.Millisecond))
	if v >= float64(most) {
		return most
	}
	return int64(v)
}
