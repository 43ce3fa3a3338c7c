package localstate

import (
	"testing"
	"testing/synctest"
	"time"
)

// Each write would otherwise list the state of all archives: a service with 2,000 of them would do little else.
func TestSweepIsDueOnceAnHour(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		for hour := range 3 {
			for i, want := range []bool{true, false, false} {
				if got := isSweepDue(dir); got != want {
					t.Errorf("hour %d, write %d: %v", hour, i, got)
				}
			}
			time.Sleep(tempAge + time.Second)
		}
	})
}
