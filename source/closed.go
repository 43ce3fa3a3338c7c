package source

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// classify leaves in l what belongs to the set: the closed files and, where the layout
// keeps it, the tail. The rest moves to l.ignored with the reason.
func (c *captureRun) classify(ctx context.Context, l *listing) error {
	stillOpen, err := c.closedWhen(ctx, l)
	if err != nil {
		return err
	}
	kept := l.entries[:0]
	for _, e := range l.entries {
		why, odd, tail := stillOpen(&e)
		if why != "" {
			if !tail {
				l.ignored = append(l.ignored, Ignored{Name: e.name, Size: e.size, Why: why, Suspicious: odd})
				continue
			}
			e.state = Tail
		}
		kept = append(kept, e)
	}
	l.entries = kept
	slices.SortStableFunc(l.ignored, func(a, b Ignored) int { return strings.Compare(a.Name, b.Name) })
	return nil
}

// openReason tells why a file is not closed, or "". What is a tail is taken along all the
// same. Odd is what holds something that it should not.
type openReason func(*entry) (why string, odd, tail bool)

// closedWhen is the layout's rule for the files of a listing.
func (c *captureRun) closedWhen(ctx context.Context, l *listing) (openReason, error) {
	layout := c.layout
	switch {
	case layout.entries:
		return c.closedByEntries(ctx, l)
	case layout.quiet > 0:
		return layout.closedByQuiet(c.now), nil
	}
	return layout.closedByNumber(l.entries), nil
}

// closedByNumber is the rule for logs that are written in ascending order: whatever is
// not the highest of its sequence is closed.
func (l Layout) closedByNumber(entries []entry) openReason {
	newest := map[string]uint64{}
	for i := range entries {
		group, number, _ := l.Position(entries[i].name)
		newest[group] = max(newest[group], number)
	}
	return func(e *entry) (string, bool, bool) {
		if group, number, _ := l.Position(e.name); number < newest[group] {
			return "", false, false
		}
		return "it is the newest of its sequence, which is being written", false, l.tail
	}
}

// closedByQuiet is the rule for files without an order: closed is what has not been
// modified for a while. A modification time in the future says nothing, neither that
// the file is old nor that it will be some day; then the change time counts, which only
// the file system sets. Where that too lies ahead, somebody turned the clock back, and
// the file waits until the clock has caught up.
func (l Layout) closedByQuiet(now time.Time) openReason {
	return func(e *entry) (string, bool, bool) {
		last, what := e.mtime, "modified"
		if last > now.UnixNano() {
			last, what = e.ctime, "changed"
		}
		age := time.Duration(now.UnixNano() - last)
		switch {
		case age >= l.quiet:
			return "", false, false
		case age < 0:
			return fmt.Sprintf("its times lie %v in the future; was the clock turned back?", -age.Round(time.Second)), false, false
		}
		return fmt.Sprintf("%s %v ago; it counts as closed when left alone for %v", what, age.Round(time.Second/10), l.quiet), false, false
	}
}
