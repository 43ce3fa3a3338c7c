package config

import (
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"

	"github.com/goccy/go-yaml/ast"
)

// archive fills a, which begins as a copy of the defaults, from its section.
func (s *section) archive(a *Archive) {
	s.required("name", "orders")
	s.required("source", "{dir: /var/lib/orders}")
	_, several := s.entries["destinations"]
	e, one := s.entries["destination"]
	switch {
	case several && one:
		s.errors.add(e.key, "destination and destinations are both set; remove one of them")
	case !several:
		s.required("destination", "s3://bucket/orders?region=eu-central-1")
	}
	a.Name = s.name()
	a.Destination = s.destination()
	of := a.Bandwidth
	if s.shared(a); a.Bandwidth != nil && a.Bandwidth != of {
		a.Bandwidth.owner = a.Name
	}
	if e, ok := s.entries["source"]; ok {
		if src, ok := s.section(e.value, "in source", keys[Source]()); ok {
			src.source(&a.Source)
		}
	}
}

// shared fills in the settings that the section defaults may also have.
func (s *section) shared(a *Archive) {
	if v, ok := s.text("node"); ok {
		a.Node = v
	}
	if v, ok := s.number("transfers", 1, MaxTransfers); ok {
		a.Transfers = v
	}
	if v, ok := s.duration("jitter"); ok {
		a.Jitter = v
	}
	if v, ok := s.text("time_zone"); ok {
		location, err := s.location(v)
		if err != nil {
			s.errors.add(s.entries["time_zone"].at,
				"the time zone %s is not known; write a name such as UTC or Europe/Berlin", quote(v))
		}
		a.TimeZone, a.location = v, location
	}
	if b, ok := s.bandwidth(a.Location()); ok {
		a.Bandwidth = b
	}
	if v, ok := s.text("schedule"); ok {
		if _, err := ParseSchedule(v, a.Location()); err != nil {
			s.errors.add(s.entries["schedule"].at, "%v", err)
		}
		a.Schedule = v
	}
	s.encodings(a)
	if v := s.verify(a.Location()); v != nil {
		a.Verify = v
	}
	if v := s.drill(a.Location()); v != nil {
		a.Drill = v
	}
	if v := s.retention(a.Location()); v != nil {
		a.Retention = v
	}
	if v, ok := s.notify(); ok {
		a.Notify = v
	}
	if v, ok := s.duration("notify_after"); ok {
		a.NotifyAfter = v
	}
}

var validName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)

// longestName bounds an archive's name, in bytes.
const longestName = 100

// name returns the archive's name. It becomes part of file names, URLs and command lines, so it
// must not resemble a flag or "..".
func (s *section) name() string {
	v, ok := s.text("name")
	if !ok || len(v) <= longestName && validName.MatchString(v) {
		return v
	}
	s.errors.add(s.entries["name"].at, "the name %s must consist of letters, digits, dots, _ and -, "+
		"begin with a letter or digit, and have at most 100 characters", quote(v))
	return ""
}

// destination returns the archive's URL. Its errors show neither the URL nor the reason why it is
// malformed, since it may contain a password. Package providers checks the scheme and its
// parameters when it opens the URL.
func (s *section) destination() string {
	v, ok := s.text("destination")
	if !ok {
		return ""
	}
	at := s.entries["destination"].at
	u, err := url.Parse(v)
	switch {
	case err != nil || u.Scheme == "" || u.Opaque != "" || u.Host+u.Path == "":
		s.errors.add(at, "destination is not a URL; write one such as "+
			"s3://bucket/orders?region=eu-central-1 or file:///mnt/backup/orders")
	case u.User != nil:
		s.errors.add(at, "destination has credentials in it (before the @); remove them: "+
			"they come from the environment, shared files or the workload's identity")
	case u.Fragment != "":
		s.errors.add(at, "destination has a # in it; write it as %%23")
	default:
		return v
	}
	return ""
}

// maxDestinations is how many destinations an archive may have.
const maxDestinations = 8

