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
	// A verify by hand is shown with what it found, and its plain bytes are not compared with stored ones.
	k.heard = archive.VerifyFindings{
		At: at.Add(time.Hour), Problems: 2, Bytes: 19, ReadBytes: 21,
		First: []archive.Problem{{Kind: "damaged", Object: "data/00000009.jdb", Snapshots: []int64{7}}},
	}
	k.verification.ReadBytes, k.verification.ReadTotal = 3, 4
	v := k.latest()
	if v.Problems != 2 || len(v.Found) != 1 || v.Found[0] != "damaged: data/00000009.jdb (needed by snapshot 7)" {
		t.Errorf("%+v", v)
	}
	if v.Bytes != 0 || v.PlainBytes != 21 || v.BytesTotal != 19 || v.ReadBytes != 3 || v.ReadTotal != 4 {
		t.Errorf("%+v", v)
	}
}
