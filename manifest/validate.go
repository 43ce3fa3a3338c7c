package manifest

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Validate checks the fields of a manifest, without the content of its pages. Encode and
// DecodeManifest call it.
func (m *Manifest) Validate() error {
	if err := m.Summary.validate(); err != nil {
		return err
	}
	if len(m.Recipients) > MaxRecipients {
		return fmt.Errorf("recipients: more than %d", MaxRecipients)
	}
	for _, r := range m.Recipients {
		if r == "" || !printable(r) {
			return fmt.Errorf("recipients: %.80q is not a valid recipient", r)
		}
	}
	if m.Pages != nil {
		if len(m.Files) != 0 {
			return errors.New("it has both pages and files")
		}
		return m.validatePages()
	}
	if len(m.Files) > MaxInline {
		return fmt.Errorf("files: more than %d entries without pages", MaxInline)
	}
	return m.CheckFiles(m.Files)
}

// CheckFiles checks the whole list of a snapshot's entries, which come from the manifest itself or
// from all its pages: each entry, the names, and the totals.
func (m *Manifest) CheckFiles(files []File) error {
	sum, err := m.checkEntries(files)
	if err != nil {
		return err
	}
	c := m.Counts
	if sum.Files != c.Files || sum.Bytes != c.Bytes || sum.StoredBytes != c.StoredBytes || sum.Damaged != c.Damaged {
		return fmt.Errorf("counts: %d files, %d bytes, %d stored and %d damaged, but the entries have %d, %d, %d and %d",
			c.Files, c.Bytes, c.StoredBytes, c.Damaged, sum.Files, sum.Bytes, sum.StoredBytes, sum.Damaged)
	}
	return nil
}

// CheckSome checks the entries of some pages: each entry, their names, and that they do not exceed
// the totals.
func (m *Manifest) CheckSome(files []File) error {
	sum, err := m.checkEntries(files)
	if err != nil {
		return err
	}
	c := m.Counts
	if sum.Files > c.Files || sum.Bytes > c.Bytes || sum.StoredBytes > c.StoredBytes || sum.Damaged > c.Damaged {
		return fmt.Errorf("counts: %d files, %d bytes, %d stored and %d damaged, but some entries alone have %d, %d, %d and %d",
			c.Files, c.Bytes, c.StoredBytes, c.Damaged, sum.Files, sum.Bytes, sum.StoredBytes, sum.Damaged)
	}
	return nil
}

// checkEntries checks entries and the list of their names, and returns their totals.
func (m *Manifest) checkEntries(files []File) (sum Counts, err error) {
	for i := range files {
		if err := files[i].Validate(m.Sequence); err != nil {
			return sum, err
		}
		if m.Format == Format && files[i].HasNonce() {
			return sum, fmt.Errorf("file %.600q: the key of a part has a nonce, which %s does not have", files[i].Name, Format)
		}
		sum.Add(&files[i])
	}
	return sum, checkList(fileNames(files))
}

func (s *Summary) validate() error {
	switch {
	case !knownFormat(s.Format):
		return fmt.Errorf("format: %w", wrongFormat(s.Format))
	case !validID(s.Archive):
		return fmt.Errorf("archive: %.80q is not a UUID in lower case", s.Archive)
	case s.Sequence < 1 || s.Sequence > MaxSequence:
		return fmt.Errorf("sequence: %d is not between 1 and %d", s.Sequence, MaxSequence)
	case s.Parent != nil && (s.Parent.Sequence < 1 || s.Parent.Sequence >= s.Sequence):
		return fmt.Errorf("parent: %d does not come before %d", s.Parent.Sequence, s.Sequence)
	case !validTime(s.Created):
		return fmt.Errorf("created: %s is not a time in UTC in the years 0 to 9999", s.Created)
	case s.DurationMS < 0:
		return fmt.Errorf("duration_ms: %d is negative", s.DurationMS)
	}
	for _, f := range []struct{ name, value string }{{"node", s.Node}, {"tool", s.Tool}, {"layout", s.Layout}} {
		if err := checkText(f.value); err != nil {
			return fmt.Errorf("%s: %w", f.name, err)
		}
	}
	if p := s.ConsistentThrough; p != nil {
		if err := CheckName(p.Name); err != nil {
			return fmt.Errorf("consistent_through: %w", err)
		}
		if p.Size < 0 || p.Size > MaxFileSize {
			return fmt.Errorf("consistent_through: size %d is impossible", p.Size)
		}
	}
	if err := s.validateNotes(); err != nil {
		return err
	}
	return s.Counts.check()
}

