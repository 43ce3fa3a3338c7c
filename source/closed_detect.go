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
		open := stillOpen(&e)
		if open.why != "" {
			if !open.tail {
				l.ignored = append(l.ignored, Ignored{
					Name: e.name, Size: e.size, Why: open.why, Suspicious: open.odd, Normal: open.normal,
				})
				continue
			}
			e.state = Tail
		}
		kept = append(kept, e)
	}
	l.entries = kept
	slices.SortStableFunc(l.ignored, func(a, b Ignored) int { return strings.Compare(a.Name, b.Name) })
	l.ignored = slices.CompactFunc(l.ignored, func(a, b Ignored) bool { return a.Name == b.Name })
	return nil
}

// openReason is why a file is not closed. The zero value is of a closed file.
type openReason struct {
	why    string
	tail   bool // the file is part of the set all the same
	odd    bool // it has unexpected content
	normal bool // the database always has such a file
}

// closedRule returns why a file of a listing is not closed.
type closedRule func(*entry) openReason

// closedWhen returns the layout's rule for closed files, applied to a listing.
func (c *captureRun) closedWhen(ctx context.Context, l *listing) (closedRule, error) {
	layout := c.layout
	switch {
	case layout.entries:
		return c.closedByEntries(ctx, l)
	case layout.byQuiet:
		return layout.closedByQuiet(c.now, l.entries), nil
	}
	return layout.closedByNumber(l.entries), nil
}

// newestNumbers returns the highest number of each sequence.
func (l Layout) newestNumbers(entries []entry) map[string]uint64 {
	newest := map[string]uint64{}
	for i := range entries {
		if group, number, ok := l.Position(entries[i].name); ok {
			newest[group] = max(newest[group], number)
		}
	}
	return newest
}

// closedByNumber is the rule for logs that are written in ascending order: every file is closed
// except the one with the highest number of its sequence.
func (l Layout) closedByNumber(entries []entry) closedRule {
	newest := l.newestNumbers(entries)
	return func(e *entry) openReason {
		if group, number, _ := l.Position(e.name); number < newest[group] {
			return openReason{}
		}
		return openReason{why: "it is the newest of its sequence, which is being written", tail: l.tail, normal: true}
	}
}

// closedByQuiet is the rule for files without an order: a file is closed if it has not been
// modified for a while. A modification time in the future does not show the file's age. Then the
// change time counts, which only the file system sets. If that is in the future too, the clock was
// turned back, and the file is open until the clock reaches that time. With a quiet time of 0 every
// file is closed. It is normal that the newest file of a sequence is open, and of no other file: what
// is left out may be the greater part of a set that was just made.
func (l Layout) closedByQuiet(now time.Time, entries []entry) closedRule {
	if l.quiet == 0 {
		return func(*entry) openReason { return openReason{} }
	}
	newest := l.newestNumbers(entries)
	return func(e *entry) openReason {
		last, what := e.mtime, "modified"
		if last > now.UnixNano() {
			last, what = e.ctime, "changed"
		}
		age := time.Duration(now.UnixNano() - last)
		if age >= l.quiet {
			return openReason{}
		}
		why := fmt.Sprintf("%s %v ago; a file is closed if it has not changed for %v",
			what, age.Round(time.Second/10), l.quiet)
		if age < 0 {
			why = fmt.Sprintf("its times are %v in the future; was the clock turned back?", -age.Round(time.Second))
		}
		group, number, ordered := l.Position(e.name)
		return openReason{why: why, normal: ordered && number == newest[group]}
	}
}
