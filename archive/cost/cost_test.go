package cost

import (
	"encoding/json"
	"math"
	"slices"
	"strings"
	"testing"
	"time"
)

func price(t *testing.T, text string) *Amount {
	t.Helper()
	a, err := ParsePrice(text)
	if err != nil {
		t.Fatal(err)
	}
	return &a
}

// An amount that is not zero is never shown as zero, and one above a cent has no more digits than people read. In JSON it
// keeps its digits.
func TestAmountsAreNeverRoundedToZero(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		price   string
		n, per  int64
		text, j string
	}{
		{"0.09", GiB, GiB, "0.09", `"0.09"`},
		{"0.09", 0, GiB, "0", `"0"`},
		{"0", GiB, GiB, "0", `"0"`},
		{"0.0004", 1, 1000, "less than 0.000001", `"0.0000004"`},
		{"0.0004", 30, 1000, "0.000012", `"0.000012"`},
		{"0.0004", 1234, 1000, "0.00049", `"0.0004936"`},
		{"0.05", 1, 10, "0.005", `"0.005"`},
		{"0.999", 1, 1, "1.00", `"0.999"`},
		{"1", 1, 1, "1.00", `"1"`},
		{"10", 1, 1, "10.00", `"10"`},
		{"0.09", 1 << 50, GiB, "94371.84", `"94371.84"`},
		{"999999999", math.MaxInt64, GiB, "8589934583410065407.07", `"8589934583410065407.068677426316"`},
		{"0.000000000001", 1, GiB, "less than 0.000001", `"0.000000000000000000000931322574615478515625"`},
	} {
		a := price(t, test.price).Times(test.n, test.per)
		text := a.String()
		if text != test.text {
			t.Errorf("%s × %d/%d is shown as %s, not %s", test.price, test.n, test.per, text, test.text)
		}
		b, err := json.Marshal(a)
		if err != nil || string(b) != test.j {
			t.Errorf("%s × %d/%d is %s in JSON, not %s (%v)", test.price, test.n, test.per, b, test.j, err)
		}
		var again Amount
		if err := json.Unmarshal(b, &again); err != nil || a.IsZero() != again.IsZero() {
			t.Errorf("%s: %v, %v", b, again, err)
		}
	}
	var sum Amount
	for range 10 {
		sum = sum.Plus(*price(t, "0.1"))
	}
	if b, _ := sum.MarshalText(); string(b) != "1" {
		t.Errorf("ten times 0.1 is %s", b)
	}
}

// A class without a price is priced as default, or named as unknown: it is never free silently. A price that a class
// lacks does not come from the default class, where it may be free.
func TestUnknownPricesAreNamed(t *testing.T) {
	t.Parallel()
	p := &Prices{
		Currency: "USD", Egress: price(t, "0.09"),
		Classes: map[string]Class{
			"STANDARD_IA": {Requests: price(t, "0.001"), Retrieval: price(t, "0.01")},
			DefaultClass:  {Storage: price(t, "0.02"), Requests: price(t, "0.0004"), Retrieval: price(t, "0")},
		},
	}
	reads := []Read{
		{Kind: "data", Class: "standard_ia", Objects: 1, Bytes: 2 * GiB, Requests: 1000},
		{Kind: "data", Class: "", Objects: 1, Bytes: GiB, Requests: 500},
		{Kind: "bundle", Class: "NEW", Objects: 1, Bytes: GiB, Requests: 500},
	}
	r := p.PriceReads(reads)
	b, err := json.Marshal(r)
	const want = `{"currency":"USD","total":"0.3814","egress":"0.36","requests":"0.0014","retrieval":"0.02","unknown":[]}`
	if err != nil || string(b) != want {
		t.Errorf("%s, %v", b, err)
	}
	if text := r.String(); text != "about 0.38 USD (egress 0.36, requests 0.0014, retrieval 0.02)" {
		t.Error(text)
	}
	m := p.PriceMonth([]Stored{{"NEW", 1, 10 * GiB}, {"STANDARD_IA", 1, GiB}})
	if text := m.String(); text != "0.20 USD and more per month; the configuration has no price for: storage of the class STANDARD_IA" {
		t.Error(text)
	}
	delete(p.Classes, DefaultClass)
	p.Egress = nil
	r = p.PriceReads(reads)
	if want := []string{"egress", "requests of objects without a class", "retrieval of objects without a class", "requests of the class NEW", "retrieval of the class NEW"}; !slices.Equal(r.Unknown, want) {
		t.Errorf("%q", r.Unknown)
	}
	if text := (&Prices{Currency: "EUR"}).PriceReads(reads).String(); !strings.HasPrefix(text, "an unknown amount of EUR; the configuration has no price for: egress, ") {
		t.Error(text)
	}
	var none *Prices
	if none.PriceReads(reads) != nil || none.PriceMonth(nil) != nil || (*MonthPrice)(nil).Scaled(1, 2) != nil {
		t.Error("without prices there is a price")
	}
	if r := p.PriceReads(nil); !r.Total.IsZero() || len(r.Unknown) > 0 || r.String() != "0 USD" {
		t.Errorf("reading nothing costs %v", r)
	}
}

