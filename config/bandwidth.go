package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/goccy/go-yaml/ast"
)

// Bandwidth limits the bytes per second that are sent and received, depending on the time of day.
// Archives with the same *Bandwidth, from the defaults, share the limit. A nil Bandwidth is no
// limit. It is immutable and safe for concurrent use.
type Bandwidth struct {
	spans    []span
	location *time.Location
	owner    string // name of the archive that configures it; "" for the defaults
}

// span is the limit for a range of hours.
type span struct {
	from, to int // minutes since midnight; from == to: all day; from > to: past midnight
	rate     int64
}

// LeastBandwidth is the lowest limit, in bytes per second: with less, requests would time out.
const LeastBandwidth = 16 << 10

// At returns the limit at a time, in bytes per second: that of the first span that contains the
// time of day in the archive's time zone. 0 means no limit. At returns 0 for nil.
func (b *Bandwidth) At(t time.Time) int64 {
	if b == nil {
		return 0
	}
	t = t.In(b.location)
	now := t.Hour()*60 + t.Minute()
	for _, s := range b.spans {
		within := s.from <= now && now < s.to
		if s.from >= s.to {
			within = now >= s.from || now < s.to
		}
		if within {
			return s.rate
		}
	}
	return 0
}

// ID returns a string that is equal for two limits with the same owner and values, such as those
// of two readings of a file. It is "" for nil.
func (b *Bandwidth) ID() string {
	if b == nil {
		return ""
	}
	return fmt.Sprint(b.owner, b.spans, b.location)
}

// ParseBandwidth parses a rate that applies all day, such as 20MiB/s or 100Mbit/s. It returns nil
// for unlimited.
func ParseBandwidth(s string) (*Bandwidth, error) {
	rate, err := parseRate(s)
	if err != nil || rate == 0 {
		return nil, err
	}
	return &Bandwidth{spans: []span{{rate: rate}}, location: time.UTC}, nil
}

// rateUnits maps each unit to bytes per second.
var rateUnits = map[string]float64{
	"B/s": 1, "KiB/s": 1 << 10, "MiB/s": 1 << 20, "GiB/s": 1 << 30, "kB/s": 1e3, "KB/s": 1e3, "MB/s": 1e6, "GB/s": 1e9,
	"kbit/s": 1e3 / 8, "Mbit/s": 1e6 / 8, "Gbit/s": 1e9 / 8,
}

// parseRate returns a rate in bytes per second; 0 for unlimited.
func parseRate(s string) (int64, error) {
	if s == "unlimited" {
		return 0, nil
	}
	digits := len(s) - len(strings.TrimLeft(s, "0123456789."))
	number, err := strconv.ParseFloat(s[:digits], 64)
	unit, known := rateUnits[strings.TrimSpace(s[digits:])]
	rate := number * unit
	switch {
	case err != nil || !known:
		return 0, fmt.Errorf("%s is no rate, such as 20MiB/s, 100Mbit/s or unlimited; the units are "+
			"B/s, KiB/s, MiB/s, GiB/s, kB/s, MB/s, GB/s, kbit/s, Mbit/s and Gbit/s", quote(s))
	case rate < LeastBandwidth:
		return 0, fmt.Errorf("%s is too slow: requests would time out; the least is %dKiB/s",
			quote(s), LeastBandwidth>>10)
	case rate > math.MaxInt64/2:
		return 0, fmt.Errorf("%s is above every real rate; write unlimited", quote(s))
	}
	return int64(rate), nil
}

// bandwidth returns the key bandwidth, a rate or a list of rates with hours, and whether it is set.
func (s *section) bandwidth(location *time.Location) (*Bandwidth, bool) {
	e, ok := s.entries["bandwidth"]
	if !ok {
		return nil, false
	}
	list, ok := e.value.(*ast.SequenceNode)
	if !ok {
		text, ok := s.text("bandwidth")
		if !ok {
			return nil, false
		}
		b, err := ParseBandwidth(text)
		if err != nil {
			s.errors.add(e.at, "bandwidth: %v", err)
		}
		return b, err == nil
	}
	b := &Bandwidth{location: location}
	for _, n := range list.Values {
		if one, ok := s.section(n, "in bandwidth", []string{"hours", "rate"}); ok {
			b.spans = append(b.spans, one.span())
		}
	}
	if len(list.Values) == 0 {
		s.errors.add(e.at, "bandwidth is an empty list; write a rate, or entries such as "+
			"{hours: \"08:00-18:00\", rate: 20MiB/s}")
	}
	return b, true
}

// span reads one entry of the list. Without hours it applies all day.
func (s *section) span() (out span) {
	s.required("rate", "20MiB/s")
	if v, ok := s.text("rate"); ok {
		var err error
		if out.rate, err = parseRate(v); err != nil {
			s.errors.add(s.entries["rate"].at, "rate: %v", err)
		}
	}
	if v, ok := s.text("hours"); ok {
		from, to, _ := strings.Cut(v, "-")
		var okFrom, okTo bool
		out.from, okFrom = minutes(from)
		out.to, okTo = minutes(to)
		if !okFrom || !okTo || out.from == out.to {
			s.errors.add(s.entries["hours"].at,
				"hours cannot be %s; write from and to, such as 08:00-18:00 or 22:00-06:00", quote(v))
		}
	}
	return out
}

// minutes returns a time of day as minutes since midnight. It accepts 24:00.
func minutes(s string) (int, bool) {
	s = strings.TrimSpace(s)
	if s == "24:00" {
		return 24 * 60, true
	}
	t, err := time.Parse("15:04", s)
	return t.Hour()*60 + t.Minute(), err == nil
}
