package config

import (
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/goccy/go-yaml/ast"

	"github.com/strongroom-dev/strongroom/internal/textdist"
)

// section is one mapping of the file, whose keys have been checked.
type section struct {
	*decoder
	at      position // of its first key
	entries map[string]entry
	meant   []string // valid keys that are close to an unknown key
}

// entry is a key with its value.
type entry struct {
	key   position
	at    position // of the value
	value ast.Node
}

// section reads a mapping and reports its unknown keys. It returns false if n is no mapping.
// where is the section's name in messages, such as "in an archive".
func (d *decoder) section(n ast.Node, where string, valid []string) (*section, bool) {
	m, ok := n.(ast.MapNode)
	if !ok {
		d.errors.add(place(n.GetToken()), "%s; write keys with values: %s", describe(n), strings.Join(valid, ", "))
		return nil, false
	}
	s := &section{decoder: d, at: place(n.GetToken()), entries: map[string]entry{}}
	for it := m.MapRange(); it.Next(); {
		at := place(it.Key().GetToken())
		if len(s.entries) == 0 {
			s.at = at
		}
		key, ok := it.Key().(*ast.StringNode)
		if !ok {
			d.errors.add(at, "%s; keys are plain words: %s", describe(it.Key()), strings.Join(valid, ", "))
			continue
		}
		if first, twice := s.entries[key.Value]; twice {
			d.errors.add(at, "the key %s occurs twice, first in line %d; remove one of them",
				quote(key.Value), first.key.line)
			continue
		}
		s.entries[key.Value] = entry{key: at, at: place(it.Value().GetToken()), value: it.Value()}
		if !slices.Contains(valid, key.Value) {
			if near, ok := textdist.Nearest(key.Value, valid); ok {
				s.meant = append(s.meant, near)
			}
			d.errors.add(at, "%s", refusal(key.Value, where, valid))
		}
	}
	return s, true
}

// refusal returns the message for an unknown key, with a suggestion.
func refusal(key, where string, valid []string) string {
	near, ok := textdist.Nearest(key, valid)
	switch {
	case where == "in defaults" && slices.Contains(keys[Archive](), key):
		return "defaults cannot have " + key + ": each archive has its own; move it there"
	case where != "in source" && slices.Contains(keys[Source](), key):
		return "the key " + key + " belongs in the source of an archive; move it there"
	case where == "in source" && slices.Contains(keys[Archive](), key):
		return "the key " + key + " belongs in the archive, not in its source; move it there, with less indentation"
	case ok:
		return "unknown key " + quote(key) + " " + where + "; the nearest valid key is " + near
	}
	return "unknown key " + quote(key) + " " + where + "; the valid keys are " + strings.Join(valid, ", ")
}

// describe names the kind of an unexpected node.
func describe(n ast.Node) string {
	switch n.(type) {
	case *ast.NullNode:
		return "there is no value"
	case *ast.SequenceNode:
		return "this is a list"
	case ast.MapNode:
		return "this is a mapping"
	case *ast.LiteralNode:
		return "this is a block of text"
	case *ast.StringNode:
		return "this is a text"
	case *ast.BoolNode:
		return "this is true or false"
	case *ast.IntegerNode, *ast.FloatNode, *ast.InfinityNode, *ast.NanNode:
		return "this is a number"
	}
	return "this is of the wrong kind"
}

// text returns a key's text with its variables expanded, and whether there is a valid one. It
// reports a value that is empty or no text.
func (s *section) text(key string) (string, bool) {
	e, ok := s.entries[key]
	if !ok {
		return "", false
	}
	n, ok := e.value.(*ast.StringNode)
	if !ok {
		advice := "a text is needed"
		if _, number := e.value.(ast.ScalarNode); number && e.value.Type() != ast.NullType {
			advice = "a text is needed: put it in quotes"
		}
		s.errors.add(e.at, "%s: %s; %s", key, describe(e.value), advice)
		return "", false
	}
	v, err := expand(n.Value, s.getenv)
	switch {
	case err != nil:
		s.errors.add(e.at, "%s: %v", key, err)
	case strings.TrimSpace(v) == "":
		s.errors.add(e.at, "%s is empty; give it a value, or remove the key", key)
	case strings.ContainsFunc(v, unicode.IsControl):
		s.errors.add(e.at, "%s has a line break or another control character in it; write it on one line", key)
	default:
		return v, true
	}
	return "", false
}

// number returns a key's whole number, and whether there is one from least to most. It reports an
// invalid one. The digits may come from a variable.
func (s *section) number(key string, least, most int) (int, bool) {
	e, ok := s.entries[key]
	if !ok {
		return 0, false
	}
	digits := ""
	switch n := e.value.(type) {
	case *ast.IntegerNode:
		digits = n.Token.Value
	case *ast.StringNode:
		v, err := expand(n.Value, s.getenv)
		if err != nil {
			s.errors.add(e.at, "%s: %v", key, err)
			return 0, false
		}
		if v != n.Value {
			digits = v
		}
	}
	v, err := strconv.Atoi(digits)
	if err != nil || digits != strconv.Itoa(v) || v < least || v > most {
		s.errors.add(e.at, "%s must be a whole number from %d to %d, in decimal digits and without quotes", key, least, most)
		return 0, false
	}
	return v, true
}

// duration returns a key's duration, and whether there is a valid one. It reports an invalid one.
func (s *section) duration(key string) (time.Duration, bool) {
	if e := s.entries[key]; e.value != nil && e.value.Type() == ast.IntegerType {
		s.errors.add(e.at, "%s lacks its unit: s, m, h or d, as in 30s", key)
		return 0, false
	}
	text, ok := s.text(key)
	if !ok {
		return 0, false
	}
	v, err := ParseDuration(text)
	if err != nil {
		s.errors.add(s.entries[key].at, "%s: %v", key, err)
		return 0, false
	}
	return v, true
}

// choice returns a key's text, which must be one of choices. It returns "" if the key is absent or,
// after reporting it, invalid.
func (s *section) choice(key string, choices ...string) string {
	v, ok := s.text(key)
	if !ok || slices.Contains(choices, v) {
		return v
	}
	advice := "use one of " + strings.Join(choices, ", ")
	if near, ok := textdist.Nearest(v, choices); ok {
		advice += "; the nearest is " + near
	}
	s.errors.add(s.entries[key].at, "%s cannot be %s; %s", key, quote(v), advice)
	return ""
}

// required reports a missing key, unless a misspelt form of it was reported.
func (s *section) required(key, example string) {
	if _, ok := s.entries[key]; !ok && !slices.Contains(s.meant, key) {
		s.errors.add(s.at, "%s is missing; add it, as in %s: %s", key, key, example)
	}
}

// unique reports a value that an earlier section has too.
func (s *section) unique(seen map[string]position, key, value string) {
	if value == "" {
		return
	}
	if first, ok := seen[value]; ok {
		s.errors.add(s.entries[key].at,
			"two archives have the same %s, the first in line %d; each needs its own", key, first.line)
		return
	}
	seen[value] = s.entries[key].at
}
