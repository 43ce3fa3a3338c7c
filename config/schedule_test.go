package config

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestParseScheduleErrors(t *testing.T) {
	t.Parallel()
	for expr, want := range map[string]string{
		"":                                      "is empty",
		"* * * *":                               "expected exactly 5 fields, found 4",
		"* * * * * *":                           "expected exactly 5 fields, found 6",
		"@reboot":                               "unrecognized descriptor",
		"@every":                                "is no duration",
		"@every 500ms":                          "a second or more",
		"@every 10":                             "lacks a unit",
		"TZ=UTC * * * * *":                      "set time_zone instead",
		"0 24 * * *":                            "above maximum (23)",
		"0 0 31 feb,apr *":                      "has no time: no month has that day",
		"H * * * *":                             "@hourly",
		"0 0 L * *":                             "@hourly",
		strings.Repeat("*,", 600) + "* * * * *": "too long",
	} {
		if _, err := ParseSchedule(expr, time.UTC); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
			t.Errorf("%.20q: %v", expr, err)
		}
	}
}

func TestScheduleTimes(t *testing.T) {
	t.Parallel()
	l, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct{ expr, after, want string }{
		{"@hourly", "2026-11-23T12:00:00Z", "14:00:00+01:00, 15:00:00+01:00"},
		{"@daily", "2026-11-23T12:00:00Z", "2026-11-24T00:00:00+01:00"},
		{" 0  4 * * * ", "2026-11-23T12:00:00Z", "2026-11-24T04:00:00+01:00"},
		{"@every 1h30m", "2026-11-23T12:00:01Z", "2026-11-23T13:30:01Z, 2026-11-23T15:00:01Z"},
		{"0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29"},
		{"0 0 13 * fri", "2026-11-01T00:00:00Z", "2026-11-06, 2026-11-13, 2026-11-20"}, // either
		// The night of 29 March has no 2:30.
		{"30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T03:30:00+02:00, 2026-03-30T02:30:00+02:00"},
		{"*/30 2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T03:00:00+02:00, 2026-03-30T02:00:00+02:00"},
		{"*/30 * * * *", "2026-03-29T00:30:00Z", "03:00:00+02:00, 03:30:00+02:00"},
		// The night of 25 October has two.
		{"30 2 * * *", "2026-10-24T12:00:00Z", "2026-10-25T02:30:00+02:00, 2026-10-26T02:30:00+01:00"},
		{"*/30 * * * *", "2026-10-25T00:00:00Z", "02:30:00+02:00, 02:00:00+01:00, 02:30:00+01:00, 03:00:00+01:00"},
	} {
		s, err := ParseSchedule(test.expr, l)
		if err != nil {
			t.Fatal(err)
		}
		at, err := time.Parse(time.RFC3339, test.after)
		if err != nil {
			t.Fatal(err)
		}
		for want := range strings.SplitSeq(test.want, ", ") {
			at = s.Next(at)
			if got := at.Format(time.RFC3339); !strings.Contains(got, want) {
				t.Errorf("%s after %s: %s, not %s", test.expr, test.after, got, want)
			}
		}
	}
	if !(Schedule{}).Next(time.Now()).IsZero() {
		t.Error("the zero schedule comes")
	}
}

// fields are a cron expression as sets of numbers, which the model below reads.
type fields struct {
	minutes, hours []int // nil: all
	days, weekdays []int // nil: all
}

func (f fields) String() string {
	list := func(n []int) string {
		if n == nil {
			return "*"
		}
		return strings.ReplaceAll(strings.Trim(fmt.Sprint(n), "[]"), " ", ",")
	}
	return list(f.minutes) + " " + list(f.hours) + " " + list(f.days) + " * " + list(f.weekdays)
}

func (f fields) match(t time.Time) bool {
	in := func(set []int, n int) bool { return set == nil || slices.Contains(set, n) }
	day := in(f.days, t.Day()) && in(f.weekdays, int(t.Weekday()))
	if f.days != nil && f.weekdays != nil {
		day = slices.Contains(f.days, t.Day()) || slices.Contains(f.weekdays, int(t.Weekday()))
	}
	return in(f.minutes, t.Minute()) && in(f.hours, t.Hour()) && day
}

// next tries every minute of the next days.
func (f fields) next(after time.Time) time.Time {
	for t := after.Truncate(time.Minute).Add(time.Minute); t.Before(after.AddDate(0, 0, 40)); t = t.Add(time.Minute) {
		if f.match(t) && (f.hours == nil || !repeated(t)) {
			return t
		}
	}
	return time.Time{}
}

// skips reports whether the clock is put forward between two times: there the library makes up for
// skipped runs, and the model does not.
func skips(from, to time.Time) bool {
	for t := from; t.Before(to); {
		_, end := t.ZoneBounds()
		if end.IsZero() || end.After(to) {
			return false
		}
		_, before := t.Zone()
		if _, after := end.Zone(); after > before {
			return true
		}
		t = end
	}
	return false
}

// Next gives the same as trying every minute, in zones with unusual offsets and changes of the
// clock.
func TestScheduleAgainstMinutes(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		set := func(name string, least, most int) []int {
			if rapid.Bool().Draw(t, "any "+name) {
				return nil
			}
			return rapid.SliceOfNDistinct(rapid.IntRange(least, most), 1, 4, rapid.ID).Draw(t, name)
		}
		f := fields{set("minutes", 0, 59), set("hours", 0, 23), set("days", 1, 28), set("weekdays", 0, 6)}
		zone := rapid.SampledFrom([]string{
			"UTC", "Europe/Berlin", "America/New_York", "America/Sao_Paulo", "Australia/Lord_Howe", "Asia/Kathmandu", "Africa/Casablanca", "Asia/Beirut",
		}).Draw(t, "zone")
		l, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		s, err := ParseSchedule(f.String(), l)
		if err != nil {
			t.Fatal(err)
		}
		begin := time.Date(2015, 1, 1, 0, 0, 0, 0, time.UTC)
		at := begin.Add(time.Duration(rapid.Int64Range(0, int64(15*365*24*time.Hour)).Draw(t, "after"))).In(l)
		for range 5 {
			got, want := s.Next(at), f.next(at)
			if !got.After(at) {
				t.Fatalf("%s in %s after %v: %v", f, zone, at, got)
			}
			if !got.Equal(want) && !skips(at, want.Add(24*time.Hour)) {
				t.Fatalf("%s in %s after %v: %v, not %v", f, zone, at, got, want)
			}
			at = got
		}
	})
}

// The times of several destinations of one database are the same, whenever each began.
func TestAligned(t *testing.T) {
	t.Parallel()
	s, err := ParseSchedule("@every 10m", time.UTC)
	if err != nil {
		t.Fatal(err)
	}
	noon := time.Date(2026, 11, 25, 12, 0, 0, 0, time.UTC)
	for _, after := range []time.Duration{0, time.Nanosecond, 4 * time.Minute, 10*time.Minute - 1} {
		if got := s.Aligned().Next(noon.Add(after)); !got.Equal(noon.Add(10 * time.Minute)) {
			t.Errorf("after %v: %v", after, got)
		}
	}
	if got := s.Next(noon.Add(time.Minute)); !got.Equal(noon.Add(11 * time.Minute)) {
		t.Errorf("not aligned: %v", got)
	}
}
