package daemon

import (
	"strings"
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

// A verification that could read nothing back, since all is frozen, does not read as a sound one: not in the task's result,
// and not on the page, in the API or in the state, which have the number.
func TestVerificationOfFrozenObjects(t *testing.T) {
	t.Parallel()
	at := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	v := verificationOf(&archive.VerifyReport{Objects: 3, Bytes: 9, Frozen: 3, Unthawed: 3}, at)
	if s := verified(&v); v.Unthawed != 3 || !v.At.Equal(at) || !strings.Contains(s, "3 objects could not be read back") {
		t.Errorf("%q, %+v", s, v)
	}
	v = verificationOf(&archive.VerifyReport{Objects: 3, Bytes: 9}, at)
	if s := verified(&v); strings.Contains(s, "thaw") {
		t.Errorf("%q", s)
	}
	k := archiveFacts{verification: web.Verification{At: at, Unthawed: 3}}
	k.heard = archive.VerifyFindings{At: at.Add(time.Hour)}
	if v := k.latest(); v.Unthawed != 0 {
		t.Errorf("a later verify by hand has the earlier one's number: %+v", v)
	}
}
