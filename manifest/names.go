package manifest

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
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
	case looksLikeObject(element):
		return "it has an element that looks like the name of an object"
	}
	return ""
}

// looksLikeObject reports whether an element could be mistaken for what a key ends in:
// 64 hex digits, alone or with a hyphen after them. On a file system, where a key is a
// path, a file could then be in the place of a directory.
func looksLikeObject(element string) bool {
	return len(element) >= 64 && lowerHex(strings.ToLower(element[:64])) && (len(element) == 64 || element[64] == '-')
}

const upperHex = "0123456789ABCDEF"

// inKey says which bytes stand for themselves in a key.
var inKey = func() (table [256]bool) {
	for _, c := range []byte("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._=-/") {
		table[c] = true
	}
	return table
}()

// EncodeName gives a log file name as it stands in keys: every byte outside
// [A-Za-z0-9._=-] and the slash is percent-encoded with upper-case hex.
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
		if !inKey[name[i]] {
			n += 2
		}
	}
	return n
}

// CheckNames checks each name and the list as a whole: ascending order of bytes, no
// name twice, not even in other letter case, and none that is a directory of another.
// It goes through the names several times, and holds them only if some have capitals.
func CheckNames(names func(yield func(string) bool)) error {
	for name := range names {
		if err := CheckName(name); err != nil {
			return err
		}
	}
	return checkList(names)
}

// checkList is CheckNames for names that are good, each by itself.
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

// collisions finds names that meet on a case-insensitive file system. It is to be
// given them in the order of their folded forms.
type collisions struct {
	// The name before and those that it begins with, each the beginning of the next.
	// A directory sorts before everything below it, and whatever lies between begins
	// with it too, so it is still here when the first name below it comes.
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

// fold maps names that a case-insensitive file system takes for one to one string.
// Upper first: some letters have one capital and several small forms. It maps letter
// by letter, so that a directory's form is the beginning of those below it.
func fold(name string) string {
	for i := range len(name) {
		if name[i] >= utf8.RuneSelf {
			return strings.ToLower(strings.ToUpper(name))
		}
	}
	return strings.ToLower(name)
}