// The time of a restore comes from restores of a similar size. Bytes bind one restore, and the number of files another.
func TestEstimatedTime(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	size := func(n int64) string { return time.Duration(n).String() }
	m := func(files, bytes, ms int64) Measurement {
		return Measurement{At: at, Kind: Drill, Files: files, Bytes: bytes, MS: ms}
	}
	for _, test := range []struct {
		what         string
		measured     []Measurement
		files, bytes int64
		least, most  int64
		n            int
		rough        bool
	}{
		{"the same", []Measurement{m(10, 1000, 500)}, 10, 1000, 500, 500, 1, false},
		{"twice the bytes", []Measurement{m(10, 1000, 500)}, 10, 2000, 1000, 1000, 1, false},
		{"many more files", []Measurement{m(10, 1000, 500)}, 100, 1000, 5000, 5000, 1, false},
		{"a slow one and a fast one", []Measurement{m(10, 1000, 500), m(10, 1000, 900)}, 10, 1000, 500, 900, 2, false},
		{"a small one does not count beside a large one", []Measurement{m(10, 100000, 500), m(1, 10, 500)}, 10, 100000, 500, 500, 1, false},
		{"only a small one", []Measurement{m(1, 10, 5), m(1, 100, 5)}, 1, 10000, 500, 500, 1, true},
		{"nothing to restore", []Measurement{m(1, 10, 5)}, 0, 0, 0, 0, 1, false},
		{"forged", []Measurement{m(1, 1, math.MaxInt64), m(-1, -1, -1)}, 1 << 40, 1 << 60, math.MaxInt64 / 1_000_000, math.MaxInt64 / 1_000_000, 1, true},
	} {
		got := EstimateTime(test.measured, test.files, test.bytes)
		if got == nil || got.LeastMS != test.least || got.MostMS != test.most || len(got.Measured) != test.n || got.Rough != test.rough {
			t.Errorf("%s: %+v", test.what, got)
		}
		if text := got.Describe(size); !strings.HasPrefix(text, "takes about ") || !strings.Contains(text, "2026-11-20") {
			t.Errorf("%s: %s", test.what, text)
		}
	}
	for _, none := range [][]Measurement{nil, {m(0, 0, 0)}, {m(1, 0, 5)}, {m(1, 5, 0)}} {
		if got := EstimateTime(none, 1, 1); got != nil {
			t.Errorf("%+v shows a rate: %+v", none, got)
		}
	}
}

// history returns snapshots at these hours. Each adds a number of bytes, and keeps those of the others.
func history(added int64, hours ...int) []Snapshot {
	var all []Snapshot
	for i, h := range hours {
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).Add(time.Duration(h) * time.Hour)
		n := int64(i + 1)
		all = append(all, Snapshot{Sequence: n, Parent: n - 1, Created: at, Bytes: added * n, Stored: added * n, Added: added})
	}
	return all
}

