package config

import (
	"testing"
	"time"
)

func TestBandwidth(t *testing.T) {
	t.Parallel()
	const all = `
defaults:
  time_zone: Europe/Berlin
  bandwidth: 20MiB/s
archives:
  - {name: a, source: {dir: /a}, destination: "file:///a/to"}
  - {name: b, source: {dir: /b}, destination: "file:///b/to", time_zone: UTC}
  - {name: c, source: {dir: /c}, destination: "file:///c/to", bandwidth: unlimited}
  - name: d
    source: {dir: /d}
    destination: file:///d/to
    bandwidth:
      - {hours: "08:00-18:30", rate: 100Mbit/s}
      - {hours: 22:00 - 6:00, rate: unlimited}
      - {rate: "${RATE}"}
`
	c, err := Parse("strongroom.yaml", []byte(all), func(string) (string, bool) { return "1MB/s", true })
	if err != nil {
		t.Fatal(err)
	}
	a := c.Archives
	if a[0].Bandwidth == nil || a[0].Bandwidth != a[1].Bandwidth {
		t.Error("the limit of the defaults is not shared")
	}
	if got := a[0].Bandwidth.At(time.Now()); got != 20<<20 {
		t.Errorf("20MiB/s is %d", got)
	}
	if got := a[2].Bandwidth.At(time.Now()); got != 0 {
		t.Errorf("unlimited is %d", got)
	}
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	for at, want := range map[string]int64{
		"07:59": 1e6, "08:00": 100e6 / 8, "18:29": 100e6 / 8, "18:30": 1e6, "21:59": 1e6, "22:00": 0, "00:00": 0, "05:59": 0, "06:00": 1e6,
	} {
		now, err := time.ParseInLocation("2006-01-02 15:04", "2026-07-01 "+at, berlin)
		if err != nil {
			t.Fatal(err)
		}
		if got := a[3].Bandwidth.At(now.UTC()); got != want {
			t.Errorf("at %s: %d, not %d", at, got, want)
		}
	}
}
