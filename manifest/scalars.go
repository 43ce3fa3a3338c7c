package manifest

import (
	"fmt"
	"math"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// rawString reads a string. The returned bytes may be part of the text.
func (l *lexer) rawString() ([]byte, error) {
	if err := l.expect('"'); err != nil {
		return nil, err
	}
	rest := l.data[l.pos:]
	plain, all := true, byte(0)
	for i := 0; i < len(rest); i++ {
		switch c := rest[i]; {
		case c == '"':
			l.pos += i + 1
			raw := rest[:i]
			if all >= utf8.RuneSelf && !utf8.Valid(raw) {
				return nil, fmt.Errorf("%.80q is not valid UTF-8", raw)
			}
			if plain {
				return raw, nil
			}
			return unescape(raw)
		case c == '\\':
			plain = false
			if i++; i < len(rest) { // the next byte does not end the string
				all |= rest[i]
			}
		case c < 0x20:
			l.pos += i
			return nil, fmt.Errorf("control character %#02x in a string", c)
		default:
			all |= c
		}
	}
	l.pos = len(l.data)
	return nil, errEnd
}

func (l *lexer) string() (string, error) {
	raw, err := l.rawString()
	return string(raw), err
}

// stringLike is string, but returns *last if that has the same content. It saves memory, since
// many parts are in one bundle.
func (l *lexer) stringLike(last *string) (string, error) {
	raw, err := l.rawString()
	if string(raw) != *last {
		*last = string(raw)
	}
	return *last, err
}

// word is string, but allocates no memory for an expected word.
func (l *lexer) word(expected ...string) (string, error) {
	raw, err := l.rawString()
	for _, w := range expected {
		if string(raw) == w {
			return w, err
		}
	}
	return string(raw), err
}

// unescape resolves the escapes of a string.
func unescape(raw []byte) ([]byte, error) {
	out := make([]byte, 0, len(raw))
	for i := 0; i < len(raw); i++ {
		if raw[i] != '\\' {
			out = append(out, raw[i])
			continue
		}
		i++
		if i == len(raw) {
			return nil, errEnd
		}
		switch raw[i] {
		case '"', '\\', '/':
			out = append(out, raw[i])
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'n':
			out = append(out, '\n')
		case 'r':
			out = append(out, '\r')
		case 't':
			out = append(out, '\t')
		case 'u':
			r, n, err := unicodeEscape(raw[i-1:])
			if err != nil {
				return nil, err
			}
			out = utf8.AppendRune(out, r)
			i += n - 2
		default:
			return nil, fmt.Errorf("unknown escape \\%c", raw[i])
		}
	}
	return out, nil
}

// unicodeEscape reads \uXXXX, or a surrogate pair of two of them.
func unicodeEscape(b []byte) (r rune, n int, err error) {
	r, ok := hex4(b)
	if ok && utf16.IsSurrogate(r) {
		var low rune
		if low, ok = hex4(b[6:]); ok {
			r = utf16.DecodeRune(r, low)
			ok = r != utf8.RuneError
		}
		n = 6
	}
	if !ok {
		return 0, 0, fmt.Errorf("%.12q is no character", b)
	}
	return r, n + 6, nil
}

func hex4(b []byte) (rune, bool) {
	if len(b) < 6 || b[0] != '\\' || b[1] != 'u' {
		return 0, false
	}
	var r rune
	for _, c := range b[2:6] {
		switch {
		case c >= '0' && c <= '9':
			r = r<<4 | rune(c-'0')
		case c >= 'a' && c <= 'f':
			r = r<<4 | rune(c-'a'+10)
		case c >= 'A' && c <= 'F':
			r = r<<4 | rune(c-'A'+10)
		default:
			return 0, false
		}
	}
	return r, true
}

// number reads the text of a JSON number.
func (l *lexer) number() ([]byte, error) {
	if _, err := l.peek(); err != nil {
		return nil, err
	}
	start := l.pos
	digits := func() bool {
		from := l.pos
		for l.pos < len(l.data) && l.data[l.pos] >= '0' && l.data[l.pos] <= '9' {
			l.pos++
		}
		return l.pos > from
	}
	accept := func(set string) bool {
		for i := range len(set) {
			if l.pos < len(l.data) && l.data[l.pos] == set[i] {
				l.pos++
				return true
			}
		}
		return false
	}
	accept("-")
	ok := accept("0") || digits()
	if ok && accept(".") {
		ok = digits()
	}
	if ok && accept("eE") {
		accept("+-")
		ok = digits()
	}
	if !ok {
		return nil, fmt.Errorf("%.20q is no number", l.data[start:])
	}
	return l.data[start:l.pos], nil
}

// int reads a whole number from 0 to limit.
func (l *lexer) int(limit int64) (int64, error) {
	raw, err := l.number()
	if err != nil {
		return 0, err
	}
	var n uint64 // 19 digits do not overflow it
	ok := len(raw) <= maxDigits
	for i := 0; ok && i < len(raw); i++ {
		ok = raw[i] >= '0' && raw[i] <= '9' // no minus, point or exponent
		n = n*10 + uint64(raw[i]-'0')
	}
	if !ok || n > uint64(limit) {
		return 0, fmt.Errorf("%.40s is not a whole number from 0 to %d", raw, limit)
	}
	return int64(n), nil
}

const maxDigits = len("9223372036854775807")

// count reads a whole number from 0 to math.MaxInt64.
func (l *lexer) count() (int64, error) { return l.int(math.MaxInt64) }

// time reads an RFC 3339 time in UTC, with at most nanosecond precision.
func (l *lexer) time() (t time.Time, err error) {
	raw, err := l.rawString()
	if err != nil {
		return t, err
	}
	// Package time also accepts an hour of one digit and a decimal comma (go.dev/issue/54580).
	n := len(raw)
	ok := n >= minTime && n <= maxTime && raw[13] == ':' && raw[19] != ',' && raw[n-1] == 'Z'
	if !ok || t.UnmarshalText(raw) != nil {
		return time.Time{}, fmt.Errorf("%.40q is not an RFC 3339 time in UTC", raw)
	}
	return t, nil
}

const (
	minTime = len("2006-01-02T15:04:05Z")
	maxTime = len("2006-01-02T15:04:05.999999999Z")
)

func (l *lexer) hash() (Hash, error) {
	raw, err := l.rawString()
	if err != nil {
		return Hash{}, err
	}
	return parseHash(raw)
}
