package source

import (
	"cmp"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/source/entries"
	"github.com/strongroom-dev/strongroom/source/je"
	"github.com/strongroom-dev/strongroom/source/noxu"
)

// DefaultQuiet is how long a file must have been left alone to count as closed, where
// the layout goes by that and does not say otherwise.
const DefaultQuiet = 60 * time.Second

// Layout tells the log files of one kind of database from everything else in their
// directory, orders them, and knows which of them are closed. It is an immutable value,
// safe for concurrent use. The zero Layout matches nothing.
type Layout struct {
	name    string
	family  family
	tail    bool // the open file is taken along
	pattern *regexp.Regexp
	base    int           // of the sequence in a pattern's group
	quiet   time.Duration // 0: closed is what has a successor
	deep    bool          // files lie in subdirectories too
	entries bool          // the files' own entries are checked
}

// LayoutOptions describes a layout, as the configuration file does.
type LayoutOptions struct {
	Name string // je, noxu, bdb, segments or files

	// Pattern is a regular expression for the whole of a file's path below the
	// directory. Subdirectories are searched only when it holds a slash. In the layout
	// segments it has one group, the sequence number. Layouts segments and files only.
	Pattern string
	Base    int    // of the sequence: 10, the default, or 16. segments only
	Closed  string // "all-but-newest", the default, or "quiet". segments only

	// Quiet is how long a file must not have been modified to count as closed;
	// DefaultQuiet when zero. files, and segments with Closed "quiet".
	Quiet time.Duration

	NoTail bool // do not take along the file being written. je and noxu only do

	// NoEntries: do not look at the entries in the files, as where a database keeps them
	// in a form of its own. Then the file with the highest number is the one being
	// written, and it is taken along as far as it goes. je and noxu only
	NoEntries bool
}

// A family is how the names of a layout are read.
type family struct {
	prefix, suffix string
	digits, base   int
}

// fixed holds the layouts whose names need no configuration; it returns false for any
// other. This is the one place that knows them.
func fixed(name string) (family, bool) {
	switch name {
	case "je":
		return family{suffix: ".jdb", digits: 8, base: 16}, true
	case "noxu":
		return family{suffix: ".ndb", digits: 8, base: 16}, true
	case "bdb":
		return family{prefix: "log.", digits: 10, base: 10}, true
	}
	return family{}, false
}

// number reads the sequence number out of a base name. Only lower-case digits count:
// the databases write no others, and 0000000A.jdb is not theirs.
func (f family) number(base string) (uint64, bool) {
	if f.digits == 0 || len(base) != len(f.prefix)+f.digits+len(f.suffix) ||
		!strings.HasPrefix(base, f.prefix) || !strings.HasSuffix(base, f.suffix) {
		return 0, false
	}
	var n uint64
	for _, c := range []byte(base[len(f.prefix) : len(f.prefix)+f.digits]) {
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c && c <= 'f' && f.base == 16:
			c -= 'a' - 10
		default:
			return 0, false
		}
		n = n*uint64(f.base) + uint64(c)
	}
	return n, true
}

// Name returns the name by which the layout is configured and recorded in an archive.
func (l Layout) Name() string { return l.name }

// KeepsTail reports whether the beginning of the file being written is part of a capture.
func (l Layout) KeepsTail() bool { return l.tail }

// ChecksEntries reports whether the layout's files consist of entries with checksums that
// are to be checked.
func (l Layout) ChecksEntries() bool { return l.entries }

// EntryReader returns what checks the entries of the log file by that name, fed with its
// bytes in order; nil where the layout has none, or they are not to be checked.
func (l Layout) EntryReader(name string) *entries.Reader {
	_, number, ok := l.Position(name)
	switch {
	case !ok || !l.entries:
		return nil
	case l.name == "je":
		return je.NewReader(int64(number))
	case l.name == "noxu":
		return noxu.NewReader(int64(number))
	}
	return nil
}

// Match reports whether a path below the directory is, by its name, a log file.
func (l Layout) Match(name string) bool {
	ok, why := l.match(name)
	return ok && why == ""
}

// Position returns where in the log a file stands: numbers ascend within a group, which
// is the file's directory in the layout segments and empty in those where one sequence
// spans all directories. It is false for what is not a log file, and for all files of
// the layout files, which has no order.
func (l Layout) Position(name string) (group string, number uint64, ok bool) {
	switch l.name {
	case "je", "noxu", "bdb":
		// JE deals the numbers of one sequence out over its dataNNN directories.
		dir, base := path.Split(name)
		if dir != "" && (!l.deep || !isDataDir(strings.TrimSuffix(dir, "/"))) {
			return "", 0, false
		}
		number, ok = l.family.number(base)
		return "", number, ok
	case "segments":
		digits := l.pattern.FindStringSubmatch(name)
		if digits == nil {
			return "", 0, false
		}
		number, err := strconv.ParseUint(digits[1], l.base, 64)
		if err != nil {
			return "", 0, false
		}
		if i := strings.LastIndexByte(name, '/'); i >= 0 {
			group = name[:i]
		}
		return group, number, true
	}
	return "", 0, false
}

// BaseName returns the base name of the log file with a number, or "" where the layout's
// names consist of more than that.
func (l Layout) BaseName(number uint64) string {
	f := l.family
	if f.digits == 0 {
		return ""
	}
	digits := strconv.FormatUint(number, f.base)
	return f.prefix + strings.Repeat("0", max(0, f.digits-len(digits))) + digits + f.suffix
}

// Compare orders log files by group, then number, then name; what has no position comes
// last, by name. It is a total order, and 0 only for equal names.
func (l Layout) Compare(a, b string) int {
	ga, na, oka := l.Position(a)
	gb, nb, okb := l.Position(b)
	switch {
	case oka && !okb:
		return -1
	case okb && !oka:
		return 1
	}
	return cmp.Or(cmp.Compare(ga, gb), cmp.Compare(na, nb), cmp.Compare(a, b))
}

// match reports whether a name is one of the layout's. A name that fits the pattern
// but bears no usable sequence number is, with the reason why it must be left out:
// the user is to learn of it.
func (l Layout) match(name string) (ok bool, why string) {
	_, _, ok = l.Position(name)
	switch {
	case ok || l.pattern == nil:
		return ok, ""
	case !l.pattern.MatchString(name):
		return false, ""
	case l.name == "segments":
		return true, "what the pattern's group matches is no base-" + strconv.Itoa(l.base) + " number below 2^64"
	}
	return true, ""
}

// isDataDir reports whether a name is one of JE's data directories, data001 to data256.
func isDataDir(name string) bool {
	return len(name) == 7 && strings.HasPrefix(name, "data") && isDigits(name[4:])
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// searches reports whether the subdirectory dir may hold log files.
func (l Layout) searches(dir string) bool {
	return l.deep && (l.pattern != nil || isDataDir(dir))
}
