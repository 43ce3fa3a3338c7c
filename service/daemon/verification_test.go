package daemon

import (
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/service/web"
)

// The findings of the service's own verification are not reported as those of a later one by hand.
func TestLatestVerification(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	k := archiveFacts{verification: web.Verification{At: at, Problems: 1, Found: []string{"missing: data/00000007.jdb"}}}
	k.heard = archive.VerifyFindings{At: at.Add(-time.Minute), Problems: 3}
	if v := k.latest(); v.Problems != 1 || len(v.Found) != 1 {
		t.Errorf("%+v", v)
	}
	k.heard = archive.VerifyFindings{At: at.Add(time.Hour), Problems: 2}
	if v := k.latest(); v.Problems != 2 || len(v.Found) != 0 {
		t.Errorf("%+v", v)
	}
}
