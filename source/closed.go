package source

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// classify leaves in l what belongs to the set: the closed files and, where the layout
// keeps it, the tail. The rest moves to l.ignored with the reason.
func (l *listing) classify(layout Layout, now time.Time) {
	stillOpen := layout.closedByNumber(l.entries)
	if layout.quiet > 0 {
		stillOpen = layout.closedByQuiet(now)
	}
	kept := l.entries[:0]
	for _, e := range l.entries {
		if why := stillOpen(&e); why != "" {
			if !layout.tail {
				l.ignored = append(l.ignored, Ignored{e.name, why})
				continue
			}
			e.state = Tail
		}
		kept = append(kept, e)
	}
	l.entries = kept
	slices.SortStableFunc(l.ignored, func(a, b Ignored) int { return strings.Compare(a.Name, b.Name) })
}

// closedByNumber is the rule for logs that are written in ascending order: whatever is
// not the highest of its sequence is closed. It returns a function that tells why a file
// is not closed, or "".
//
// For je and noxu that is not the whole truth. After a crash that left file N+1 empty or
// with nothing but its header, JE goes on appending to N and writes N+1 anew; N is
// closed only when N+1 holds a valid entry after its header. This is the place for that
// condition; it needs the entry readers of source/je and source/noxu. Without it, such
// an N is taken for closed, Unchanged notices when it grows, and the next capture has
// its new bytes.
func (l Layout) closedByNumber(entries []entry) func(*entry) string {
	newest := map[string]uint64{}
	for i := range entries {
		group, number, _ := l.Position(entries[i].name)
		newest[group] = max(newest[group], number)
	}
	return func(e *entry) string {
		if group, number, _ := l.Position(e.name); number < newest[group] {
			return ""
		}
		return "it is the newest of its sequence, which is being written"
	}
}

// closedByQuiet is the rule for files without an order: closed is what has not been
// modified for a while. A modification time in the future says nothing, neither that
// the file is old nor that it will be some day; then the change time counts, which only
// the file system sets. Where that too lies ahead, somebody turned the clock back, and
// the file waits until the clock has caught up.
func (l Layout) closedByQuiet(now time.Time) func(*entry) string {
	return func(e *entry) string {
		last, what := e.mtime, "modified"
		if last > now.UnixNano() {
			last, what = e.ctime, "changed"
		}
		age := time.Duration(now.UnixNano() - last)
		switch {
		case age >= l.quiet:
			return ""
		case age < 0:
			return fmt.Sprintf("its times lie %v in the future; was the clock turned back?", -age.Round(time.Second))
		}
		return fmt.Sprintf("%s %v ago; it counts as closed when left alone for %v", what, age.Round(time.Second/10), l.quiet)
	}
}
