package source

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

// NewLayout returns the layout that o describes. Its errors name the keys of the configuration
// file, and the values that are allowed.
func NewLayout(o LayoutOptions) (Layout, error) {
	if f, ok := fixed(o.Name); ok {
		if err := refuseUnused(&o, o.Pattern != "", "pattern", "segments and files"); err != nil {
			return Layout{}, err
		}
		if err := refuseRule(&o, o.Quiet != 0 || o.NoQuiet); err != nil {
			return Layout{}, err
		}
		if err := refuseUnused(&o, o.Name == "bdb" && o.NoEntries, "entries", "je and noxu"); err != nil {
			return Layout{}, err
		}
		known := o.Name != "bdb" // the form of its entries is known
		return Layout{
			name: o.Name, family: f, tail: known && !o.NoTail, entries: known && !o.NoEntries, deep: o.Name == "je",
		}, nil
	}
	if err := refuseUnused(&o, o.Name != "" && o.NoEntries, "entries", "je and noxu"); err != nil {
		return Layout{}, err
	}
	switch o.Name {
	case "segments":
		return newSegments(&o)
	case "files":
		return newFiles(&o)
	case "":
		return Layout{}, errors.New("no layout given; use one of je, noxu, bdb, segments, files")
	}
	return Layout{}, fmt.Errorf("unknown layout %q; use one of je, noxu, bdb, segments, files", o.Name)
}

// OptionsError is the error of options that describe no layout, or that do not fit the layout.
type OptionsError struct{ err error }

func (o *OptionsError) Error() string { return o.err.Error() }

// Unwrap returns the error of NewLayout.
func (o *OptionsError) Unwrap() error { return o.err }

// OpenWith opens the directory at dir with the layout that o describes. Without a name in o it detects the layout, and
// the other options apply to that one. Its errors are those of Detect and Open, and an OptionsError.
func OpenWith(dir string, o LayoutOptions) (*Directory, error) {
	if o.Name == "" {
		found, err := Detect(dir)
		if err != nil {
			return nil, err
		}
		o.Name = found.Name()
	}
	layout, err := NewLayout(o)
	if err != nil {
		return nil, &OptionsError{err}
	}
	return Open(dir, layout)
}

// refuseUnused returns an error if a setting that has no effect is set.
func refuseUnused(o *LayoutOptions, set bool, key, only string) error {
	if !set {
		return nil
	}
	return fmt.Errorf("layout %s has no %s, which only %s have; remove it or choose another layout",
		o.Name, key, only)
}

// refuseRule returns an error if a setting is set that only the layout segments has, or if quiet
// is set in a layout that does not use it.
func refuseRule(o *LayoutOptions, quiet bool) error {
	return errors.Join(
		refuseUnused(o, o.Base != 0, "base", "segments"),
		refuseUnused(o, o.Closed != "", "closed", "segments"),
		refuseUnused(o, quiet, "quiet", "files, and segments with closed: quiet"))
}

func newSegments(o *LayoutOptions) (Layout, error) {
	l := Layout{name: o.Name, base: o.Base}
	if err := l.compile(o.Pattern, `[0-9a-f]{16}-([0-9a-f]{16})\.wal`); err != nil {
		return Layout{}, err
	}
	if n := l.pattern.NumSubexp(); n != 1 {
		return Layout{}, fmt.Errorf("pattern %q has %d groups; layout segments needs exactly one, "+
			"around the sequence number; write (?:…) for the others", o.Pattern, n)
	}
	switch o.Base {
	case 0:
		l.base = 10
	case 10, 16:
	default:
		return Layout{}, fmt.Errorf("base %d: use 10 (the default) or 16", o.Base)
	}
	switch o.Closed {
	case "", "all-but-newest":
		if o.Quiet != 0 || o.NoQuiet {
			return Layout{}, errors.New("quiet has no effect with closed: all-but-newest; set closed: quiet, or remove it")
		}
		return l, nil
	case "quiet":
		if err := l.setQuiet(o); err != nil {
			return Layout{}, err
		}
		return l, nil
	}
	return Layout{}, fmt.Errorf("closed %q: use all-but-newest (the default) or quiet", o.Closed)
}

func newFiles(o *LayoutOptions) (Layout, error) {
	if err := refuseRule(o, false); err != nil {
		return Layout{}, err
	}
	l := Layout{name: o.Name}
	if err := l.compile(o.Pattern, `.*\.log`); err != nil {
		return Layout{}, err
	}
	if err := l.setQuiet(o); err != nil {
		return Layout{}, err
	}
	return l, nil
}

// compile sets the pattern. It must match the whole path: otherwise it might also match unfinished
// .tmp files.
func (l *Layout) compile(pattern, example string) error {
	if pattern == "" {
		return fmt.Errorf("layout %s needs a pattern: a regular expression for the whole file name, such as %s",
			l.name, example)
	}
	if _, err := regexp.Compile(pattern); err != nil { // without anchors: a stray ) must not close their group
		return fmt.Errorf("pattern %q: %w; the syntax is that of Go and RE2", pattern, err)
	}
	re, err := regexp.Compile(`\A(?:` + pattern + `)\z`)
	if err != nil {
		return fmt.Errorf("pattern %q: %w; the syntax is that of Go and RE2", pattern, err)
	}
	l.pattern = re
	l.deep = strings.Contains(pattern, "/")
	return nil
}

func (l *Layout) setQuiet(o *LayoutOptions) error {
	if o.Quiet < 0 {
		return fmt.Errorf("quiet %v: it cannot be negative; write a duration without changes, such as 60s", o.Quiet)
	}
	if o.NoQuiet && o.Quiet != 0 {
		return fmt.Errorf("quiet %v: it cannot be combined with closing each file at once", o.Quiet)
	}
	l.byQuiet, l.quiet = true, o.Quiet
	if o.Quiet == 0 && !o.NoQuiet {
		l.quiet = DefaultQuiet
	}
	return nil
}