// CheckText returns an error if a text cannot be the node or the tool of a manifest: it is empty, too
// long, or not printable.
func CheckText(s string) error { return checkText(s) }

// checkText checks a short text that listings print. The limit of its length keeps the summary
// within the first SummaryBytes.
func checkText(s string) error {
	switch {
	case s == "":
		return errors.New("it is empty")
	case len(s) > MaxNodeBytes:
		return fmt.Errorf("longer than %d bytes", MaxNodeBytes)
	case !printable(s):
		return errors.New("not valid UTF-8 without control characters")
	}
	return nil
}

// printable reports whether s is safe to print on a terminal. It also rejects invalid UTF-8, which
// JSON encoding would change.
func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, unicode.IsControl)
}

func validID(id string) bool {
	if len(id) != 36 {
		return false
	}
	for i := range len(id) {
		if hyphen := i == 8 || i == 13 || i == 18 || i == 23; hyphen != (id[i] == '-') || (!hyphen && !lowerHex(id[i:i+1])) {
			return false
		}
	}
	return true
}

func (m *Manifest) validatePages() error {
	var total int64 // at most MaxPage for each page
	for i := range m.Pages {
		p := &m.Pages[i]
		if err := p.validate(m.Sequence); err != nil {
			return fmt.Errorf("page %d: %w", i+1, err)
		}
		if m.Format == Format && p.HasNonce() {
			return fmt.Errorf("page %d: its key has a nonce, which %s does not have", i+1, Format)
		}
		if i > 0 && p.First <= m.Pages[i-1].Last {
			return fmt.Errorf("page %d: %q does not come after %q", i+1, p.First, m.Pages[i-1].Last)
		}
		total += int64(p.Count)
	}
	if total <= MaxInline {
		return fmt.Errorf("pages: %d entries need none", total)
	}
	if total != m.Counts.Files {
		return fmt.Errorf("pages: they have %d entries, but counts has %d files", total, m.Counts.Files)
	}
	return nil
}

// HasNonce reports whether the key of the page has a nonce, which requires Format2.
func (p *PageRef) HasNonce() bool { return hasNonce(p.Object) }

func (p *PageRef) validate(sequence int64) error {
	k, ok := ParseObjectKey(p.Object)
	switch {
	case !ok || k.Prefix != PagesPrefix:
		return fmt.Errorf("%.700q is not the key of a page", p.Object)
	case k.Hash != p.SHA256:
		return fmt.Errorf("%s is the key of other content", p.Object)
	case k.Sequence > sequence:
		return fmt.Errorf("%s was stored for a later snapshot than %d", p.Object, sequence)
	case p.Count < MinPage || p.Count > MaxPage:
		return fmt.Errorf("%d entries; a page has %d to %d", p.Count, MinPage, MaxPage)
	case p.Stored.SHA256.IsZero() || p.Stored.Offset != nil:
		return errors.New("its stored bytes have no hash, or an offset")
	case p.First >= p.Last:
		return fmt.Errorf("%q does not come before %q", p.First, p.Last)
	}
	if err := p.Stored.validate(MaxPageBytes); err != nil {
		return err
	}
	if err := CheckName(p.First); err != nil {
		return err
	}
	return CheckName(p.Last)
}
