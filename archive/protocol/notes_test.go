package protocol

import "fmt"

// emit ends the step.
func (t turn) emit(format string, args ...any) { t.emitErr("", format, args...) }

func (t turn) emitErr(err, format string, args ...any) { t.emitNote(err, "", format, args...) }

func (t turn) emitNote(err, suffix, format string, args ...any) {
	*t.out = append(*t.out, successor{state: t.s, err: err})
	if t.m.tracing {
		note := fmt.Sprintf(format, copied(args)...)
		(*t.out)[len(*t.out)-1].note = t.m.name(t.i) + " " + note + suffix
	}
}

// copied returns copies of the arguments of a note. So no argument escapes from a step, and the
// millions of steps without a note allocate nothing.
func copied(args []any) (all []any) {
	for _, arg := range args {
		switch arg := arg.(type) {
		case int:
			all = append(all, arg)
		case int8:
			all = append(all, arg)
		case objects:
			all = append(all, arg)
		case author:
			all = append(all, arg)
		case numbers:
			all = append(all, arg)
		case *record:
			r := *arg
			all = append(all, &r)
		default:
			all = append(all, "(an argument of a type that copied does not have)")
		}
	}
	return all
}

func (m *model) name(i int) string {
	p := m.cast[i]
	kind := p.job.String()
	if p.store == 1 {
		kind += " of the copy"
	}
	return fmt.Sprintf("%s (actor %d)", kind, i+1)
}
