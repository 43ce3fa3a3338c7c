package s3

import (
	"net/http"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/internal/cloud"
	"github.com/strongroom-dev/strongroom/store/storetest"
)

// The bandwidth limit applies to the traffic with a service in both directions.
func TestBandwidthOfAService(t *testing.T) {
	var o object
	_, s := newFake(t, cloud.Options{Bandwidth: cloud.NewBandwidth(func(time.Time) int64 { return 1 << 20 })}, func(w http.ResponseWriter, r *http.Request) { o.serve(w, r, false) })
	storetest.Throttled(t, s)
}
