package manifest

import (
	"errors"
	"fmt"
	"math"
)

// DecodeSummary decodes a manifest's summary from its first SummaryBytes, or from the whole
// manifest if it is shorter.
//
// If DecodeManifest accepts a manifest, DecodeSummary returns the same summary. The reverse is not
// true, since DecodeSummary does not read the rest.
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
	// If all SummaryBytes were read, the part after them is not part of the summary, since
	// DecodeManifest rejects a manifest with a longer summary.
	cut := len(l.data) == SummaryBytes && r.ended && errors.Is(err, errEnd)
	if err == nil || err == errStop || cut {
		err = m.Summary.validate()
	}
	if err == nil && m.Sequence != sequence {
		err = fmt.Errorf("it has sequence %d and the key of %d", m.Sequence, sequence)
	}
	if err != nil {
		return nil, &ParseError{"manifest", l.pos, err}
	}
	return &m.Summary, nil
}

// A headReader reads the fields of a manifest. It checks that the summary comes first and within
// SummaryBytes, so that every valid manifest can also be listed.
type headReader struct {
	*lexer
	m    *Manifest
	read int // number of the summary's fields that were read in order

	ended bool // a comma or the end of the object follows the summary's last field that was read
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
	// A number that the end of the head truncates would be a smaller number. So the byte after
	// the last value must be within the head too.
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

// Add adds an entry to Files, Bytes, StoredBytes and Damaged.
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
