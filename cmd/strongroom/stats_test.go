package main

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/archive/cost"
)

func gib(n int64) int64 { return n << 30 }

// stated returns the text and the JSON of an archive's figures.
func stated(t *testing.T, s *archiveStats) (text, doc string) {
	t.Helper()
	var b bytes.Buffer
	if err := s.print(&b); err != nil {
		t.Fatal(err)
	}
	j, err := json.Marshal(s)
	if err != nil {
		t.Fatal(err)
	}
	return b.String(), string(j)
}

// A forecast states when an archive reaches twice its size and fills its disk, with the price of that size.
func TestStatsForecast(t *testing.T) {
	t.Parallel()
	price, err := cost.ParsePrice("0.02")
	if err != nil {
		t.Fatal(err)
	}
	prices := &cost.Prices{Currency: "USD", Classes: map[string]cost.Class{"default": {Storage: &price}}}
	day := func(n int) time.Time { return time.Date(2026, 11, n, 0, 0, 0, 0, time.UTC) }
	free := gib(50)
	s := &archive.Stats{
		Snapshots: make([]archive.Snapshot, 3), Stored: []cost.Stored{{Class: "STANDARD", Objects: 7, Bytes: gib(20)}},
		Growth: &cost.Growth{Snapshots: 3, Since: day(1), Until: day(11), MeasuredMS: 36 * 3600 * 1000, StoredPerDay: gib(1), SizePerDay: -gib(2), IsEnough: true},
	}
	text, doc := stated(t, newStats("orders", s, prices, &free, day(11)))
	for _, want := range []string{
		"orders: 3 snapshots, 7 objects, 20.0 GiB\n", "STANDARD  7        20.0 GiB\n", "it costs about 0.40 USD per month\n",
		"1.0 GiB were stored per day, as 3 snapshots from 2026-11-01 to 2026-11-11 show; one snapshot became smaller by 2.0 GiB per day; " +
			"what was stored for pruned snapshots is not known, so this comes from 36 hours of 10 days; if nothing is pruned, this means:\n",
		"in 30 days: 50.0 GiB, about 1.00 USD per month\n", "in 365 days: 385.0 GiB, about 7.70 USD per month\n",
		"twice the size: on 2026-12-01, at 40.0 GiB, about 0.80 USD per month\n",
		"the disk of the destination is full: on 2026-12-31, at 70.0 GiB\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in\n%s", want, text)
		}
	}
	for _, want := range []string{
		`"what":"twice the size","at":"2026-12-01T00:00:00Z","bytes":42949672960,"price":{"currency":"USD","per_month":"0.8","unknown":[]}`,
		`"enough":true,"stored_per_day":1073741824,"size_per_day":-2147483648`, `"free":53687091200`,
	} {
		if !strings.Contains(doc, want) {
			t.Errorf("%q is not in\n%s", want, doc)
		}
	}
}

// What is not known is stated, and not left out: a price, a growth of too few snapshots, and none at all.
func TestStatsAreHonest(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)
	stored := []cost.Stored{{Objects: 7, Bytes: 4096}}
	few := &cost.Growth{Snapshots: 2, Since: now, Until: now.Add(26 * time.Hour), MeasuredMS: 26 * 3600 * 1000, StoredPerDay: 100, SizePerDay: 100}
	still := &cost.Growth{Snapshots: 9, Since: now, Until: now.AddDate(0, 0, 9), IsEnough: true}
	for _, test := range []struct {
		what   string
		growth *cost.Growth
		want   string
		n      int // of the forecasts
	}{
		{"none", nil, "there is no forecast: no two snapshots follow each other directly", 0},
		{"few", few, "there is no growth per day yet: it needs three snapshots, and there are 2\n", 0},
		{"still", still, "twice the size: not within a hundred years\n", 3},
	} {
		s := newStats("orders", &archive.Stats{Stored: stored, Growth: test.growth}, nil, nil, now)
		text, doc := stated(t, s)
		if !strings.Contains(text, test.want) || !strings.Contains(text, "what it costs is not known: the configuration has no prices") ||
			len(s.Forecast) != test.n || !strings.Contains(doc, `"price":null`) || !strings.Contains(doc, `"free":null`) {
			t.Errorf("%s:\n%s%s", test.what, text, doc)
		}
	}
}

