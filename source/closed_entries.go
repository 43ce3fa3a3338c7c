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

// firstEntry is what was found at the beginning of a log file: why the database does not
// count as having begun it, "" where it has.
type firstEntry struct {
	identity
	why string
	odd bool  // something is there, and it is no log entry
	cut int64 // so many bytes are there and not one whole entry
}

// A file that has over maxFirstWrite bytes and not one whole entry, and was left alone for
// longer than quietAfter, is none that the database is just beginning, or had begun when it died.
const (
	maxFirstWrite = 256 << 10
	quietAfter    = 2 * time.Second
)

// closedByEntries is the rule for logs whose entries can be told: N is closed when a
// file after it holds a valid entry after its header. After a crash that left N+1 empty,
// or with nothing but its header, JE goes on appending to N, and to N+1 only after that. So
// the newest file that holds an entry is the one being written, and what comes after it is
// left out.
func (c *captureRun) closedByEntries(ctx context.Context, l *listing) (openReason, error) {
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
	return func(e *entry) (string, bool, bool) {
		if b, ok := unbegun[e.name]; ok {
			return b.why, b.odd || b.cut > maxFirstWrite && c.now.Sub(e.modified()) > quietAfter, false
		}
		if e.name == open {
			return "it is the newest that holds entries, and being written", false, c.layout.tail
		}
		return "", false, false
	}, nil
}

// fromNewest yields the log files of a listing from the highest number down. It sorts
// them only if more than the first is asked for.
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

// readFirstEntry looks whether a file holds a valid entry after its header. What was found
// once is found again, unless the file is another one or was written to.
func (c *captureRun) readFirstEntry(ctx context.Context, e *entry) (firstEntry, error) {
	if b, ok := c.firstEntries[e.name]; ok && b.sameFile(&e.identity) && (b.why == "" || b.sameContent(&e.identity)) {
		return b, nil
	}
	b := firstEntry{identity: e.identity}
	f, err := c.hooks.open(c.at(e.name))
	switch {
	case err != nil && isGone(err):
		b.why = "it is gone" // which the next listing will show
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
		case broken: // its header or its first entry is damaged, and later entries are not
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

// reasonNotBegun says why a file that was read so far does not count as begun.
func reasonNotBegun(r *entries.Reader) (why string, odd bool) {
	res := r.Result()
	switch p := res.Problem; {
	case res.Begun():
		return "", false
	case p != nil && p.Kind == entries.Version:
		return "", false // nothing can be told: the numbers alone count
	case res.Size == 0:
		return "it is empty; the database goes on in the file before it", false
	case p == nil || p.Kind == entries.Cut:
		return "it holds no entry yet; the database goes on in the file before it", false
	default:
		return fmt.Sprintf("it holds no valid entry: %v", p), true
	}
}
