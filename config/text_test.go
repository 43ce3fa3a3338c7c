package config

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/strongroom-dev/strongroom/internal/textdist"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]time.Duration{
		"0s": 0, "500ms": 500 * time.Millisecond, "30s": 30 * time.Second, "15m": 15 * time.Minute, "90m": 90 * time.Minute,
		"1h30m": 90 * time.Minute, "7d": 7 * 24 * time.Hour, "2w1d": 15 * 24 * time.Hour, "1h0m5s": time.Hour + 5*time.Second,
	} {
		if got, err := ParseDuration(text); err != nil || got != want {
			t.Errorf("%s: %v, %v", text, got, err)
		}
	}
	for text, want := range map[string]string{
		"": "no duration", "s": "no duration", "30": "lacks a unit", "1h30": "lacks a unit", "1.5h": "units are", "-1h": "no duration",
		"1 h": "units are", "1y": "units are", "30m1h": "the larger unit comes first", "1h1h": "the larger unit comes first", "1H": "units are",
		"999999w": "too long", "15250w1000000d": "too long", "99999999999999999999s": "no duration", "1h ": "no duration",
	} {
		if got, err := ParseDuration(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
}

// The output of time.Duration can be read, unless it has fractions.
func TestDurationRoundTrip(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		want := time.Duration(rapid.Int64Range(0, math.MaxInt64/int64(time.Second)).Draw(t, "seconds")) * time.Second
		if got, err := ParseDuration(want.String()); err != nil || got != want {
			t.Errorf("%v: %v, %v", want, got, err)
		}
	})
}

func TestExpand(t *testing.T) {
	t.Parallel()
	getenv := func(name string) (string, bool) { return "<" + name + ">", name != "NO" }
	for text, want := range map[string]string{
		"": "", "plain": "plain", "${A}": "<A>", "a${A}b${_b2}c": "a<A>b<_b2>c", "$": "$", "a$": "a$", "$A": "$A", "$$": "$$", "$${A}": "${A}",
		"$$${A}": "$${A}", "${A}${A}": "<A><A>", "}{": "}{", "$ {A}": "$ {A}",
	} {
		if got, err := expand(text, getenv); err != nil || got != want {
			t.Errorf("%s: %q, %v", text, got, err)
		}
	}
	for _, text := range []string{"${", "${}", "${A", "${1A}", "${A B}", "${A:-b}", "${${A}}", "${NO}"} {
		if got, err := expand(text, getenv); err == nil {
			t.Errorf("%s: %q", text, got)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"shedule": "schedule", "scheudle": "schedule", "Schedule": "schedule", "dest": "", "timezone": "time_zone", "nam": "name", "transfer": "transfers",
		"zebra": "", strings.Repeat("schedule", 1000): "", "": "",
	} {
		got, ok := textdist.Nearest(text, keys[Archive]())
		if got != want || ok != (want != "") {
			t.Errorf("%.20s: %s", text, got)
		}
	}
}
