package config

import (
	"strings"
	"testing"
	"time"
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

// Where the clock is put forward at midnight, a day has no 0:00, and where it is put forward by
// half an hour, no hour is missing. A backup, verify, drill or prune of that day comes right after.
func TestSkippedTimes(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ zone, expr, after, want string }{
		{"Asia/Beirut", "@daily", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00+03:00, 2026-03-30T00:00:00+03:00"},
		{"Asia/Beirut", "@weekly", "2026-03-28T12:00:00Z", "2026-03-29T01:00:00+03:00, 2026-04-05T00:00:00+03:00"},
		{"Asia/Beirut", "30 0 29 3 *", "2026-03-28T12:00:00Z", "2026-03-29T01:30:00+03:00, 2027-03-29T00:30:00+03:00"},
		{"Africa/Cairo", "@daily", "2026-04-23T12:00:00Z", "2026-04-24T01:00:00+03:00, 2026-04-25T00:00:00+03:00"},
		{"America/Santiago", "@weekly", "2026-09-05T12:00:00Z", "2026-09-06T01:00:00-03:00, 2026-09-13T00:00:00-03:00"},
		{"Australia/Lord_Howe", "15 2 * * *", "2026-10-03T00:00:00Z", "2026-10-04T02:45:00+11:00, 2026-10-05T02:15:00+11:00"},
		{"Australia/Lord_Howe", "@hourly", "2026-10-03T14:30:00Z", "2026-10-04T02:30:00+11:00, 2026-10-04T03:00:00+11:00"},
		{"Antarctica/Troll", "30 1,2 * * *", "2026-03-28T12:00:00Z", "2026-03-29T03:30:00+02:00, 2026-03-30T01:30:00+02:00"},
		{"Pacific/Apia", "0 12 30 12 *", "2011-12-29T00:00:00Z", "2011-12-31T00:00:00+14:00, 2012-12-30T12:00:00+14:00"},
	} {
		l, err := time.LoadLocation(test.zone)
		if err != nil {
			t.Fatal(err)
		}
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
			if got := at.Format(time.RFC3339); got != want {
				t.Errorf("%s in %s after %s: %s, not %s", test.expr, test.zone, test.after, got, want)
			}
		}
	}
}

// Next returns a later time for every argument, also far outside the time zone database: a Next
// that does not return stops the service.
func TestNextReturns(t *testing.T) {
	t.Parallel()
	for _, zone := range []string{"UTC", "Asia/Beirut", "America/New_York", "Pacific/Apia", "Africa/Monrovia"} {
		l, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		for _, expr := range []string{"* * * * *", "@daily", "0 0 29 2 *", "59 23 31 12 *", "@every 1h"} {
			s, err := ParseSchedule(expr, l)
			if err != nil {
				t.Fatal(err)
			}
			for _, after := range []time.Time{
				time.Unix(-1<<55, 0), time.Date(1, 3, 1, 0, 0, 0, 0, l), time.Date(1880, 1, 1, 0, 0, 0, 1, l), time.Date(2096, 12, 30, 23, 59, 59, 999, l),
				time.Date(2104, 12, 31, 12, 0, 0, 0, l), time.Date(9999, 12, 31, 23, 59, 59, 0, l), time.Unix(1<<55, 5),
			} {
				if at := s.Next(after); !at.After(after) {
					t.Errorf("%s in %s after %v: %v", expr, zone, after, at)
				}
			}
		}
	}
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
