package manifest

import (
	"errors"
	"fmt"
)

// ParseError is an error in an object of the archive.
type ParseError struct {
	What   string // the kind of object: "manifest", "page", "ledger record", "archive.json"
	Offset int    // in bytes, at which the error was detected
	Err    error
}

func (e *ParseError) Error() string {
	return fmt.Sprintf("%s, byte %d: %v", e.What, e.Offset, e.Err)
}

// Unwrap returns Err.
func (e *ParseError) Unwrap() error { return e.Err }

// maxDepth is the maximum nesting of unknown fields; the format itself needs five levels.
const maxDepth = 32

// A lexer reads values from JSON text. It is stricter than encoding/json: field names are
// case-sensitive, a known field may occur only once, strings are valid UTF-8 without lone
// surrogates, and only space may follow the value. It allocates memory only for the strings that
// it returns, never by a length that the text claims.
type lexer struct {
	data    []byte
	pos     int
	unknown bool // a field that this version does not support was skipped

	lastObject string // the object key of the last part
}

var errEnd = errors.New("the text ends too early")

func (l *lexer) peek() (byte, error) {
	for ; l.pos < len(l.data); l.pos++ {
		switch c := l.data[l.pos]; c {
		case ' ', '\t', '\n', '\r':
		default:
			return c, nil
		}
	}
	return 0, errEnd
}

func (l *lexer) expect(want byte) error {
	c, err := l.peek()
	if err != nil {
		return err
	}
	if c != want {
		return fmt.Errorf("expected %q, found %q", want, c)
	}
	l.pos++
	return nil
}

// end checks that only space is left.
func (l *lexer) end() error {
	if c, err := l.peek(); err == nil {
		return fmt.Errorf("%q follows the end of the object", c)
	}
	return nil
}

// A schema has the field names of an object, the required ones first.
type schema struct {
	names    []string
	required int
}

var errStop = errors.New("stop") // returned by a field function to skip the rest

// object reads an object and calls field with the index of each field in the schema. It skips
// unknown fields. A missing or repeated field is an error.
func (l *lexer) object(s *schema, field func(i int) error) error {
	if err := l.expect('{'); err != nil {
		return err
	}
	var seen uint64
	next := 0 // strongroom writes the fields in the schema's order: try that first
	err := l.list('}', func() error {
		key, err := l.rawString()
		if err != nil {
			return err
		}
		if err := l.expect(':'); err != nil {
			return err
		}
		i := s.index(key, next)
		if i < 0 {
			l.unknown = true
			return l.skip(maxDepth)
		}
		if seen&(1<<i) != 0 {
			return fmt.Errorf("field %q occurs twice", s.names[i])
		}
		seen |= 1 << i
		next = i + 1
		if err := field(i); err != nil {
			if err == errStop {
				return err
			}
			return fmt.Errorf("%s: %w", s.names[i], err)
		}
		return nil
	})
	if err != nil && err != errStop {
		return err
	}
	for i := range s.required {
		if seen&(1<<i) == 0 {
			return fmt.Errorf("field %q is missing", s.names[i])
		}
	}
	return err
}

func (s *schema) index(key []byte, next int) int {
	for k := range s.names {
		i := (next + k) % len(s.names)
		if string(key) == s.names[i] {
			return i
		}
	}
	return -1
}

// array reads an array and calls element at the beginning of each value.
func (l *lexer) array(element func() error) error {
	if err := l.expect('['); err != nil {
		return err
	}
	return l.list(']', element)
}

// list reads the items of an object or array after its opening bracket.
func (l *lexer) list(closing byte, item func() error) error {
	if c, err := l.peek(); err != nil {
		return err
	} else if c == closing {
		l.pos++
		return nil
	}
	for {
		if err := item(); err != nil {
			return err
		}
		c, err := l.peek()
		if err != nil {
			return err
		}
		switch c {
		case closing:
			l.pos++
			return nil
		case ',':
			l.pos++
		default:
			return fmt.Errorf("expected ',' or %q, found %q", closing, c)
		}
	}
}

// null reports whether the next value is null, and reads it if it is.
func (l *lexer) null() (bool, error) {
	c, err := l.peek()
	if err != nil || c != 'n' {
		return false, err
	}
	return true, l.literal("null")
}

func (l *lexer) literal(word string) error {
	if len(l.data)-l.pos < len(word) {
		return errEnd
	}
	if string(l.data[l.pos:l.pos+len(word)]) != word {
		return fmt.Errorf("%.10q is no value", l.data[l.pos:])
	}
	l.pos += len(word)
	return nil
}

// skip reads any value and discards it.
func (l *lexer) skip(depth int) error {
	if depth == 0 {
		return fmt.Errorf("an unknown field nests deeper than %d", maxDepth)
	}
	c, err := l.peek()
	if err != nil {
		return err
	}
	item := func() error { return l.skip(depth - 1) }
	switch c {
	case '{':
		l.pos++
		return l.list('}', func() error {
			if _, err := l.rawString(); err != nil {
				return err
			}
			if err := l.expect(':'); err != nil {
				return err
			}
			return item()
		})
	case '[':
		return l.array(item)
	case '"':
		_, err = l.rawString()
	case 't':
		err = l.literal("true")
	case 'f':
		err = l.literal("false")
	case 'n':
		err = l.literal("null")
	default:
		_, err = l.number()
	}
	return err
}
