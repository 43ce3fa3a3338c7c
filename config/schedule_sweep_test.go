package config

import (
	_ "embed"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/soaktest"
)

// zones are the names of all zones of the time zone database.
//
//go:embed testdata/zones.txt
var zones string

// sampleZones have unusual changes of the clock: at midnight, by half an hour, by a day, by two
// hours, several in a year, and at other times of the year each year.
var sampleZones = []string{
	"Asia/Beirut", "Australia/Lord_Howe", "Pacific/Apia", "Antarctica/Troll", "Africa/Cairo", "Africa/Casablanca",
	"America/Santiago", "Asia/Pyongyang", "America/Caracas",
}

// A run that is left out by mistake is a day without a backup. So the times of every form of
// schedule are compared with minutes that are counted one by one: around every change of a clock
// from 1990 to 2040, at the ends of leap years, and on drawn days. A soak takes all zones.
func TestSchedulesOfAllZones(t *testing.T) {
	t.Parallel()
	limit := soaktest.For(t, 0)
	begin, seed := time.Now(), soaktest.Seed(t)
	names := sampleZones
	if _, isSoak := soaktest.Duration(t); isSoak {
		names = strings.Fields(zones)
		first := int(seed % uint64(len(names)))
		names = append(slices.Clone(names[first:]), names[:first]...)
	} else if testing.Short() {
		names = names[:2]
	}
	swept := map[string]bool{} // many names have the same changes
	for i, name := range names {
		if limit > 0 && !soaktest.IsFull(t) && time.Since(begin) > limit {
			break
		}
		l, err := time.LoadLocation(name)
		if err != nil {
			t.Fatal(err)
		}
		soaktest.Count(t, "zones", 1)
		if key := fmt.Sprint(changesOf(l)); !swept[key] {
			swept[key] = true
			sweepZone(t, l, rand.New(rand.NewPCG(seed, uint64(i))))
		}
	}
}

// sweepZone compares all forms in one zone.
func sweepZone(t *testing.T, l *time.Location, random *rand.Rand) {
	t.Helper()
	forms := append(slices.Clone(allForms), drawForm(random), drawForm(random))
	schedules := make([]Schedule, len(forms))
	for i := range forms {
		var err error
		if schedules[i], err = ParseSchedule(forms[i].expr, l); err != nil {
			t.Fatal(err)
		}
	}
	for _, w := range windowsOf(l, random) {
		for i := range forms {
			compareTimes(t, l, &forms[i], schedules[i], w)
		}
	}
}

// compareTimes follows a schedule through a window.
func compareTimes(t *testing.T, l *time.Location, f *form, s Schedule, w window) {
	t.Helper()
	last := w[len(w)-1].at
	at := w[warmUp].at
	for _, want := range append(f.times(w), last+1) {
		if want <= at {
			continue
		}
		middle := at + (want-at)/2
		for _, after := range []int64{at, middle} {
			got := s.Next(time.Unix(after*60, 0))
			if isRight := got.Unix() == want*60 || want > last && got.Unix() > last*60; !isRight {
				t.Fatalf("%s in %v after %v: %v, not %v", f.expr, l, time.Unix(after*60, 0).In(l), got, time.Unix(want*60, 0).In(l))
			}
		}
		at = want
	}
}

// A window is consecutive minutes of a zone. The first warmUp minutes give no result: whether
// their local times are repeated is not counted.
type window []minute

const warmUp = 26 * 60

// minute is one minute, since 1970 in UTC, with the local clock.
type minute struct {
	at    int64
	local int64 // minutes since 1970 by the local clock
	clock clock
}

// clock is what a clock on the wall shows.
type clock struct{ minute, hour, day, month, weekday int }

func clockOf(local int64) clock {
	t := time.Unix(local*60, 0).UTC()
	return clock{t.Minute(), t.Hour(), t.Day(), int(t.Month()), int(t.Weekday())}
}

func countMinutes(l *time.Location, from, to time.Time) window {
	var w window
	for at := from.Unix() / 60; at < to.Unix()/60; at++ {
		_, offset := time.Unix(at*60, 0).In(l).Zone()
		m := minute{at: at, local: at + int64(offset)/60}
		m.clock = clockOf(m.local)
		w = append(w, m)
	}
	return w
}

var sweepBegin, sweepEnd = time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2041, 1, 1, 0, 0, 0, 0, time.UTC)

// change is a change of the clock, found to six hours.
type change struct {
	before time.Time
	offset int
}

// changesOf returns the changes of a clock, and its first offset.
func changesOf(l *time.Location) []change {
	_, offset := sweepBegin.In(l).Zone()
	all := []change{{sweepBegin, offset}}
	for t := sweepBegin; t.Before(sweepEnd); t = t.Add(6 * time.Hour) {
		if _, now := t.In(l).Zone(); now != offset {
			offset = now
			all = append(all, change{t, offset})
		}
	}
	return all
}

