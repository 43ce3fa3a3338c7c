package config

import (
	"errors"
	"fmt"
	"strings"
	"time"

	cron "github.com/netresearch/go-cron"
)

// Schedule is a recurring time, as ParseSchedule reads it. It is an immutable value, safe for
// concurrent use. The zero Schedule has no times.
type Schedule struct {
	onClose  bool          // @close, without times
	every    time.Duration // of @every; 0 for the other kinds
	aligned  bool          // see Aligned
	spec     *cron.SpecSchedule
	location *time.Location
}

// everyHour is the bit that the cron package sets for a field that is a plain *.
const everyHour = 1 << 63

// ParseSchedule parses a schedule, which is one of:
//
//   - five-field cron: minute, hour, day of the month, month, day of the week (0 and 7 are
//     Sunday), each *, a number or name, a range, a step, or a list of those. If both days are
//     restricted, it is enough that one of them matches, as in crontab(5);
//   - @hourly, @daily (@midnight), @weekly, @monthly, @yearly (@annually);
//   - @every and a duration of a second or more: @every 10m;
//   - @close: whenever a log file closes; it has no times, and Next returns the zero time.
//
// All but the last two use the local time of location. If a clock change skips times of the
// schedule, one run follows within the hour after the change. It has the distance from the change
// that the first skipped time has from the skipped range's beginning, less whole hours. If a
// clock change repeats a time, only the first one counts, unless the hour is *.
func ParseSchedule(expr string, location *time.Location) (Schedule, error) {
	const advice = `; write five fields (minute hour day month weekday) such as "*/15 * * * *", ` +
		`or @hourly, @daily, @weekly, @every 10m, @close`
	expr = strings.TrimSpace(expr)
	word, rest, _ := strings.Cut(expr, " ")
	switch {
	case expr == "":
		return Schedule{}, errors.New("the schedule is empty" + advice)
	case expr == "@close":
		return Schedule{onClose: true}, nil
	case word == "@every":
		return parseEvery(expr, strings.TrimSpace(rest))
	case strings.HasPrefix(word, "TZ=") || strings.HasPrefix(word, "CRON_TZ="):
		return Schedule{}, fmt.Errorf("the schedule %s has a time zone in it; set time_zone instead", quote(expr))
	}
	// 29 February is at most eight years away.
	p, err := cron.TryNewParser(cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor | cron.DowOrDom)
	if err != nil {
		return Schedule{}, fmt.Errorf("making a cron parser: %w", err)
	}
	parsed, err := p.WithMaxSearchYears(10).Parse(expr)
	if err != nil {
		return Schedule{}, fmt.Errorf("the schedule %s: %w%s", quote(expr), err, advice)
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return Schedule{}, fmt.Errorf("the schedule %s is of an unknown kind%s", quote(expr), advice)
	}
	spec.Location = time.UTC // see nextCron
	s := Schedule{spec: spec, location: location}
	if spec.Next(time.Date(2001, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return Schedule{}, fmt.Errorf("the schedule %s has no time: no month has that day%s", quote(expr), advice)
	}
	return s, nil
}

func parseEvery(expr, interval string) (Schedule, error) {
	d, err := ParseDuration(interval)
	if err != nil {
		return Schedule{}, fmt.Errorf("the schedule %s: %w", quote(expr), err)
	}
	if d < time.Second {
		return Schedule{}, fmt.Errorf("the schedule %s: it must be a second or more, such as @every 10m", quote(expr))
	}
	return Schedule{every: d}, nil
}

// OnClose reports whether the schedule is @close.
func (s Schedule) OnClose() bool { return s.onClose }

// Aligned returns the schedule with the times of @every at its multiples since midnight UTC on
// 1 January of the year 1. So they do not depend on the argument of Next.
func (s Schedule) Aligned() Schedule {
	s.aligned = true
	return s
}

// Next returns the first time of the schedule that is later than after, in its location. For
// @every that is after plus the interval, unless the schedule is aligned. Next returns the zero
// time if there is none.
func (s Schedule) Next(after time.Time) time.Time {
	switch {
	case s.every > 0 && s.aligned:
		return after.Truncate(s.every).Add(s.every)
	case s.every > 0:
		return after.Add(s.every)
	case s.spec == nil:
		return time.Time{}
	}
	return s.nextCron(after.In(s.location))
}
