package source

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"iter"
	"slices"
	"time"

	"github.com/strongroom-dev/strongroom/source/entries"
)

// firstEntry is the result of reading the beginning of a log file.
type firstEntry struct {
	identity
	why string // why the file has no valid entry; "" if it has one
	odd bool   // the file has content that is no log entry
	cut int64  // the size in bytes of a file without a whole entry
}

// A file with more than maxFirstWrite bytes and no whole entry, unchanged for longer than
// quietAfter, is suspicious: a database neither starts nor leaves a file like that.
const (
	maxFirstWrite = 256 << 10
	quietAfter    = 2 * time.Second
)

// closedByEntries is the rule for logs with known entries: file N is closed if a later file has a
// valid entry after its header. After a crash that left N+1 empty, or only with a header, JE
// continues to append to N, and later to N+1. So the newest file with an entry is the one being
// written, and later files are left out.
func (c *captureRun) closedByEntries(ctx context.Context, l *listing) (closedRule, error) {
	unbegun := map[string]firstEntry{}
	var open string
	for e := range c.fromNewest(l) {
		b, err := c.readFirstEntry(ctx, e)
		if err != nil {
			return nil, err
		}
		if b.why == "" {
			open = e.name
			break
		}
		unbegun[e.name] = b
	}
	return func(e *entry) openReason {
		if b, ok := unbegun[e.name]; ok {
			odd := b.odd || b.cut > maxFirstWrite && c.now.Sub(e.modified()) > quietAfter
			return openReason{why: b.why, odd: odd, normal: !odd}
		}
		if e.name == open {
			return openReason{
				why: "it is the newest file with entries, which is being written", tail: c.layout.tail, normal: true,
			}
		}
		return openReason{}
	}, nil
}

// fromNewest yields the log files of a listing in descending order of their numbers. It sorts them
// only if the caller needs more than the first.
func (c *captureRun) fromNewest(l *listing) iter.Seq[*entry] {
	byNumber := func(a, b *entry) int {
		_, m, _ := c.layout.Position(a.name)
		_, n, _ := c.layout.Position(b.name)
		return cmp.Compare(m, n)
	}
	return func(yield func(*entry) bool) {
		if len(l.entries) == 0 {
			return
		}
		newest := &l.entries[0]
		for i := range l.entries {
			if byNumber(&l.entries[i], newest) > 0 {
				newest = &l.entries[i]
			}
		}
		if !yield(newest) {
			return
		}
		all := make([]*entry, len(l.entries))
		for i := range l.entries {
			all[i] = &l.entries[i]
		}
		slices.SortStableFunc(all, byNumber)
		for _, e := range slices.Backward(all) {
			if e != newest && !yield(e) {
				return
			}
		}
	}
}

// readFirstEntry checks whether a file has a valid entry after its header. It returns the result of
// an earlier call unless the file was replaced or written.
func (c *captureRun) readFirstEntry(ctx context.Context, e *entry) (firstEntry, error) {
	if b, ok := c.firstEntries[e.name]; ok && b.sameFile(&e.identity) && (b.why == "" || b.sameContent(&e.identity)) {
		return b, nil
	}
	b := firstEntry{identity: e.identity}
	f, err := c.hooks.open(c.at(e.name))
	switch {
	case err != nil && isGone(err):
		b.why = "it is gone" // the next listing shows that
		return b, nil
	case err != nil && isShort(err):
		return b, err
	case err != nil:
		return b, c.unreadable(e.name, err)
	}
	defer f.Close()
	r := c.layout.EntryReader(e.name)
	buf := make([]byte, 64<<10)
	for n := 0; err == nil && !r.Begun(); {
		if n, err = f.Read(buf); n > 0 {
			r.Write(buf[:n])
		}
		if r.Problem() != nil {
			break
		}
	}
	if err != nil && err != io.EOF {
		return b, c.unreadable(e.name, err)
	}
	if b.why, b.odd = reasonNotBegun(r); b.why != "" {
		broken, err := r.Resyncs(ctx, f, e.size)
		switch {
		case ctx.Err() != nil:
			return b, context.Cause(ctx)
		case err != nil:
			return b, c.unreadable(e.name, err)
		case broken: // its header or its first entry is damaged, but later entries are valid
			b.why, b.odd = "", false
		}
	}
	if res := r.Result(); b.why != "" && !b.odd {
		b.cut = res.Size
	}
	if c.firstEntries == nil {
		c.firstEntries = map[string]firstEntry{}
	}
	c.firstEntries[e.name] = b
	return b, nil
}

// reasonNotBegun returns why a file, as far as it was read, has no valid entry; "" if it has one.
func reasonNotBegun(r *entries.Reader) (why string, odd bool) {
	res := r.Result()
	switch p := res.Problem; {
	case res.Begun():
		return "", false
	case p != nil && p.Kind == entries.Version:
		return "", false // its entries are unknown: only the file numbers decide
	case res.Size == 0:
		return "it is empty; the database still writes to the file before it", false
	case p == nil || p.Kind == entries.Cut:
		return "it has no entry yet; the database still writes to the file before it", false
	default:
		return fmt.Sprintf("it has no valid entry: %v", p), true
	}
}