// Snapshots that are too few, or too close, make no figures per day, and the text states what exactly is lacking. Its
// bounds are those of the growth itself.
func TestStatsStateWhatIsLacking(t *testing.T) {
	t.Parallel()
	const (
		number  = "it needs three snapshots"
		span    = "it needs 20 hours from the first snapshot to the last"
		between = "it needs an hour between snapshots and their predecessors"
	)
	for _, test := range []struct {
		minutes []int // when the snapshots were made
		pruned  int   // the index of the snapshot whose predecessor is gone; 0 for none
		want    []string
	}{
		{[]int{0, 30}, 0, []string{number + ", and there are 2", span + ", and there are 30m0s", between + ", and there are 30m0s"}},
		{[]int{0, 1200}, 0, []string{number}},
		{[]int{0, 1, 2}, 0, []string{span + ", and there are 2m0s", between}},
		{[]int{0, 60, 1199}, 0, []string{span + ", and there are 19h59m0s"}},
		{[]int{0, 59, 1300}, 2, []string{between + ", and there are 59m0s"}},
		{[]int{0, 60, 1300}, 2, nil},
		{[]int{0, 60, 1200}, 0, nil},
	} {
		var all []cost.Snapshot
		for i, m := range test.minutes {
			s := cost.Snapshot{
				Sequence: int64(i + 1), Parent: int64(i), Bytes: 4096, Stored: 4096, Added: 100,
				Created: time.Date(2026, 11, 22, 0, m, 0, 0, time.UTC),
			}
			if test.pruned > 0 && i == test.pruned {
				s.Parent = 99
			}
			all = append(all, s)
		}
		s := newStats("orders", &archive.Stats{Growth: cost.GrowthOf(all)}, nil, nil, all[0].Created)
		text, doc := stated(t, s)
		enough := len(test.want) == 0
		if s.Growth.IsEnough != enough || strings.Contains(text, "there is no growth per day yet") == enough ||
			strings.Contains(doc, `"stored_per_day":null,"size_per_day":null`) == enough {
			t.Errorf("%v:\n%s%s", test.minutes, text, doc)
		}
		for _, one := range test.want {
			if !strings.Contains(text, one) {
				t.Errorf("%v: %q is not in\n%s", test.minutes, one, text)
			}
		}
		if n := strings.Count(text, "it needs"); n != len(test.want) {
			t.Errorf("%v: %d things are lacking, want %d:\n%s", test.minutes, n, len(test.want), text)
		}
	}
}

// Figures that do not fit come from damaged or forged records, or from a provider with a fault. They make no
// forecast and no price, and no number is negative.
func TestStatsOfFiguresThatDoNotFit(t *testing.T) {
	t.Parallel()
	now, free := time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC), int64(cost.Unbounded)
	price, err := cost.ParsePrice("0.02")
	if err != nil {
		t.Fatal(err)
	}
	prices := &cost.Prices{Currency: "USD", Classes: map[string]cost.Class{"default": {Storage: &price}}}
	growth := func(stored, size int64) *cost.Growth {
		return &cost.Growth{
			Snapshots: 9, Since: now.AddDate(0, 0, -9), Until: now, StoredPerDay: stored, SizePerDay: size,
			IsEnough: stored != cost.Unbounded,
		}
	}
	for _, test := range []struct {
		stored int64
		growth *cost.Growth
		want   string
		n      int
	}{
		{4096, growth(cost.Unbounded, cost.Unbounded), "there is no forecast: the snapshots have figures that no", 0},
		{cost.Unbounded, growth(100, -cost.Unbounded), "there is no forecast, since the size of the archive", 0},
		{cost.Unbounded - 5, growth(100, 100), "in 30 days: at least 8.0 EiB\n", 4},
		{cost.Unbounded - 5, growth(100, 100), "twice the size: not within a hundred years\n", 4},
	} {
		found := &archive.Stats{Stored: []cost.Stored{{Objects: 7, Bytes: test.stored}}, Growth: test.growth, HasMore: true}
		s := newStats("orders", found, prices, &free, now)
		text, doc := stated(t, s)
		if !strings.Contains(text, test.want) || !strings.HasPrefix(text, "orders: at least 0 snapshots, ") ||
			len(s.Forecast) != test.n || strings.Contains(doc, `bytes":-`) || strings.Contains(text, " -") || !strings.Contains(doc, `"more_snapshots":true`) {
			t.Errorf("%s\n%s", text, doc)
		}
	}
}