// Growth is what was stored for snapshots that have their predecessor: what was stored for pruned ones is not known.
func TestGrowth(t *testing.T) {
	t.Parallel()
	g := GrowthOf(history(1000, 0, 12, 24, 36, 48))
	if g == nil || g.StoredPerDay != 2000 || g.SizePerDay != 2000 || !g.IsEnough || g.Snapshots != 5 {
		t.Fatalf("%+v", g)
	}
	if at, ok := g.When(g.Until, 5000, 10_000); !ok || at != g.Until.Add(60*time.Hour) {
		t.Errorf("%v, %v", at, ok)
	}
	if n := g.After(5000, 30); n != 65_000 {
		t.Errorf("%d", n)
	}
	pruned := history(1000, 0, 12, 24, 36, 48)
	pruned = slices.Delete(pruned, 1, 3)
	if g := GrowthOf(pruned); g == nil || g.StoredPerDay != 2000 || g.MeasuredMS != 12*3600*1000 || !g.IsEnough {
		t.Errorf("with pruned snapshots: %+v", g)
	}
	// A retention keeps the last 96 snapshots, 15 minutes apart, and one of each day before them.
	thinned := history(1000, 0, 24)
	for i := range 96 {
		at := thinned[0].Created.Add(48*time.Hour + time.Duration(i)*15*time.Minute)
		thinned = append(thinned, Snapshot{Sequence: int64(i + 200), Parent: int64(i + 199), Created: at, Bytes: 9000, Stored: 9000, Added: 100})
	}
	thinned[1].Parent = 0
	if g := GrowthOf(thinned); g == nil || g.StoredPerDay != 9600 || !g.IsEnough {
		t.Errorf("with a retention: %+v", g)
	}
	if g := GrowthOf(thinned[2:]); g == nil || g.StoredPerDay != 9600 || !g.IsEnough {
		t.Errorf("with the last 96: %+v", g)
	}
	packed := history(1000, 0, 24, 48)
	for i := range packed {
		packed[i].Stored /= 4
	}
	if g := GrowthOf(packed); g == nil || g.StoredPerDay != 250 {
		t.Errorf("compressed: %+v", g)
	}
	old := history(1_000_000, 0, 24)
	recent := history(1000, 24*200, 24*201, 24*202, 24*203)
	for i := range recent {
		recent[i].Sequence, recent[i].Parent = recent[i].Sequence+2, recent[i].Parent+2
	}
	recent[0].Parent = 2
	if g := GrowthOf(append(old, recent...)); g == nil || g.StoredPerDay > 1100 || g.Snapshots > 5 {
		t.Errorf("growth of long ago counts: %+v", g)
	}
}

// Few snapshots, clocks that went back and archives that do not grow make no forecast.
func TestGrowthIsHonest(t *testing.T) {
	t.Parallel()
	back := history(1000, 48, 24, 0)
	for what, all := range map[string][]Snapshot{
		"none": nil, "one": history(1, 0), "at one moment": history(1, 5, 5, 5), "backwards": back,
		"no predecessors": slices.Delete(history(1, 0, 24, 48), 1, 2),
	} {
		if g := GrowthOf(all); g != nil {
			t.Errorf("%s: %+v", what, g)
		}
	}
	for what, all := range map[string][]Snapshot{"two": history(1, 0, 48), "three within an hour": history(1, 0, 0, 1), "three within 19 hours": history(1, 0, 1, 19)} {
		if g := GrowthOf(all); g == nil || g.IsEnough {
			t.Errorf("%s: %+v", what, g)
		}
	}
	still := GrowthOf(history(0, 0, 24, 48))
	if _, ok := still.When(still.Until, 100, 200); ok || still.StoredPerDay != 0 {
		t.Errorf("%+v", still)
	}
	slow := GrowthOf(history(1, 0, 24, 48))
	if _, ok := slow.When(slow.Until, 100, math.MaxInt64); ok {
		t.Error("a forecast of more than a hundred years")
	}
	huge := GrowthOf(history(math.MaxInt64/8, 0, 24, 48))
	if n := huge.After(math.MaxInt64/2, 1<<40); n != math.MaxInt64 {
		t.Errorf("%d", n)
	}
}

// A thaw costs per object and per GiB of whole objects, by tier, and its copies cost storage for some days. What has no
// price is named, and the price of reading is no price of a thaw.
func TestPriceOfAThaw(t *testing.T) {
	t.Parallel()
	p := &Prices{Currency: "USD", Classes: map[string]Class{
		"STANDARD": {Storage: price(t, "0.03")},
		"GLACIER": {Retrieval: price(t, "7"), Thaw: &Thaws{
			Standard: Thaw{Requests: price(t, "0.05"), Retrieval: price(t, "0.01")},
			Bulk:     Thaw{Requests: price(t, "0.025"), Retrieval: price(t, "0")},
		}},
	}}
	frozen := []Frozen{{"GLACIER", "STANDARD", 2000, 100 * GiB}}
	for tier, want := range map[string]string{
		"standard":  "about 1.40 USD (requests 0.10, retrieval 1.00, temporary copies 0.30)",
		"bulk":      "about 0.35 USD (requests 0.05, temporary copies 0.30)",
		"expedited": "0.30 USD and more; the configuration has no price for: thaw requests of the class GLACIER (expedited), thaws of the class GLACIER (expedited)",
	} {
		if got := p.PriceThaw(frozen, tier, 3).String(); got != want {
			t.Errorf("%s: %s", tier, got)
		}
	}
	if got := p.PriceThaw([]Frozen{{"ARCHIVE_ACCESS", "", 1, 1}}, "bulk", 3).Unknown; len(got) != 2 {
		t.Errorf("%q", got)
	}
	if (*Prices)(nil).PriceThaw(frozen, "bulk", 3) != nil {
		t.Error("without prices there is a price")
	}
}

