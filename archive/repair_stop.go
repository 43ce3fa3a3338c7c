package archive

import (
	"errors"

	"github.com/strongroom-dev/strongroom/archive/internal/repo"
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/store"
)

// untriedProblems returns the problems that a repair leaves when it ends early. It counts the problems of
// restored objects as repaired.
func (r *repairRun) untriedProblems(problems []values.Problem) []values.Problem {
	var left []values.Problem
	for _, p := range problems {
		if err, known := r.outcome[p.Object]; known && err == nil {
			r.report.Repaired = append(r.report.Repaired, p)
			continue
		}
		left = append(left, p)
	}
	return left
}

// endsRepair reports whether an error means that the archive no longer exists or was replaced by another one.
// The repair then must not change anything more.
func endsRepair(err error) bool {
	return errors.Is(err, store.ErrGone) || errors.Is(err, repo.ErrOtherID)
}

// stoppedReport returns the report of a repair that ends with an error; nil if no repair had begun.
func (v *verifyRun) stoppedReport() *values.VerifyReport {
	if v.lastReport == nil && len(v.repaired) == 0 {
		return nil
	}
	if v.lastReport == nil { // only the ledger was repaired
		v.lastReport = &values.VerifyReport{Problems: []values.Problem{}, Damaged: []values.Damage{}, Nested: []values.Nested{}}
	}
	v.lastReport.Repaired = v.repaired
	v.report = v.lastReport
	v.finish()
	return v.report
}
