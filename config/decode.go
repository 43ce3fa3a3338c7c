package config

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// decoder decodes a file into a Config. It continues after a problem, to report all of them.
type decoder struct {
	errors  *report
	getenv  func(string) (string, bool)
	resolve func(string) string // follows the symbolic links in a path
	places  destinationPlaces
	lines   map[placeKey]int
	zones   map[string]*time.Location // those that were loaded
}

// location loads a time zone, each once.
func (d *decoder) location(name string) (*time.Location, error) {
	if l := d.zones[name]; l != nil {
		return l, nil
	}
	l, err := time.LoadLocation(name)
	if err != nil {
		return nil, fmt.Errorf("loading a time zone: %w", err)
	}
	d.zones[name] = l
	return l, nil
}

func newDecoder(name string, data []byte, getenv func(string) (string, bool), resolve func(string) string) *decoder {
	return &decoder{
		errors: newReport(name, data), getenv: getenv, resolve: resolve,
		places: newDestinationPlaces(), lines: map[placeKey]int{}, zones: map[string]*time.Location{},
	}
}

// decode returns the decoded file. It is valid only if no problem was reported.
func (d *decoder) decode(data []byte) *Config {
	c := &Config{}
	body := d.parse(data)
	if body == nil {
		return c
	}
	top, ok := d.section(body, "at the top level", append(keys[Config](), "defaults"))
	if !ok {
		return c
	}
	c.StateDir = top.path("state_dir")
	c.ScratchDir = top.path("scratch_dir")
	c.HTTP = top.http()
	c.Prices = top.prices()
	shared := Archive{Transfers: DefaultTransfers, TimeZone: "UTC", NotifyAfter: DefaultNotifyAfter}
	notify := 0
	if e, ok := top.entries["defaults"]; ok {
		if s, ok := d.section(e.value, "in defaults", sharedKeys()); ok {
			s.shared(&shared)
			notify = s.entries["notify"].key.line
		}
	}
	c.Archives = d.archives(top, &shared, notify)
	return c
}

// archives returns the archives of the file. notify is the line of the defaults' targets.
func (d *decoder) archives(top *section, shared *Archive, notify int) []Archive {
	top.required("archives", `[{name: orders, …}], or see what strongroom init writes`)
	e, ok := top.entries["archives"]
	if !ok {
		return nil
	}
	list, ok := e.value.(*ast.SequenceNode)
	if !ok {
		d.errors.add(e.at, "archives must be a list; start each archive with \"- name:\"")
		return nil
	}
	if len(list.Values) == 0 {
		d.errors.add(e.at, "archives is empty; add at least one archive")
	}
	var all []Archive
	names := map[string]position{}
	for _, n := range list.Values {
		s, ok := d.section(n, "in an archive", append(keys[Archive](), "destinations"))
		if !ok {
			continue
		}
		a := *shared
		s.archive(&a)
		s.unique(names, "name", a.Name)
		more := []Archive{a}
		if _, several := s.entries["destinations"]; several {
			more = s.group(&a, names)
		} else {
			d.lines[placeKey{a.Name, "destination"}] = s.entries["destination"].at.line
			s.apart(a.Destination)
		}
		for i := range more {
			d.lines[placeKey{more[i].Name, "notify"}] = cmp.Or(s.entries["notify"].key.line, notify)
		}
		all = append(all, more...)
	}
	return all
}

// sharedKeys returns the keys of an archive that the section defaults may have.
func sharedKeys() []string {
	var all []string
	for _, k := range keys[Archive]() {
		if k != "name" && k != "source" && k != "destination" && k != "" {
			all = append(all, k)
		}
	}
	return all
}

// keys returns the keys that a struct's tags name.
func keys[T any]() []string {
	var all []string
	for f := range reflect.TypeFor[T]().Fields() {
		if key := f.Tag.Get("yaml"); key != "" {
			all = append(all, key)
		}
	}
	return all
}

// parse returns the document's top node, or nil if a problem was reported.
func (d *decoder) parse(data []byte) ast.Node {
	if len(data) > MaxSize {
		d.errors.add(position{}, "it is longer than %d bytes; is this the right file?", MaxSize)
		return nil
	}
	if !d.readable(data) {
		return nil
	}
	// Editors on Windows begin a file with a byte order mark.
	tokens := lexer.Tokenize(strings.TrimPrefix(string(data), "\uFEFF"))
	if !d.acceptable(tokens) {
		return nil
	}
	f, err := parseTokens(tokens)
	if err != nil {
		d.syntaxError(err)
		return nil
	}
	return d.document(f)
}

// parseTokens parses the tokens. It turns a panic of the third-party parser into an error.
func parseTokens(tokens token.Tokens) (f *ast.File, err error) {
	defer func() {
		if p := recover(); p != nil {
			f, err = nil, fmt.Errorf("this YAML cannot be parsed (%v)", p)
		}
	}()
	f, err = parser.Parse(tokens, 0, parser.AllowDuplicateMapKey()) // section reports duplicates better
	if err != nil {
		return nil, fmt.Errorf("parsing YAML: %w", err)
	}
	return f, nil
}

func (d *decoder) syntaxError(err error) {
	syntax, ok := errors.AsType[yaml.Error](err)
	if !ok {
		d.errors.add(position{}, "%v", err)
		return
	}
	at := place(syntax.GetToken())
	advice := "check the indentation and the quotes"
	if at.line >= 1 && at.line <= len(d.errors.lines) && strings.Contains(d.errors.lines[at.line-1], "${") {
		advice = "within { } or [ ], put a value that holds ${…} in quotes"
	}
	d.errors.add(at, "this is not valid YAML: %s; %s", syntax.GetMessage(), advice)
}

// document returns the top node of the only document.
func (d *decoder) document(f *ast.File) ast.Node {
	var body ast.Node
	for _, doc := range f.Docs {
		if doc.Body == nil || doc.Body.Type() == ast.NullType {
			continue
		}
		if body != nil {
			d.errors.add(place(doc.Body.GetToken()), "a second document begins here; a configuration is one document, so remove the line --- before it")
			return nil
		}
		body = doc.Body
	}
	if body == nil {
		d.errors.add(position{}, "it is empty; strongroom init writes one to begin with")
	}
	return body
}

// place returns the position of a token; the zero position if it has none.
func place(t *token.Token) position {
	if t == nil || t.Position == nil {
		return position{}
	}
	return position{t.Position.Line, t.Position.Column}
}
