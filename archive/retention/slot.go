package retention

import (
	"fmt"
	"time"
)

// rule keeps one snapshot of each of the last n slots.
type rule struct {
	name string
	n    int
	slot func(local time.Time, sequence int64) slot
	text func(local time.Time) string
}

// slot identifies an hour, day, week, month or year among the slots of one rule.
type slot struct {
	year   int
	number int64 // within the year
	offset int   // of an hour, in seconds from UTC: distinguishes the two hours of one name in autumn
}

func (p Policy) rules() []rule {
	return []rule{
		{"last", p.Last, each, func(time.Time) string { return "" }},
		{"hourly", p.Hourly, hour, format("2006-01-02 15:00 -07:00")},
		{"daily", p.Daily, day, format("2006-01-02")},
		{"weekly", p.Weekly, week, weekText},
		{"monthly", p.Monthly, month, format("2006-01")},
		{"yearly", p.Yearly, year, format("2006")},
	}
}

func each(_ time.Time, sequence int64) slot { return slot{number: sequence} }

func hour(t time.Time, _ int64) slot {
	_, offset := t.Zone()
	return slot{t.Year(), int64(t.YearDay()*24 + t.Hour()), offset}
}

func day(t time.Time, _ int64) slot { return slot{year: t.Year(), number: int64(t.YearDay())} }

// week uses the ISO year, which differs from the calendar's around New Year.
func week(t time.Time, _ int64) slot {
	y, w := t.ISOWeek()
	return slot{year: y, number: int64(w)}
}

func month(t time.Time, _ int64) slot { return slot{year: t.Year(), number: int64(t.Month())} }

func year(t time.Time, _ int64) slot { return slot{year: t.Year()} }

func format(layout string) func(time.Time) string {
	return func(t time.Time) string { return t.Format(layout) }
}

func weekText(t time.Time) string {
	y, w := t.ISOWeek()
	return fmt.Sprintf("%04d-W%02d", y, w)
}
