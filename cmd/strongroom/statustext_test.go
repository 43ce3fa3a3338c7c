package main

import (
	"bytes"
	"strings"
	"testing"
	"time"
)

// A status that ends with another code than 0 says why.
func TestStatusExplains(t *testing.T) {
	at := time.Date(2026, 11, 1, 2, 0, 0, 0, time.UTC)
	s := archiveStatus{
		Name:             "orders",
		LastVerification: &verification{At: at, Problems: 2, Found: []string{"missing: data/00000007.jdb"}},
		LastDrill:        &drillStatus{At: at, Snapshot: 7, Error: "DbVerify: exit status 1"},
		Tasks:            []taskStatus{{Name: "verify", LastFailure: &failedLast{At: at, Error: "long ago"}}, {Name: "prune", FailuresInRow: 3, LastFailure: &failedLast{At: at, Error: "403 AccessDenied"}}},
	}
	var b bytes.Buffer
	s.explain(&b)
	for _, want := range []string{"found 2 problems\n    missing: data/00000007.jdb\n", "of snapshot 7 at ", "failed: DbVerify: exit status 1", "the last prune could not be done, 3 times in a row", "403 AccessDenied"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("no %q in %s", want, b.String())
		}
	}
	if strings.Contains(b.String(), "long ago") {
		t.Errorf("what has been mended is told: %s", b.String())
	}
}
