package file

import (
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// The bandwidth limit applies to reads and writes of a directory.
func TestBandwidthOfADirectory(t *testing.T) {
	storetest.Throttled(t, open(t, "file://"+t.TempDir(), cloud.Options{Bandwidth: cloud.NewBandwidth(func(time.Time) int64 { return 1 << 20 })}))
}
