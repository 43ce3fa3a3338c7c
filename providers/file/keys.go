package file

import (
	"strings"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// A key of the format is a path below the archive's directory, character for character,
// so that a person can restore with cp and sha256sum. Other keys, which only gocloud's
// conformance suite makes, are written with "~": a byte outside [A-Za-z0-9._=%-] as "~"
// and two hex digits, an empty segment as "~" alone, and the first byte of "." and ".."
// likewise. So each key has one path, and each path that keyOf reads has one key.

// hidden is the directory below an archive's where files lie that are no objects. No key
// has this path.
const hidden = ".~strongroom"

const hexDigits = "0123456789abcdef"

// pathOf is the path of a key below the archive's directory.
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

// keyOf is the segment that a file or directory name stands for; false for a name that
// pathOf never gives, which is none of ours.
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
