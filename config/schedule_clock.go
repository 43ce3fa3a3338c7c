package config

import "time"

// A clockPeriod is the time between two clock changes of a location.
type clockPeriod struct {
	start, end time.Time     // start <= t < end; zero if unbounded
	offset     time.Duration // of the local time, east of UTC
	before     time.Duration // the offset before start
}

// clockPeriodAt returns the period of t. It may begin later or end earlier than the real one,
// where the clock is not changed.
func clockPeriodAt(t time.Time) clockPeriod {
	p := clockPeriod{offset: offsetAt(t)}
	p.start, p.end = t.ZoneBounds()
	if !p.end.IsZero() && !p.end.After(t) {
		// In the years for which the time zone database has only a rule, ZoneBounds ends each year
		// after 365 days. On the last day of a leap year, that end is in the past.
		p.end = t.Truncate(24 * time.Hour).Add(24 * time.Hour)
	}
	p.before = p.offset
	if !p.start.IsZero() {
		p.before = offsetAt(p.start.Add(-time.Nanosecond))
	}
	return p
}

func offsetAt(t time.Time) time.Duration {
	_, seconds := t.Zone()
	return time.Duration(seconds) * time.Second
}

// nextCron returns the first time of a cron schedule that is later than after.
//
// The cron package skips a whole day where the clock is put forward at midnight. So it gets the
// time of the local clock as a time in UTC, which has no clock changes; they are applied here.
func (s Schedule) nextCron(after time.Time) time.Time {
	from := after.Truncate(time.Second).Add(time.Second)
	for {
		p := clockPeriodAt(from)
		at := s.firstIn(p, from)
		if skipped := s.afterSkipped(p); !skipped.IsZero() && !skipped.Before(from) && skipped.Before(at) {
			return skipped
		}
		if at.IsZero() || p.end.IsZero() || at.Before(p.end) {
			return at
		}
		from = p.end
	}
}

// firstIn returns the first time of the schedule at or after from, with the offset of p. It
// leaves out times that the change at the beginning of p repeats. The result may be after the end
// of p. It is the zero time if the schedule has none.
func (s Schedule) firstIn(p clockPeriod, from time.Time) time.Time {
	clock := from.UTC().Add(p.offset)
	if repeated := p.start.UTC().Add(p.before); s.spec.Hour&everyHour == 0 && p.before > p.offset && clock.Before(repeated) {
		clock = repeated
	}
	at := s.spec.Next(clock.Add(-time.Second))
	if at.IsZero() {
		return at
	}
	return at.Add(-p.offset).In(s.location)
}

// afterSkipped returns the run for the times that the change at the beginning of p skips; the zero
// time if it skips none.
func (s Schedule) afterSkipped(p clockPeriod) time.Time {
	if p.offset <= p.before {
		return time.Time{}
	}
	from, to := p.start.UTC().Add(p.before), p.start.UTC().Add(p.offset)
	first := s.spec.Next(from.Add(-time.Second))
	if first.IsZero() || !first.Before(to) {
		return time.Time{}
	}
	return p.start.Add(first.Sub(from) % time.Hour).In(s.location)
}
