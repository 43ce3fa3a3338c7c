package checker

import (
	"testing"

	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
	"github.com/strongroom-dev/strongroom/store"
)

// A report of a repair names each restored manifest once, whatever else is wrong: a list that lacks one hides that the
// archive had lost it.
func TestRestoredParentIsReportedOnce(t *testing.T) {
	t.Parallel()
	key := manifest.ManifestKey(2)
	for problem, want := range map[string]int{"data/a/1": 1, key: 0} {
		r := &repairRun{outcome: map[string]error{}, verifyRun: &verifyRun{
			report: &values.VerifyReport{Problems: []values.Problem{{Object: problem}}}, repairProgress: &repairProgress{mended: map[string]bool{}},
		}}
		r.noteParent(key, 3, &manifest.Ref{Sequence: 2})
		if len(r.report.Repaired) != want {
			t.Errorf("beside the problem of %s: %+v", problem, r.report.Repaired)
		}
	}
}

// An object with an MD5 that the manifests lack cannot be compared. Verify must not report it as
// damaged.
func TestChecksumThatManifestsLackIsNoProblem(t *testing.T) {
	t.Parallel()
	v := &verifyRun{report: &values.VerifyReport{}}
	v.compare(&store.Object{Key: "data/x", MD5: "0123"}, &need{})
	if v.report.Compared != 0 || v.report.Uncompared != 1 || len(v.report.Problems) > 0 {
		t.Errorf("%+v", v.report)
	}
}
