package source

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/source/entries"
	"github.com/strongroom-dev/strongroom/source/je"
	"github.com/strongroom-dev/strongroom/source/noxu"
)

// DefaultQuiet is the default of LayoutOptions.Quiet.
const DefaultQuiet = 60 * time.Second

// Layout has the rules for one kind of database's log files: which files they are, their order,
// and which of them are closed. It is an immutable value, safe for concurrent use. The zero Layout
// matches no file.
type Layout struct {
	name    string
	family  family
	tail    bool // a capture includes the file that is being written
	pattern *regexp.Regexp
	base    int  // of the sequence number in a pattern's group
	byQuiet bool // a file is closed if it has not changed for the time quiet, and not by a successor
	quiet   time.Duration
	deep    bool // subdirectories may have log files too
	entries bool // the files' entries are checked
}

// LayoutOptions describes a layout, as the configuration file does.
type LayoutOptions struct {
	Name string // je, noxu, bdb, segments or files

	// Pattern is a regular expression for the whole path of a file below the directory.
	// Subdirectories are searched only if it contains a slash. In the layout segments it has
	// one group, the sequence number. Only for the layouts segments and files.
	Pattern string
	Base    int    // of the sequence number: 10, the default, or 16. Only for segments
	Closed  string // "all-but-newest", the default, or "quiet". Only for segments

	// Quiet is how long a file must not have been modified to count as closed. Zero means
	// DefaultQuiet. Only for files, and for segments with Closed "quiet".
	Quiet time.Duration
	// NoQuiet makes every file closed at once, as in a set that a database has just finished, such as
	// a checkpoint. Quiet is then 0. Only where Quiet has an effect.
	NoQuiet bool

	NoTail bool // leaves out the file that is being written. Only je and noxu include it

	// NoEntries disables the check of the entries in the files, for databases whose entries
	// have another form. Then the file with the highest number counts as being written, and a
	// capture includes its whole content. Only for je and noxu.
	NoEntries bool
}

// A family is the form of a layout's file names.
type family struct {
	prefix, suffix string
	digits, base   int
}

// fixed returns the form of the names in a layout that needs no configuration; false for any other
// layout. Only this function lists those layouts.
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

// number returns the sequence number in a base name. It accepts only lower-case digits: the
// databases write no others, so 0000000A.jdb is not a log file.
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

// Name returns the layout's name in the configuration and in archives.
func (l Layout) Name() string { return l.name }

// KeepsTail reports whether a capture includes the beginning of the file that is being written.
func (l Layout) KeepsTail() bool { return l.tail }

// ChecksEntries reports whether the layout's files have entries whose checksums are checked.
func (l Layout) ChecksEntries() bool { return l.entries }

// EntryReader returns a Reader that checks the entries of the log file with this name. It returns
// nil if the layout has no entries, or if they are not checked.
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

// Match reports whether a path below the directory is the name of a log file.
func (l Layout) Match(name string) bool {
	ok, why := l.match(name)
	return ok && why == ""
}

// Position returns the position of a file in the log: numbers ascend within a group. The group is
// the file's directory in the layout segments, and "" in layouts where one sequence spans all
// directories. ok is false if the file is no log file, and in the layout files, which has no
// order.
func (l Layout) Position(name string) (group string, number uint64, ok bool) {
	switch l.name {
	case "je", "noxu", "bdb":
		// JE distributes the numbers of one sequence over its dataNNN directories.
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

// BaseName returns the base name of the log file with a number; "" if the layout's names have
// other parts too.
func (l Layout) BaseName(number uint64) string {
	f := l.family
	if f.digits == 0 {
		return ""
	}
	digits := strconv.FormatUint(number, f.base)
	return f.prefix + strings.Repeat("0", max(0, f.digits-len(digits))) + digits + f.suffix
}

// Compare orders log files by group, then number, then name. Files without a position come last,
// by name. It is a total order, and 0 only for equal names.
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

// match reports whether a name belongs to the layout. For a name that matches the pattern but has
// no usable sequence number, it also returns why the file is left out, so that this is reported.
func (l Layout) match(name string) (ok bool, why string) {
	_, _, ok = l.Position(name)
	switch {
	case ok || l.pattern == nil:
		return ok, ""
	case !l.pattern.MatchString(name):
		return false, ""
	case l.name == "segments":
		return true, "the match of the pattern's group is no base-" + strconv.Itoa(l.base) + " number below 2^64"
	}
	return true, ""
}

// Directories returns the directories that may have log files, each with a slash at its end, and ""
// for the source's own. It returns nil if a pattern decides.
func (l Layout) Directories() []string {
	switch {
	case l.pattern != nil || l.name == "":
		return nil
	case !l.deep:
		return []string{""}
	}
	dirs := make([]string, 0, 1+1000)
	dirs = append(dirs, "")
	for i := range 1000 {
		dirs = append(dirs, fmt.Sprintf("data%03d/", i))
	}
	return dirs
}

// isDataDir reports whether a name is one of JE's data directories, such as data001.
func isDataDir(name string) bool {
	return len(name) == 7 && strings.HasPrefix(name, "data") && isDigits(name[4:])
}

func isDigits(s string) bool {
	return strings.Trim(s, "0123456789") == ""
}

// searches reports whether the subdirectory dir may have log files.
func (l Layout) searches(dir string) bool {
	return l.deep && (l.pattern != nil || isDataDir(dir))
}
