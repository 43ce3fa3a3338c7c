package guard

import (
	"github.com/strongroom-dev/strongroom/archive/values"
	"github.com/strongroom-dev/strongroom/manifest"
)

// LeaveOut reports the files that match the layout and that the set does not have.
func (r *Source) LeaveOut() {
	var first *values.Omission // of those that have no warning of their own
	others := 0
	for _, f := range r.Capture.Ignored {
		if f.Normal {
			continue
		}
		r.Res.Omitted = append(r.Res.Omitted, values.Omission{Name: f.Name, Size: f.Size, Why: f.Why})
		if f.Suspicious {
			r.Res.LeftOut = append(r.Res.LeftOut, f.Name)
			r.Warn("%s is left out: %s", f.Name, f.Why)
			continue
		}
		if others++; first == nil {
			first = &values.Omission{Name: f.Name, Size: f.Size, Why: f.Why}
		}
	}
	switch {
	case others == 1:
		r.Warn("%q matches the layout and is left out: %s", first.Name, first.Why)
	case others > 1:
		r.Warn("%d files that match the layout are left out, such as %q: %s", others, first.Name, first.Why)
	}
	r.LeftOut = leftOutNote(r.Res.Omitted)
}

// leftOutNote returns the manifest's note of omitted files; nil if there are none.
func leftOutNote(omitted []values.Omission) *manifest.LeftOut {
	if len(omitted) == 0 {
		return nil
	}
	return &manifest.LeftOut{Files: int64(len(omitted)), Example: exampleOf(omitted)}
}

// exampleOf returns the name of one of the files. The source may have names that the format does not allow, which then
// are encoded: a file that is not archived must not prevent the snapshot of the others.
func exampleOf(omitted []values.Omission) string {
	for i := range omitted {
		if manifest.CheckName(omitted[i].Name) == nil {
			return omitted[i].Name
		}
	}
	if name := manifest.EncodeName(omitted[0].Name); manifest.CheckName(name) == nil {
		return name
	}
	return "?"
}