// Many small restores, such as of single files, do not displace the one that shows how long a whole snapshot takes. The
// newest stay too: a database may have become smaller.
func TestKeptMeasurements(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	var all []Measurement
	add := func(bytes int64) {
		all = Keep(append(all, Measurement{At: at, Kind: Restore, Files: 1, Bytes: bytes, MS: 1}))
		at = at.Add(time.Hour)
	}
	sizes := func() (n []int64) {
		for i := range all {
			n = append(n, all[i].Bytes)
		}
		return n
	}
	add(1000)
	for n := range int64(20) {
		add(n + 1)
	}
	if got := sizes(); !slices.Equal(got, []int64{1000, 14, 15, 16, 17, 18, 19, 20}) {
		t.Errorf("%v", got)
	}
	for range 20 {
		add(2000)
	}
	if got := sizes(); !slices.Equal(got, slices.Repeat([]int64{2000}, 8)) || all[7].At.Sub(all[0].At) != 7*time.Hour {
		t.Errorf("%v", all)
	}
	// Two small restores of one millisecond are equal in all that is recorded. They are two all the same.
	same := slices.Repeat(all[:1], MaxMeasurements+3)
	if got := Keep(same); len(got) != MaxMeasurements {
		t.Errorf("%d of %d equal measurements are kept", len(got), len(same))
	}
	add(0)
	if len(all) != MaxMeasurements || all[7].Bytes != 2000 {
		t.Errorf("one that shows no rate is kept: %v", all)
	}
}

// Forged or damaged records may have any numbers. A figure that does not fit is unknown, and never small or negative: a
// forecast from it would be wrong.
func TestFiguresThatDoNotFit(t *testing.T) {
	t.Parallel()
	if Sum() != 0 || Sum(1, 2, 3) != 6 || Sum(Unbounded, 1) != Unbounded || Sum(1<<62, 1<<62, 1<<62) != Unbounded {
		t.Error("a sum does not end at its bound")
	}
	stored := AddStored(AddStored(AddStored(nil, "A", math.MaxInt64-1), "A", 5), "B", -5)
	if stored[0].Bytes != Unbounded || stored[1].Bytes != 0 {
		t.Errorf("%+v", stored)
	}
	one := price(t, "1")
	p := &Prices{Currency: "USD", Egress: one, Classes: map[string]Class{DefaultClass: {Storage: one, Requests: one, Retrieval: one}}}
	if m := p.PriceMonth(stored); !m.PerMonth.IsZero() || len(m.Unknown) != 1 {
		t.Errorf("%v", m)
	}
	m := p.PriceMonth([]Stored{{"A", 1, GiB}})
	if m.Scaled(GiB, Unbounded) != nil || m.Scaled(Unbounded, GiB) != nil || m.Scaled(GiB, 2*GiB) == nil {
		t.Errorf("%v", m)
	}
	if r := p.PriceReads([]Read{{Bytes: Unbounded, Requests: 1000}}); r.Total.String() != "1.00" || len(r.Unknown) != 2 {
		t.Errorf("%v", r)
	}
	all := history(0, 0, 24, 48)
	for i := range all {
		all[i].Added, all[i].Bytes, all[i].Stored = math.MaxInt64, 1, math.MaxInt64
	}
	all[0].Stored = 0
	g := GrowthOf(all)
	if g.StoredPerDay != Unbounded || g.IsEnough || g.SizePerDay != math.MaxInt64/2 {
		t.Errorf("%+v", g)
	}
	all[2].Stored, all[0].Stored = math.MinInt64, math.MaxInt64
	all[1].Created, all[2].Created = all[0].Created.Add(time.Second), all[0].Created.Add(2*time.Second)
	if g := GrowthOf(all); g.SizePerDay != -Unbounded {
		t.Errorf("%+v", g)
	}
	if _, ok := g.When(g.Until, 5, Unbounded); ok || g.After(5, 1<<40) != Unbounded {
		t.Error("a size that does not fit is reached")
	}
	ages := history(1, 0, 24)
	ages[0].Created, ages[1].Created = time.Unix(-1<<40, 0), time.Unix(1<<40, 0)
	if g := GrowthOf(ages); g.MeasuredMS <= 0 {
		t.Errorf("%+v", g)
	}
}
