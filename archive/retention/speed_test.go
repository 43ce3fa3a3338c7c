package retention_test

import (
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive/retention"
)

// BenchmarkApply judges 100,000 snapshots, one in 15 minutes and every 50th damaged.
func BenchmarkApply(b *testing.B) {
	all := make([]retention.Snapshot, 100_000)
	at := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range all {
		all[i] = retention.Snapshot{Sequence: int64(i + 1), Created: at.Add(time.Duration(i) * 15 * time.Minute), Damaged: i%50 == 0}
	}
	const endless = 1 << 20
	for name, p := range map[string]retention.Policy{
		"usual":   {Last: 96, Daily: 14, Weekly: 8, Monthly: 12, Within: 48 * time.Hour},
		"endless": {Last: 96, Hourly: endless, Daily: endless, Weekly: endless, Monthly: endless, Yearly: endless, Within: 48 * time.Hour},
	} {
		b.Run(name, func(b *testing.B) {
			p.Location = zone("Europe/Berlin")
			for b.Loop() {
				if _, err := p.Apply(all); err != nil {
					b.Fatal(err)
				}
			}
			if each := b.Elapsed() / time.Duration(b.N); each > time.Second {
				b.Errorf("%s for one policy: far over the 100 ms that it may take", each)
			}
		})
	}
}