// group returns one archive for each destination. The first has the name of a, the others that
// name with a number.
func (s *section) group(a *Archive, names map[string]position) []Archive {
	e := s.entries["destinations"]
	urls := s.texts("destinations")
	if len(urls) < 1 || len(urls) > maxDestinations {
		s.errors.add(e.at, "destinations must be a list of 1 to %d URLs", maxDestinations)
		return nil
	}
	var all []Archive
	for i := range urls {
		one := *a
		value := e.value.(*ast.SequenceNode).Values[i]
		text := section{decoder: s.decoder, entries: map[string]entry{
			"destination": {key: e.key, at: place(value.GetToken()), value: value},
		}}
		one.Destination, one.Group = text.destination(), a.Name
		if i > 0 {
			one.Name = a.Name + "." + strconv.Itoa(i+1)
			text.entries["name"] = text.entries["destination"]
			text.unique(names, "name", one.Name)
		}
		s.lines[placeKey{one.Name, "destination"}] = text.entries["destination"].at.line
		text.apart(one.Destination)
		all = append(all, one)
	}
	return all
}

// path returns a key's absolute path; "" without one.
func (s *section) path(key string) string {
	v, ok := s.text(key)
	if ok && !filepath.IsAbs(v) {
		s.errors.add(s.entries[key].at, "%s must be an absolute path, such as /var/lib/orders: "+
			"a relative one would depend on the directory in which strongroom is started", key)
		return ""
	}
	if !ok {
		return ""
	}
	return filepath.Clean(v)
}

// source fills in the source from its section.
func (s *section) source(src *Source) {
	s.required("dir", "/var/lib/orders")
	src.Dir = s.path("dir")
	src.Layout = s.choice("layout", "je", "noxu", "bdb", "segments", "files")
	src.Closed = s.choice("closed", "all-but-newest", "quiet")
	src.Tail = s.choice("tail", "include", "exclude")
	src.Entries = s.choice("entries", "check", "ignore")
	src.Pattern, _ = s.text("pattern")
	s.commands(src)
	if v, ok := s.duration("quiet"); ok {
		src.Quiet, src.NoQuiet = v, v == 0
	}
	if v, ok := s.number("base", 10, 16); ok {
		if v != 10 && v != 16 {
			s.errors.add(s.entries["base"].at, "base must be 10 or 16")
		}
		src.Base = v
	}
	if _, given := s.entries["layout"]; !given || src.Layout != "" {
		s.fit(src)
	}
}

// fit reports settings that have no effect with the layout.
func (s *section) fit(src *Source) {
	named := src.Layout
	if named == "" {
		named = "(detected)"
	}
	only := func(key, what string, layouts ...string) {
		if e, ok := s.entries[key]; ok && !slices.Contains(layouts, src.Layout) {
			s.errors.add(e.key, "layout %s has no %s, which only %s have; remove it or choose another layout",
				named, key, what)
		}
	}
	only("pattern", "segments and files", "segments", "files")
	only("base", "segments", "segments")
	only("closed", "segments", "segments")
	only("quiet", "files, and segments with closed: quiet", "segments", "files")
	if src.Tail == "include" {
		only("tail", "je and noxu", "", "je", "noxu")
	}
	only("entries", "je and noxu", "", "je", "noxu")
	if e, ok := s.entries["quiet"]; ok && src.Layout == "segments" && src.Closed != "quiet" {
		s.errors.add(e.key, "quiet has no effect with closed: all-but-newest; set closed: quiet, or remove it")
	}
	switch src.Layout {
	case "segments":
		s.required("pattern", `'[0-9a-f]{16}-([0-9a-f]{16})\.wal'`)
		s.pattern(src.Pattern, true)
	case "files":
		s.required("pattern", `'.*\.log'`)
		s.pattern(src.Pattern, false)
	}
}

// pattern reports an invalid regular expression and, if group is set, one without exactly one group.
func (s *section) pattern(pattern string, group bool) {
	if pattern == "" {
		return
	}
	at := s.entries["pattern"].at
	re, err := regexp.Compile(pattern)
	switch {
	case err != nil:
		s.errors.add(at, "pattern: %v; the syntax is that of Go and RE2", err)
	case group && re.NumSubexp() != 1:
		s.errors.add(at, "pattern has %d groups; layout segments needs exactly one, around the sequence number; "+
			"write (?:…) for the others", re.NumSubexp())
	}
}
