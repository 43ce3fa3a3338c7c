package values

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/manifest"
)

// Selector names a snapshot. The zero value names the newest.
type Selector struct {
	Sequence int64     // the snapshot with this number
	At       time.Time // or the newest made at or before this time; whole seconds include the second
}

// ParseSelector reads "latest", a sequence number, or a time as ParseTime does, in the local time zone of this host.
func ParseSelector(s string) (Selector, error) {
	if s == "" || s == "latest" {
		return Selector{}, nil
	}
	if n, err := strconv.ParseInt(s, 10, 64); err == nil && n >= 1 && n <= manifest.MaxSequence {
		return Selector{Sequence: n}, nil
	}
	at, err := ParseTime(s, time.Now(), time.Local)
	if err != nil || at.IsZero() { // the zero time would select the newest
		return Selector{}, fmt.Errorf("%q names no snapshot: use a number such as 42, \"latest\", or a time such as %s",
			s, timeForms)
	}
	return Selector{At: at}, nil
}

// String returns the selector as ParseSelector reads it.
func (s Selector) String() string {
	switch {
	case s.Sequence > 0:
		return strconv.FormatInt(s.Sequence, 10)
	case !s.At.IsZero():
		return s.At.Format(time.RFC3339Nano)
	}
	return "latest"
}

const timeForms = "2026-11-22T23:00:00Z, \"2026-11-22 23:00\", 2026-11-22 or -2h"

// The forms of a time with an offset from UTC, and those of a local time with what they include: the whole second,
// minute or day.
var (
	instants = []string{
		time.RFC3339Nano, "2006-01-02 15:04:05Z07:00", "2006-01-02T15:04Z07:00", "2006-01-02 15:04Z07:00",
	}

	localTimes = []struct {
		form     string
		includes time.Duration
	}{
		{"2006-01-02T15:04:05", time.Second},
		{"2006-01-02 15:04:05", time.Second},
		{"2006-01-02T15:04", time.Minute},
		{"2006-01-02 15:04", time.Minute},
		{time.DateOnly, 24 * time.Hour},
	}
)

// ParseTime reads a time, and returns the last instant that it includes, for Selector.At.
//
//   - A time with an offset, such as 2026-11-22T23:00:00Z or "2026-11-22 23:00:00+01:00".
//   - A local time in zone, such as "2026-11-22 23:00:00", "2026-11-22 23:00" or 2026-11-22. It includes the whole
//     second, minute or day. If the clock was set back and showed a time twice, the first one counts. If the clock was
//     set forward and never showed it, the moment of that change counts. With time.Local, the variable TZ must name a
//     zone of the tz database, if it is set.
//   - A time before now, such as -2h, -90m, -1d12h or -2w. A day has 24 hours.
func ParseTime(s string, now time.Time, zone *time.Location) (time.Time, error) {
	if before, ok := strings.CutPrefix(s, "-"); ok {
		age, err := parseAge(before)
		if err != nil {
			return time.Time{}, fmt.Errorf("%q: write a time before now such as -2h, -90m or -7d", s)
		}
		return now.Add(-age), nil
	}
	for _, form := range instants {
		at, err := time.Parse(form, s)
		if err != nil {
			continue
		}
		if !strings.Contains(form, ":05") {
			at = at.Add(time.Minute - 1)
		}
		return at, nil
	}
	for _, local := range localTimes {
		shown, err := time.Parse(local.form, s)
		if err != nil {
			continue
		}
		if err := checkLocal(zone); err != nil {
			return time.Time{}, fmt.Errorf("%q: %w; write the time with its offset, as in 2026-11-22T23:00:00+01:00", s, err)
		}
		switch {
		case local.includes == 24*time.Hour:
			return firstShown(shown.AddDate(0, 0, 1), zone).Add(-1), nil
		case local.includes == time.Minute:
			return firstShown(shown, zone).Add(time.Minute - 1), nil
		}
		return firstShown(shown, zone), nil
	}
	return time.Time{}, fmt.Errorf("%q: write a time such as %s", s, timeForms)
}

// checkLocal returns an error if zone is that of this host, but not the one that TZ names: Go takes UTC for a zone that it
// does not have, also for one in the form of POSIX, such as CET-1CEST.
func checkLocal(zone *time.Location) error {
	name, ok := os.LookupEnv("TZ")
	if zone != time.Local || !ok || name == "" {
		return nil
	}
	file := strings.TrimPrefix(name, ":")
	var err error
	if filepath.IsAbs(file) {
		var content []byte
		if content, err = os.ReadFile(file); err == nil {
			_, err = time.LoadLocationFromTZData(file, content)
		}
	} else {
		_, err = time.LoadLocation(file)
	}
	if err != nil {
		return fmt.Errorf("TZ=%s names no zone of the tz database", name)
	}
	return nil
}

// firstShown returns the first instant at which a clock in a zone shows a time or a later one. The time's own zone does
// not count.
func firstShown(shown time.Time, zone *time.Location) time.Time {
	wall := time.Date(shown.Year(), shown.Month(), shown.Day(), shown.Hour(), shown.Minute(), shown.Second(),
		shown.Nanosecond(), time.UTC)
	at := wall.Add(-48 * time.Hour).In(zone) // the clock shows an earlier time then: no offset is as large
	for {
		_, offset := at.Zone()
		_, end := at.ZoneBounds()
		first := wall.Add(-time.Duration(offset) * time.Second)
		if first.Before(at) {
			first = at
		}
		if end.IsZero() || first.Before(end) {
			return first.In(zone)
		}
		at = end
	}
}

// parseAge reads whole numbers with units, the largest unit first, such as 2h, 1d12h and 90m.
func parseAge(s string) (time.Duration, error) {
	units := []struct {
		name string
		time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second}}
	var age time.Duration
	rest := s
	for _, unit := range units {
		number, behind, ok := strings.Cut(rest, unit.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(number, 10, 32)
		if err != nil || n > uint64((math.MaxInt64-age)/unit.Duration) {
			return 0, fmt.Errorf("%q is no duration", s)
		}
		age += time.Duration(n) * unit.Duration
		rest = behind
	}
	if rest != "" || s == "" {
		return 0, fmt.Errorf("%q is no duration", s)
	}
	return age, nil
}
