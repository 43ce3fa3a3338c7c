package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

var (
	// The fields of the summary, which come first in a manifest and are all required.
	summaryFields = []string{
		"format", "archive", "sequence", "created", "parent", "node", "tool", "layout",
		"consistent_through", "counts", "duration_ms",
	}
	// The optional fields of the summary follow in any order.
	manifestSchema = schema{slices.Concat(summaryFields, []string{"pages", "files", "recipients"}, noteFields), 13}
	headSchema     = schema{manifestSchema.names, len(summaryFields)}
	refSchema      = schema{[]string{"sequence", "sha256"}, 2}
	pointSchema    = schema{[]string{"name", "size"}, 2}
	countsSchema   = schema{[]string{"files", "bytes", "stored_bytes", "added", "added_bytes", "removed", "changed", "damaged"}, 8}
	pageSchema     = schema{[]string{"object", "sha256", "stored", "count", "first", "last"}, 6}
)

// ErrVersion means that an object has a format that this program does not support.
var ErrVersion = errors.New("unknown format version; a newer strongroom wrote this")

// foreignFormat is the ErrVersion of an object that strongroom did not write.
type foreignFormat struct{}

func (foreignFormat) Error() string { return "unknown format version; this is not strongroom's" }

// Is reports whether target is ErrVersion, for errors.Is.
func (foreignFormat) Is(target error) bool { return target == ErrVersion }

func knownFormat(format string) bool { return format == Format || format == Format2 }

// wrongFormat returns the error for a format that this program does not support.
func wrongFormat(format string) error {
	if !strings.HasPrefix(format, "strongroom/") {
		return fmt.Errorf("%.40q: %w", format, foreignFormat{})
	}
	return fmt.Errorf("%.40q: %w", format, ErrVersion)
}

// Encode returns the bytes of a manifest as they are stored. It returns an error if they could not
// be decoded again.
func (m *Manifest) Encode() ([]byte, error) {
	c := *m
	if c.Files == nil {
		c.Files = []File{} // encoded as a list, never as null
	}
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("encoding manifest %d: %w", m.Sequence, err)
	}
	b, err := encodeJSON(&c)
	if err != nil {
		return nil, fmt.Errorf("encoding manifest %d: %w", m.Sequence, err)
	}
	if len(b) > MaxManifestBytes {
		return nil, fmt.Errorf("encoding manifest %d: %d bytes are more than %d", m.Sequence, len(b), MaxManifestBytes)
	}
	return b, nil
}

func encodeJSON(v any) ([]byte, error) {
	var b bytes.Buffer
	err := newEncoder(&b).Encode(v)
	return b.Bytes(), err
}

func newEncoder(b *bytes.Buffer) *json.Encoder {
	e := json.NewEncoder(b)
	e.SetEscapeHTML(false)
	return e
}

// DecodeManifest decodes the manifest that is stored under the key of a sequence number. It needs
// memory in proportion to len(data), which must not exceed MaxManifestBytes.
func DecodeManifest(data []byte, sequence int64) (*Manifest, error) {
	m := &Manifest{}
	l := &lexer{data: data}
	head := headReader{lexer: l, m: m}
	err := decode(l, "manifest", MaxManifestBytes, func() error {
		return l.object(&manifestSchema, head.field)
	})
	if err != nil {
		return nil, err
	}
	m.Unknown = l.unknown
	if m.Sequence != sequence {
		return nil, &ParseError{"manifest", 0, fmt.Errorf("it has sequence %d and the key of %d", m.Sequence, sequence)}
	}
	if err := m.Validate(); err != nil {
		return nil, &ParseError{"manifest", len(data), err}
	}
	return m, nil
}

// decode decodes the whole text of l with object. Its errors are of type *ParseError.
func decode(l *lexer, what string, limit int, object func() error) error {
	if len(l.data) > limit {
		return &ParseError{what, limit, fmt.Errorf("%d bytes are more than %d", len(l.data), limit)}
	}
	err := object()
	if err == nil {
		err = l.end()
	}
	if err != nil {
		return &ParseError{what, l.pos, err}
	}
	return nil
}

