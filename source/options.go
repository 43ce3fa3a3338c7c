package source

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"
)

// NewLayout makes the layout that o describes. Its errors say what is wrong and what is
// allowed, in the words of the configuration file.
func NewLayout(o LayoutOptions) (Layout, error) {
	if f, ok := fixed(o.Name); ok {
		if err := refuseUnused(&o, o.Pattern != "", "pattern", "segments and files"); err != nil {
			return Layout{}, err
		}
		if err := refuseRule(&o, o.Quiet != 0); err != nil {
			return Layout{}, err
		}
		if err := refuseUnused(&o, o.Name == "bdb" && o.NoEntries, "entries", "je and noxu"); err != nil {
			return Layout{}, err
		}
		known := o.Name != "bdb" // what its files consist of
		return Layout{name: o.Name, family: f, tail: known && !o.NoTail, entries: known && !o.NoEntries, deep: o.Name == "je"}, nil
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
		return Layout{}, errors.New("no layout given; it is one of je, noxu, bdb, segments, files")
	}
	return Layout{}, fmt.Errorf("unknown layout %q; it is one of je, noxu, bdb, segments, files", o.Name)
}

// refuseUnused complains about a setting that would have no effect: whoever sets it
// expects one.
func refuseUnused(o *LayoutOptions, set bool, key, only string) error {
	if !set {
		return nil
	}
	return fmt.Errorf("layout %s has no %s: that is for %s; remove it or choose another layout", o.Name, key, only)
}

// refuseRule refuses the settings that only the layout segments understands, and quiet
// where it is set although nothing goes by time.
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
		return Layout{}, fmt.Errorf("pattern %q has %d groups; layout segments needs exactly one, around the sequence number; write (?:…) for the others", o.Pattern, n)
	}
	switch o.Base {
	case 0:
		l.base = 10
	case 10, 16:
	default:
		return Layout{}, fmt.Errorf("base %d: it is 10 (the default) or 16", o.Base)
	}
	switch o.Closed {
	case "", "all-but-newest":
		if o.Quiet != 0 {
			return Layout{}, errors.New("quiet has no effect with closed: all-but-newest; set closed: quiet, or remove it")
		}
		return l, nil
	case "quiet":
		if err := l.setQuiet(o.Quiet); err != nil {
			return Layout{}, err
		}
		return l, nil
	}
	return Layout{}, fmt.Errorf("closed %q: it is all-but-newest (the default) or quiet", o.Closed)
}

func newFiles(o *LayoutOptions) (Layout, error) {
	if err := refuseRule(o, false); err != nil {
		return Layout{}, err
	}
	l := Layout{name: o.Name}
	if err := l.compile(o.Pattern, `.*\.log`); err != nil {
		return Layout{}, err
	}
	if err := l.setQuiet(o.Quiet); err != nil {
		return Layout{}, err
	}
	return l, nil
}

// compile sets the pattern. It must match the whole of a path: one that matches
// somewhere in the middle takes half-written .tmp files along.
func (l *Layout) compile(pattern, example string) error {
	if pattern == "" {
		return fmt.Errorf("layout %s needs a pattern: a regular expression for the whole file name, such as %s", l.name, example)
	}
	if _, err := regexp.Compile(pattern); err != nil { // before anchoring, so that a stray ) cannot close our group
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

func (l *Layout) setQuiet(d time.Duration) error {
	if d < 0 {
		return fmt.Errorf("quiet %v: it cannot be negative; it is how long a file must be left alone, such as 60s", d)
	}
	if d == 0 {
		d = DefaultQuiet
	}
	l.quiet = d
	return nil
}
