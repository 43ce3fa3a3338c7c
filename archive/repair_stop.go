package archive

import "errors"

// untried returns the problems that a repair leaves when it ends early, and counts as repaired those
// of objects that it had put back.
func (r *repairing) untried(problems []Problem) []Problem {
	var left []Problem
	for _, p := range problems {
		if err, known := r.outcome[p.Object]; known && err == nil {
			r.report.Repaired = append(r.report.Repaired, p)
			continue
		}
		left = append(left, p)
	}
	return left
}

// endsRepair reports whether an error means that the archive is not there any more, or another one
// in its place: then nothing more may be changed.
func endsRepair(err error) bool { return errors.Is(err, ErrGone) || errors.Is(err, errOtherID) }

// stopped returns the report of a repair that ends with an error; nil: none had begun.
func (v *verification) stopped() *VerifyReport {
	if v.begun == nil && len(v.repaired) == 0 {
		return nil
	}
	if v.begun == nil { // the ledger alone
		v.begun = &VerifyReport{Problems: []Problem{}, Damaged: []Damage{}, Nested: []Nested{}}
	}
	v.begun.Repaired = v.repaired
	v.report = v.begun
	v.finish()
	return v.report
}
