package archive_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
)

// An operator in a hurry types a time as it comes to mind. A form that is not read, or read in another zone, would
// restore the state after the mistake. The snapshot that fits is the newest up to the returned instant.
func TestParseTime(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct{ text, zone, want string }{
		{"2026-11-27T10:15:30Z", "Europe/Berlin", "2026-11-27T10:15:30Z"},
		{"2026-11-27T10:15:30.5Z", "Europe/Berlin", "2026-11-27T10:15:30.5Z"},
		{"2026-11-27 10:15:30+02:00", "Europe/Berlin", "2026-11-27T08:15:30Z"},
		{"2026-11-27 10:15Z", "Europe/Berlin", "2026-11-27T10:15:59.999999999Z"},
		{"2026-11-27T10:15:30", "Europe/Berlin", "2026-11-27T09:15:30Z"},
		{"2026-11-27 10:15:30", "Europe/Berlin", "2026-11-27T09:15:30Z"},
		{"2026-11-27 10:15:30.25", "Europe/Berlin", "2026-11-27T09:15:30.25Z"},
		{"2026-11-27 10:15", "Europe/Berlin", "2026-11-27T09:15:59.999999999Z"},
		{"2026-11-27T10:15", "America/New_York", "2026-11-27T15:15:59.999999999Z"},
		{"2026-11-27", "UTC", "2026-11-27T23:59:59.999999999Z"},
		{"2026-11-27", "Europe/Berlin", "2026-11-27T22:59:59.999999999Z"},
		{"2026-12-31", "Asia/Kathmandu", "2026-12-31T18:14:59.999999999Z"},
		{"2024-02-29", "UTC", "2024-02-29T23:59:59.999999999Z"},
		{"-2h", "Europe/Berlin", "2026-11-27T10:00:00Z"},
		{"-90m", "UTC", "2026-11-27T10:30:00Z"},
		{"-1d12h", "UTC", "2026-11-26T00:00:00Z"},
		{"-2w", "UTC", "2026-11-13T12:00:00Z"},
		{"-30s", "UTC", "2026-11-27T11:59:30Z"},
		{"-0s", "UTC", "2026-11-27T12:00:00Z"},
		// The clock is set back at 3:00 to 2:00: the first 2:30 counts, and the day has 25 hours.
		{"2026-10-25 02:30:00", "Europe/Berlin", "2026-10-25T00:30:00Z"},
		{"2026-10-25 02:59", "Europe/Berlin", "2026-10-25T00:59:59.999999999Z"},
		{"2026-10-25 03:00:00", "Europe/Berlin", "2026-10-25T02:00:00Z"},
		{"2026-10-25", "Europe/Berlin", "2026-10-25T22:59:59.999999999Z"},
		// The clock is set forward at 2:00 to 3:00: it never shows 2:30.
		{"2026-03-29 02:30:00", "Europe/Berlin", "2026-03-29T01:00:00Z"},
		{"2026-03-29 01:59:59", "Europe/Berlin", "2026-03-29T00:59:59Z"},
		{"2026-03-29 03:00:00", "Europe/Berlin", "2026-03-29T01:00:00Z"},
		{"2026-03-29", "Europe/Berlin", "2026-03-29T21:59:59.999999999Z"},
		// The change is at midnight: this day begins at 1:00, and this one has its last hour twice.
		{"2026-03-28", "Asia/Beirut", "2026-03-28T21:59:59.999999999Z"},
		{"2026-10-24", "Asia/Beirut", "2026-10-24T21:59:59.999999999Z"},
		// A whole day was left out.
		{"2011-12-30", "Pacific/Apia", "2011-12-30T09:59:59.999999999Z"},
		{"2011-12-30 12:00:00", "Pacific/Apia", "2011-12-30T10:00:00Z"},
	} {
		zone, err := time.LoadLocation(c.zone)
		if err != nil {
			t.Fatal(err)
		}
		got, err := archive.ParseTime(c.text, now, zone)
		if err != nil || got.UTC().Format(time.RFC3339Nano) != c.want {
			t.Errorf("%q in %s: %s, %v, want %s", c.text, c.zone, got.UTC().Format(time.RFC3339Nano), err, c.want)
		}
	}
	for _, text := range []string{
		"", "-", "2h", "+2h", "-2", "-h", "-2h3d", "-2x", "--2h", "-9999999999999w", "-99999999w", "-1.5h",
		"42", "latest", "now",
		"2026-11-31", "2026-13-01", "2026-11-27 25:00", "26-11-27", "2026-11-27 10", "10:15", "2026-11-27 10:15:30 CET",
		"2026-11-27T10:15:30Z ", "11/27/2026",
	} {
		if got, err := archive.ParseTime(text, now, time.UTC); err == nil {
			t.Errorf("%q was read as %s", text, got)
		}
	}
}

