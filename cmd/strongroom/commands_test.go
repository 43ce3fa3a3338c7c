package main

import (
	"errors"
	"slices"
	"testing"

	"github.com/strongroom-dev/strongroom/archive"
	"github.com/strongroom-dev/strongroom/manifest"
)

// The second command is told of the destinations in their order, also of more than nine, and of
// one that panicked as of one that failed.
func TestResult(t *testing.T) {
	made := func(name string, n int64) ran {
		s := &manifest.Summary{}
		s.Sequence = n
		return ran{name: name, begun: true, res: &archive.BackupResult{Committed: true, Snapshot: s}}
	}
	for _, test := range []struct {
		all  []ran
		want []string
	}{
		{[]ran{made("a.10", 3), made("a", 1), made("a.2", 2)}, []string{"STRONGROOM_RESULT=made", "STRONGROOM_SNAPSHOT=1 2 3"}},
		{[]ran{{name: "a", begun: true}, made("a.2", 2)}, []string{"STRONGROOM_RESULT=failed", "STRONGROOM_SNAPSHOT=2"}},
		{[]ran{{name: "a", err: errors.New("no answer"), res: &archive.BackupResult{}}}, []string{"STRONGROOM_RESULT=failed"}},
		{[]ran{{name: "a", res: &archive.BackupResult{}}}, []string{"STRONGROOM_RESULT=unchanged"}},
	} {
		if got := result(test.all); !slices.Equal(got, test.want) {
			t.Errorf("%q, not %q", got, test.want)
		}
	}
}
