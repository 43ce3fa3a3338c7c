package manifest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"unicode/utf8"
)

// ErrName means that a log file name is not allowed.
var ErrName = errors.New("not allowed as the name of a log file")

// CheckName returns an error that wraps ErrName if a log file may not have this name in an
// archive. The name is a slash-separated path below the source. The rules ensure that a name is
// within the target directory of a restore, that it is unambiguous there, and that its key is
// valid.
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
	// The C1 control characters, which have two bytes in UTF-8.
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
	case looksLikeObject(element):
		return "it has an element that looks like the name of an object"
	}
	return ""
}

// looksLikeObject reports whether an element resembles the end of a key: 64 hex digits, alone or
// followed by a hyphen. On a file system, where keys are paths, a file and a directory could then
// need the same path.
func looksLikeObject(element string) bool {
	return len(element) >= 64 && lowerHex(strings.ToLower(element[:64])) && (len(element) == 64 || element[64] == '-')
}

const upperHex = "0123456789ABCDEF"

// inKey has the bytes that are not encoded in a key.
var inKey = func() (table [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._=-/") {
		table[c] = true
	}
	return table
}()

// EncodeName returns a log file name as it is in keys. Every byte except [A-Za-z0-9._=-] and the
// slash is percent-encoded with upper-case hex digits.
func EncodeName(name string) string {
	n := encodedLen(name)
	if n == len(name) {
		return name
	}
	b := make([]byte, 0, n)
	for i := range len(name) {
		if c := name[i]; inKey[c] {
			b = append(b, c)
		} else {
			b = append(b, '%', upperHex[c>>4], upperHex[c&15])
		}
	}
	return string(b)
}

// encodedName reports whether EncodeName returns this for a name that CheckName allows. It decodes
// only names with a percent sign, which are few.
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
		if !inKey[name[i]] {
			n += 2
		}
	}
	return n
}

// CheckNames checks each name and the whole list: the names ascend in byte order, no two are equal
// in lower case, and none is a directory of another one. It iterates over names several times, and
// keeps them in memory only if some have capital letters.
func CheckNames(names func(yield func(string) bool)) error {
	for name := range names {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	return checkList(names)
}

// checkList is CheckNames without the check of each name.
func checkList(names func(yield func(string) bool)) error {
	previous, started, mixed := "", false, false
	for name := range names {
		switch {
		case !started || name > previous:
		case name == previous:
			return fmt.Errorf("%q is %w: it occurs twice", name, ErrName)
		default:
			return fmt.Errorf("the names are out of order: %q comes after %q", name, previous)
		}
		previous, started = name, true
		mixed = mixed || fold(name) != name
	}
	var c collisions
	if mixed {
		return c.sorted(names)
	}
	for name := range names {
		if err := c.next(foldedName{name, name}); err != nil {
			return err
		}
	}
	return nil
}

type foldedName struct{ folded, name string }

// collisions finds names that collide on a case-insensitive file system. It needs them in the
// order of their folded forms.
type collisions struct {
	// The previous name and the earlier names that are prefixes of it, each a prefix of the next.
	// A directory sorts before all names below it, and all names between have it as a prefix. So
	// it is still in the list at the first name below it.
	prefixes []foldedName
}

func (c *collisions) next(n foldedName) error {
	last := len(c.prefixes) - 1
	if last >= 0 && c.prefixes[last].folded == n.folded {
		return fmt.Errorf("%q is %w: it differs from %q in letter case only", n.name, ErrName, c.prefixes[last].name)
	}
	for ; last >= 0 && !strings.HasPrefix(n.folded, c.prefixes[last].folded); last-- {
	}
	c.prefixes = c.prefixes[:last+1]
	for _, p := range c.prefixes {
		if n.folded[len(p.folded)] == '/' {
			return fmt.Errorf("%q is %w: it is a directory of another", p.name, ErrName)
		}
	}
	c.prefixes = append(c.prefixes, n)
	return nil
}

func (c *collisions) sorted(names func(yield func(string) bool)) error {
	var list []foldedName
	for name := range names {
		list = append(list, foldedName{fold(name), name})
	}
	slices.SortFunc(list, func(a, b foldedName) int { return strings.Compare(a.folded, b.folded) })
	for _, n := range list {
		if err := c.next(n); err != nil {
			return err
		}
	}
	return nil
}

// fold returns the same string for names that are equal on a case-insensitive file system. It maps
// to upper case first, since some letters have one capital and several small forms. It maps each
// letter separately, so that the form of a directory is a prefix of those below it.
func fold(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return strings.ToLower(strings.ToUpper(name))
		}
	}
	return strings.ToLower(name)
}
