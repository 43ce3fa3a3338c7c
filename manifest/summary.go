package manifest

import (
	"errors"
	"fmt"
	"math"
)

// DecodeSummary reads a manifest's summary from its beginning: its first SummaryBytes,
// or all of it when it is shorter.
//
// What DecodeManifest accepts has a summary, the same one; the reverse need not hold,
// because the rest is not looked at.
func DecodeSummary(head []byte, sequence int64) (*Summary, error) {
	m := &Manifest{}
	l := &lexer{data: head[:min(len(head), SummaryBytes)]}
	r := headReader{lexer: l, m: m}
	err := l.object(&headSchema, func(i int) error {
		if r.complete() && !inSummary(i) {
			return errStop
		}
		return r.field(i)
	})
	// Where SummaryBytes are all read, what the end cuts off is no part of the summary: in a
	// manifest that DecodeManifest accepts, that ends before.
	cut := len(l.data) == SummaryBytes && r.ended && errors.Is(err, errEnd)
	if err == nil || err == errStop || cut {
		err = m.Summary.validate()
	}
	if err == nil && m.Sequence != sequence {
		err = fmt.Errorf("it says sequence %d and lies under the key of %d", m.Sequence, sequence)
	}
	if err != nil {
		return nil, &ParseError{"manifest", l.pos, err}
	}
	return &m.Summary, nil
}

// A headReader reads the fields of a manifest and sees to it that the summary comes
// first and within SummaryBytes, so that every manifest that can be restored from can
// be listed too.
type headReader struct {
	*lexer
	m    *Manifest
	read int // fields of the summary in a row, until now

	ended bool // the last field of the summary that was read is followed by a comma or the end of the object
}

// complete reports whether all required fields of the summary were read.
func (h *headReader) complete() bool { return h.read == len(summaryFields) }

// inSummary reports whether a field of manifestSchema belongs to the summary.
func inSummary(i int) bool {
	return i < len(summaryFields) || i >= len(manifestSchema.names)-len(noteFields)
}

func (h *headReader) field(i int) error {
	if !h.complete() && i != h.read {
		return fmt.Errorf("field %q is missing before it", summaryFields[h.read])
	}
	if err := h.manifestField(h.m, manifestSchema.names[i]); err != nil || !inSummary(i) {
		return err
	}
	if i < len(summaryFields) {
		h.read++
	}
	if h.ended = false; !h.complete() {
		return nil
	}
	// A number that the end of the head cuts short looks like a smaller one: what
	// follows the last value counts as part of it.
	c, err := h.peek()
	switch {
	case err != nil:
		return err
	case h.pos >= SummaryBytes:
		return fmt.Errorf("the summary does not end within the first %d bytes", SummaryBytes)
	case c != ',' && c != '}':
		return fmt.Errorf("expected ',' or '}', found %q", c)
	}
	h.ended = true
	return nil
}

// Add counts an entry into files, bytes, stored bytes and damaged.
func (c *Counts) Add(f *File) {
	c.Files++
	c.Bytes = addSizes(c.Bytes, f.Size)
	for i := range f.Parts {
		c.StoredBytes = addSizes(c.StoredBytes, f.Parts[i].Stored.Size)
	}
	if f.Damaged() {
		c.Damaged++
	}
}

func (c *Counts) check() error {
	for _, n := range []int64{c.Files, c.Bytes, c.StoredBytes, c.Added, c.AddedBytes, c.Removed, c.Changed, c.Damaged} {
		if n < 0 || n == math.MaxInt64 {
			return fmt.Errorf("counts: %d is impossible", n)
		}
	}
	return nil
}
