package hook

import (
	"bytes"
	"strings"
	"unicode"
)

// maxOutput bounds the part of a command's output that an error shows, in bytes. It shows the end.
const maxOutput = 1 << 10

// tail is a writer that keeps the last maxOutput bytes.
type tail struct{ b []byte }

// Write implements io.Writer.
func (t *tail) Write(p []byte) (int, error) {
	t.b = append(t.b, p[max(0, len(p)-maxOutput):]...)
	t.b = t.b[max(0, len(t.b)-maxOutput):]
	return len(p), nil
}

// String returns the text on one line, without control characters.
func (t *tail) String() string {
	s := strings.ToValidUTF8(string(bytes.TrimSpace(t.b)), "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			return ' '
		case !unicode.IsPrint(r):
			return '\uFFFD'
		}
		return r
	}, s)
}