// windowsOf returns the days around each change of the clock, the ends of leap years, and some
// drawn weeks.
func windowsOf(l *time.Location, random *rand.Rand) []window {
	const day = 24 * time.Hour
	var all []window
	around := func(t time.Time) { all = append(all, countMinutes(l, t.Add(-2*day), t.Add(2*day))) }
	for _, c := range changesOf(l) {
		around(c.before)
	}
	for year := 1993; year <= 2041; year += 4 {
		around(time.Date(year, 1, 1, 0, 0, 0, 0, time.UTC))
	}
	for range 2 {
		from := sweepBegin.Add(time.Duration(random.Int64N(int64(sweepEnd.Sub(sweepBegin)))).Truncate(time.Minute))
		all = append(all, countMinutes(l, from, from.Add(35*day)))
	}
	return all
}

// A form is a schedule with the numbers that its fields stand for, as bits.
type form struct {
	expr                                   string
	minutes, hours, days, months, weekdays uint64
	everyHour                              bool // the hour is *
	eitherDay                              bool // both days are restricted, so one of them is enough
}

const every = 1<<63 - 1

func set(numbers ...int) (all uint64) {
	for _, n := range numbers {
		all |= 1 << n
	}
	return all
}

var allForms = []form{
	{"@hourly", set(0), every, every, every, every, true, false},
	{"@daily", set(0), set(0), every, every, every, false, false},
	{"@midnight", set(0), set(0), every, every, every, false, false},
	{"@weekly", set(0), set(0), every, every, set(0), false, false},
	{"@monthly", set(0), set(0), set(1), every, every, false, false},
	{"@yearly", set(0), set(0), set(1), set(1), every, false, false},
	{"*/20 * * * *", set(0, 20, 40), every, every, every, every, true, false},
	{"*/30 0-3 * * *", set(0, 30), set(0, 1, 2, 3), every, every, every, false, false},
	{"15 2 * * *", set(15), set(2), every, every, every, false, false},
	{"59 23 * * *", set(59), set(23), every, every, every, false, false},
	{"7,37 */2 * * *", set(7, 37), set(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22), every, every, every, false, false},
	{"30 0 * * mon-fri", set(30), set(0), every, every, set(1, 2, 3, 4, 5), false, false},
	{"5 1 * mar-may,sep-nov 7", set(5), set(1), every, set(3, 4, 5, 9, 10, 11), set(0), false, false},
	{"45 1,3 1-7 * sat", set(45), set(1, 3), set(1, 2, 3, 4, 5, 6, 7), every, set(6), false, true},
	{"0 12 31 dec *", set(0), set(12), set(31), set(12), every, false, false},
}

// drawForm returns a form with drawn minutes, hours and days.
func drawForm(random *rand.Rand) form {
	draw := func(least, most int) (uint64, string) {
		if random.IntN(3) == 0 {
			return every, "*"
		}
		var all uint64
		for range 1 + random.IntN(4) {
			all |= 1 << (least + random.IntN(most-least+1))
		}
		return all, listBits(all)
	}
	f := form{months: every}
	var texts [4]string
	f.minutes, texts[0] = draw(0, 59)
	f.hours, texts[1] = draw(0, 23)
	f.days, texts[2] = draw(1, 28)
	f.weekdays, texts[3] = draw(0, 6)
	f.everyHour, f.eitherDay = f.hours == every, f.days != every && f.weekdays != every
	f.expr = texts[0] + " " + texts[1] + " " + texts[2] + " * " + texts[3]
	return f
}

func listBits(all uint64) string {
	var b strings.Builder
	for ; all != 0; all &= all - 1 {
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		n := bits.TrailingZeros64(all)
		if n > 9 {
			b.WriteByte(byte('0' + n/10))
		}
		b.WriteByte(byte('0' + n%10))
	}
	return b.String()
}

func (f *form) matches(c clock) bool {
	has := func(set uint64, n int) bool { return set&(1<<n) != 0 }
	day, weekday := has(f.days, c.day), has(f.weekdays, c.weekday)
	return has(f.minutes, c.minute) && has(f.hours, c.hour) && has(f.months, c.month) &&
		(day && weekday || f.eitherDay && (day || weekday))
}

// times returns the times of the schedule in a window. For skipped minutes there is one run within
// the hour after the change. Of a repeated minute, only the first one counts, unless the hour is *.
func (f *form) times(w window) []int64 {
	var all []int64
	newest := w[0].local - 1
	for i := range w {
		if i > 0 {
			for skipped := w[i-1].local + 1; skipped < w[i].local; skipped++ {
				if f.matches(clockOf(skipped)) {
					all = append(all, w[i].at+(skipped-w[i-1].local-1)%60)
					break
				}
			}
		}
		if f.matches(w[i].clock) && (f.everyHour || w[i].local > newest) {
			all = append(all, w[i].at)
		}
		newest = max(newest, w[i].local)
	}
	slices.Sort(all)
	return slices.Compact(all)
}
