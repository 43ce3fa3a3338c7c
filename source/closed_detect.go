package source

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// classify keeps in l.entries the files of the set: the closed files and, if the layout has one,
// the tail. It moves the others to l.ignored, with the reason.
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

// openReason returns why a file is not closed; "" if it is closed. A tail is still part of the set.
// odd means that the file has unexpected content.
type openReason func(*entry) (why string, odd, tail bool)

// closedWhen returns the layout's rule for closed files, applied to a listing.
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

// closedByNumber is the rule for logs that are written in ascending order: every file is closed
// except the one with the highest number of its sequence.
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

// closedByQuiet is the rule for files without an order: a file is closed if it has not been
// modified for a while. A modification time in the future does not show the file's age. Then the
// change time counts, which only the file system sets. If that is in the future too, the clock was
// turned back, and the file is open until the clock reaches that time.
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
			why := fmt.Sprintf("its times are %v in the future; was the clock turned back?", -age.Round(time.Second))
			return why, false, false
		}
		why := fmt.Sprintf("%s %v ago; a file is closed if it has not changed for %v",
			what, age.Round(time.Second/10), l.quiet)
		return why, false, false
	}
}