func (l *lexer) manifestField(m *Manifest, name string) (err error) {
	switch name {
	case "format":
		err = l.format(&m.Format)
	case "archive":
		m.Archive, err = l.string()
	case "sequence":
		m.Sequence, err = l.int(MaxSequence)
	case "created":
		m.Created, err = l.time()
	case "parent":
		m.Parent, err = l.ref()
	case "node":
		m.Node, err = l.string()
	case "tool":
		m.Tool, err = l.string()
	case "layout":
		m.Layout, err = l.string()
	case "consistent_through":
		m.ConsistentThrough, err = l.point()
	case "counts":
		m.Counts, err = l.counts()
	case "duration_ms":
		m.DurationMS, err = l.count()
	case "recipients":
		err = l.array(func() error {
			if len(m.Recipients) == MaxRecipients {
				return fmt.Errorf("more than %d", MaxRecipients)
			}
			r, err := l.string()
			m.Recipients = append(m.Recipients, r)
			return err
		})
	case "pages":
		m.Pages, err = l.pages()
	case "files":
		err = l.array(func() error {
			if len(m.Files) == MaxInline {
				return fmt.Errorf("more than %d entries without pages", MaxInline)
			}
			f, err := l.file()
			m.Files = append(m.Files, f)
			return err
		})
	default:
		err = l.noteField(&m.Summary, name)
	}
	return err
}

func (l *lexer) format(format *string) (err error) {
	if *format, err = l.string(); err == nil && !knownFormat(*format) {
		err = wrongFormat(*format)
	}
	return err
}

func (l *lexer) ref() (*Ref, error) {
	if null, err := l.null(); null || err != nil {
		return nil, err
	}
	var r Ref
	err := l.object(&refSchema, func(i int) (err error) {
		switch refSchema.names[i] {
		case "sequence":
			r.Sequence, err = l.int(MaxSequence)
		case "sha256":
			r.SHA256, err = l.hash()
		}
		return err
	})
	return &r, err
}

func (l *lexer) point() (*Point, error) {
	if null, err := l.null(); null || err != nil {
		return nil, err
	}
	var p Point
	err := l.object(&pointSchema, func(i int) (err error) {
		switch pointSchema.names[i] {
		case "name":
			p.Name, err = l.string()
		case "size":
			p.Size, err = l.int(MaxFileSize)
		}
		return err
	})
	return &p, err
}

func (l *lexer) counts() (c Counts, err error) {
	fields := []*int64{&c.Files, &c.Bytes, &c.StoredBytes, &c.Added, &c.AddedBytes, &c.Removed, &c.Changed, &c.Damaged}
	err = l.object(&countsSchema, func(i int) (err error) {
		*fields[i], err = l.count()
		return err
	})
	return c, err
}

func (l *lexer) pages() ([]PageRef, error) {
	if null, err := l.null(); null || err != nil {
		return nil, err
	}
	var pages []PageRef
	err := l.array(func() error {
		var p PageRef
		err := l.object(&pageSchema, func(i int) (err error) {
			switch pageSchema.names[i] {
			case "object":
				p.Object, err = l.string()
			case "sha256":
				p.SHA256, err = l.hash()
			case "stored":
				p.Stored, err = l.stored()
			case "count":
				var n int64
				n, err = l.int(MaxPage)
				p.Count = int(n)
			case "first":
				p.First, err = l.string()
			case "last":
				p.Last, err = l.string()
			}
			return err
		})
		pages = append(pages, p)
		return err
	})
	if err == nil && len(pages) == 0 {
		err = errors.New("an empty list of pages; no pages are null")
	}
	return pages, err
}

func validTime(t time.Time) bool {
	_, offset := t.Zone()
	return offset == 0 && t.Year() >= 0 && t.Year() <= 9999
}
