package manifest

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"unicode/utf8"
)

// ErrName is wrapped by every refusal of a log file name.
var ErrName = errors.New("not allowed as the name of a log file")

// CheckName says whether a log file may have this name in an archive. The name is a
// slash-separated path below the source. The rules keep a name from leaving the
// directory of a restore, from being ambiguous there, and from breaking a key.
func CheckName(name string) error {
	if why := nameFault(name); why != "" {
		return fmt.Errorf("%.600q is %w: %s", name, ErrName, why)
	}
	return nil
}

func nameFault(name string) string {
	switch {
	case name == "":
		return "it is empty"
	case !utf8.ValidString(name):
		return "it is not valid UTF-8"
	case name[0] == '/':
		return "it is absolute"
	case encodedLen(name) > MaxNameBytes:
		return fmt.Sprintf("it is longer than %d bytes once encoded", MaxNameBytes)
	}
	for i := range len(name) {
		switch c := name[i]; {
		case c == '\\':
			return "it has a backslash"
		case c < 0x20 || c == 0x7f:
			return "it has a control character"
		}
	}
	// The C1 controls, which UTF-8 writes in two bytes.
	if strings.ContainsFunc(name, func(r rune) bool { return r >= 0x80 && r < 0xa0 }) {
		return "it has a control character"
	}
	for element := range strings.SplitSeq(name, "/") {
		if why := elementFault(element); why != "" {
			return why
		}
	}
	return ""
}

func elementFault(element string) string {
	switch {
	case element == "":
		return "it has an empty element"
	case element == "." || element == "..":
		return "it has the element " + element
	case encodedLen(element) > MaxElementBytes:
		return fmt.Sprintf("it has an element longer than %d bytes once encoded", MaxElementBytes)
	case len(element) == 64 && lowerHex(strings.ToLower(element)):
		return "it has an element that looks like a hash"
	}
	return ""
}

const upperHex = "0123456789ABCDEF"

// inKey reports whether c stands for itself in a key.
func inKey(c byte) bool {
	switch {
	case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		return true
	}
	return c == '.' || c == '_' || c == '=' || c == '-' || c == '/'
}

// EncodeName gives a log file name as it stands in keys: every byte outside
// [A-Za-z0-9._=-] and the slash is percent-encoded with upper-case hex.
func EncodeName(name string) string {
	n := encodedLen(name)
	if n == len(name) {
		return name
	}
	b := make([]byte, 0, n)
	for i := range len(name) {
		if c := name[i]; inKey(c) {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

// encodedName reports whether EncodeName gives this for a name that CheckName allows.
// Few names are worth decoding for it: those with a percent sign.
func encodedName(encoded string) bool {
	if strings.IndexByte(encoded, '%') < 0 {
		return encodedLen(encoded) == len(encoded) && nameFault(encoded) == ""
	}
	name, err := url.PathUnescape(encoded)
	return err == nil && EncodeName(name) == encoded && nameFault(name) == ""
}

func encodedLen(name string) int {
	n := len(name)
	for i := range len(name) {
		if !inKey(name[i]) {
			n += 2
		}
	}
	return n
}

// CheckNames checks each name and the list as a whole: ascending order of bytes, no
// name twice, not even in other letter case, and none that is a directory of
// another. It needs memory for the directories and for names with upper-case letters,
// and goes through the names twice.
func CheckNames(names func(yield func(string) bool)) error {
	var c nameChecker
	for name := range names {
		if err := c.next(name); err != nil {
			return err
		}
	}
	// Two names that differ in case have at least one with a capital, so it is
	// enough to meet every name with those.
	for name := range names {
		if err := c.again(name); err != nil {
			return err
		}
	}
	return nil
}

type nameChecker struct {
	previous string
	started  bool
	folded   map[string]string // names with capitals, by their folded form
	dirs     map[string]bool   // folded directories of all names
}

func (c *nameChecker) next(name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	if c.started && name <= c.previous {
		if name == c.previous {
			return fmt.Errorf("%q is %w: it occurs twice", name, ErrName)
		}
		return fmt.Errorf("the names are out of order: %q comes after %q", name, c.previous)
	}
	c.started, c.previous = true, name
	folded := fold(name)
	if folded != name {
		if other, twice := c.folded[folded]; twice {
			return fmt.Errorf("%q is %w: it differs from %q in letter case only", name, ErrName, other)
		}
		if c.folded == nil {
			c.folded = map[string]string{}
		}
		c.folded[folded] = name
	}
	for i := strings.LastIndexByte(folded, '/'); i > 0; i = strings.LastIndexByte(folded[:i], '/') {
		dir := folded[:i] // shares the name's memory: a deep name costs no more than its depth
		if c.dirs[dir] {
			break
		}
		if c.dirs == nil {
			c.dirs = map[string]bool{}
		}
		c.dirs[dir] = true
	}
	return nil
}

func (c *nameChecker) again(name string) error {
	if c.folded == nil && c.dirs == nil {
		return nil
	}
	folded := fold(name)
	if other, twice := c.folded[folded]; twice && other != name {
		return fmt.Errorf("%q is %w: it differs from %q in letter case only", name, ErrName, other)
	}
	if c.dirs[folded] {
		return fmt.Errorf("%q is %w: it is a directory of another", name, ErrName)
	}
	return nil
}

// fold maps names that a case-insensitive file system takes for one to one string.
// Upper first: some letters have one capital and several small forms. It maps letter
// by letter, so that the fold of a directory is the beginning of the name's fold.
func fold(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return strings.ToLower(strings.ToUpper(name))
		}
	}
	return strings.ToLower(name)
}