// Go takes UTC for a zone that it does not have. A restore to a local time would then be hours off, without a word.
func TestLocalTimesNeedAKnownZone(t *testing.T) {
	host, _ := time.Now().Zone() // sets time.Local for all tests, before TZ has another value
	t.Logf("the zone of this host is %s", host)
	now := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		zone  string
		known bool
	}{
		{"Europe/Berlin", true},
		{":Europe/Berlin", true},
		{"UTC", true},
		{"", true},
		{"CET-1CEST,M3.5.0,M10.5.0/3", false},
		{"Nope/X", false},
		{filepath.Join(t.TempDir(), "zone"), false},
		{":", true},
	} {
		t.Setenv("TZ", c.zone)
		for _, text := range []string{"2026-10-25 02:30", "2026-10-25 02:30:15", "2026-10-25"} {
			if _, err := archive.ParseTime(text, now, time.Local); (err == nil) != c.known || err != nil && !strings.Contains(err.Error(), c.zone) {
				t.Errorf("TZ=%q: %s: %v", c.zone, text, err)
			}
			if _, err := archive.ParseTime(text, now, time.UTC); err != nil {
				t.Errorf("TZ=%q: %s in UTC: %v", c.zone, text, err)
			}
		}
		for _, text := range []string{"-2h", "2026-10-25T02:30:00Z", "2026-10-25 02:30:00+01:00"} {
			if _, err := archive.ParseTime(text, now, time.Local); err != nil {
				t.Errorf("TZ=%q: %s: %v", c.zone, text, err)
			}
		}
	}
}

// The first instant at which a clock shows a time is compared with a clock that is read minute by minute, in zones
// whose changes are unusual.
func TestParseTimeAgainstAClock(t *testing.T) {
	t.Parallel()
	for _, name := range []string{
		"Europe/Berlin", "Asia/Beirut", "Australia/Lord_Howe", "America/Santiago", "Africa/Casablanca", "Atlantic/Azores",
	} {
		zone, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		for at := time.Date(2026, 1, 1, 0, 0, 0, 0, zone); at.Year() == 2026; {
			_, end := at.ZoneBounds()
			if end.IsZero() {
				break
			}
			shownFirst := map[string]time.Time{}
			for minute := end.Add(-3 * time.Hour); minute.Before(end.Add(3 * time.Hour)); minute = minute.Add(time.Minute) {
				text := minute.In(zone).Format("2006-01-02 15:04:05")
				if _, again := shownFirst[text]; !again {
					shownFirst[text] = minute
				}
			}
			for text, want := range shownFirst {
				if got, err := archive.ParseTime(text, end, zone); err != nil || !got.Equal(want) {
					t.Errorf("%s in %s: %s, %v, want %s", text, name, got, err, want)
				}
			}
			at = end.In(zone)
		}
	}
}

// Each form selects a snapshot wherever one is named. What is no time and no number is an error that lists the forms.
func TestParseSelector(t *testing.T) {
	t.Parallel()
	for text, isTime := range map[string]bool{
		"latest": false, "42": false, "2026-11-27": true, "2026-11-27 10:15:30": true, "-2h": true,
		"2026-11-27T10:15:30Z": true,
	} {
		s, err := archive.ParseSelector(text)
		if err != nil || s.At.IsZero() == isTime {
			t.Errorf("%q: %+v, %v", text, s, err)
		}
		again, err := archive.ParseSelector(s.String())
		if err != nil || !again.At.Equal(s.At) || again.Sequence != s.Sequence {
			t.Errorf("%q is written as %q: %+v, %v", text, s, again, err)
		}
	}
	if _, err := archive.ParseSelector("yesterday"); err == nil || !strings.Contains(err.Error(), "-2h") {
		t.Errorf("%v", err)
	}
}
