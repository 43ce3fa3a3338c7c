package retention_test

import (
	"fmt"
	"time"

	"github.com/strongroom-dev/strongroom/archive/retention"
)

func ExamplePolicy_Apply() {
	noon := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	policy := retention.Policy{Daily: 2, Weekly: 2}
	verdicts, err := policy.Apply([]retention.Snapshot{
		{Sequence: 1, Created: noon.AddDate(0, 0, -5), Held: "before the upgrade"},
		{Sequence: 2, Created: noon},
		{Sequence: 3, Created: noon.AddDate(0, 0, 1)},
		{Sequence: 4, Created: noon.AddDate(0, 0, 2)},
		{Sequence: 5, Created: noon.AddDate(0, 0, 2).Add(time.Hour), Damaged: true},
		{Sequence: 6, Created: noon.AddDate(0, 0, 3)},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, v := range verdicts {
		fmt.Println(v.Sequence, v.Keep, v.Why)
	}
	// Output:
	// 1 true [held: before the upgrade]
	// 2 false []
	// 3 false []
	// 4 true [daily 2026-11-22 weekly 2026-W47]
	// 5 false []
	// 6 true [newest newest good daily 2026-11-23 weekly 2026-W48]
}
