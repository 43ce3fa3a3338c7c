package file

import (
	"strings"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// A key of the format is the path below the archive's directory, character for character. So an operator can
// restore with cp and sha256sum. Only gocloud's conformance suite uses other keys. They are escaped: a byte
// outside of [A-Za-z0-9._=%-], and the first byte of "." and "..", becomes "~" and two hex digits; an empty
// segment becomes "~". So each key has one path, and each path that keyOf accepts has one key.

// hidden is the directory, below the archive's directory, of files that are no objects. No key has this path.
const hidden = ".~strongroom"

const hexDigits = "0123456789abcdef"

// pathOf returns the path of a key below the archive's directory.
func pathOf(key string) string {
	segments := strings.Split(key, "/")
	for i, s := range segments {
		segments[i] = encodeSegment(s)
	}
	return strings.Join(segments, "/")
}

func encodeSegment(s string) string {
	if s == "" {
		return "~"
	}
	var b strings.Builder
	for i := range len(s) {
		c := s[i]
		if cloud.KeyByte(c) && c != '/' && (i > 0 || (s != "." && s != "..")) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('~')
		b.WriteByte(hexDigits[c>>4])
		b.WriteByte(hexDigits[c&15])
	}
	return b.String()
}

// keyOf returns the segment of a key for the name of a file or directory. It returns false for a name that
// pathOf never returns: such a file belongs to another program.
func keyOf(name string) (string, bool) {
	if name == "~" {
		return "", true
	}
	var b strings.Builder
	for i := 0; i < len(name); i++ {
		if name[i] != '~' {
			b.WriteByte(name[i])
			continue
		}
		if i+2 >= len(name) {
			return "", false
		}
		hi, lo := strings.IndexByte(hexDigits, name[i+1]), strings.IndexByte(hexDigits, name[i+2])
		if hi < 0 || lo < 0 {
			return "", false
		}
		b.WriteByte(byte(hi<<4 | lo))
		i += 2
	}
	s := b.String()
	return s, encodeSegment(s) == name
}
