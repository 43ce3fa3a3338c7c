package file

import (
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// What goes to and from a directory counts.
func TestBandwidthOfADirectory(t *testing.T) {
	storetest.Throttled(t, open(t, "file://"+t.TempDir(), cloud.Options{Bandwidth: cloud.NewBandwidth(func(time.Time) int64 { return 1 << 20 })}))
}
