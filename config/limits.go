package config

import (
	"bytes"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml/token"
)

// The bounds of a file, far above any real one. They are needed since the YAML parser is recursive,
// compares each key of a mapping with all others, and keeps every token.
const (
	maxDepth  = 16 // of [ and {
	maxColumn = 1000
	maxKeys   = 100 // of one mapping
	maxLine   = 64 << 10
	maxMarks  = 1_500_000 // characters that may begin or end a token; an archive has 50 to 100
)

// readable reports lines that are not UTF-8, and files that would take the lexer too much memory.
// It returns false if it reported one.
func (d *decoder) readable(data []byte) bool {
	line, marks := 0, 0
	for text := range bytes.SplitSeq(data, []byte("\n")) {
		line++
		marks++
		for _, c := range text {
			if strings.IndexByte(":,-?[]{}&*!|>'\"", c) >= 0 {
				marks++
			}
		}
		why := ""
		switch {
		case !utf8.Valid(text):
			why = "this line is not UTF-8; save the file in that encoding"
		case len(text) > maxLine:
			why = fmt.Sprintf("this line is longer than %d bytes; is this the right file?", maxLine)
		case marks > maxMarks:
			why = "the file has more in it than a configuration; is this the right file?"
		}
		if why != "" {
			d.errors.add(position{line, 1}, "%s", why)
			return false
		}
	}
	return true
}

// A keyCounter counts the keys of each mapping while the tokens of a file pass.
type keyCounter struct{ open []openMapping }

// openMapping is a mapping that has not ended, as far as is known.
type openMapping struct {
	column int // of its keys; 0 for one in braces
	keys   int
}

// add counts a token. It returns the number of keys of its mapping, and 0 if it is no key's colon.
func (k *keyCounter) add(t *token.Token) int {
	switch t.Type {
	case token.MappingStartType:
		k.open = append(k.open, openMapping{})
	case token.MappingEndType:
		for n := len(k.open); n > 0; n = len(k.open) {
			last := k.open[n-1]
			k.open = k.open[:n-1]
			if last.column == 0 {
				break
			}
		}
	case token.SequenceEntryType:
		k.close(t.Position.Column)
	case token.MappingValueType:
		column := t.Position.Column
		if t.Prev != nil {
			column = t.Prev.Position.Column
		}
		n := len(k.open)
		if n > 0 && k.open[n-1].column == 0 {
			k.open[n-1].keys++
			return k.open[n-1].keys
		}
		k.close(column)
		if n = len(k.open); n == 0 || k.open[n-1].column != column {
			k.open = append(k.open, openMapping{column: column})
			n++
		}
		k.open[n-1].keys++
		return k.open[n-1].keys
	}
	return 0
}

// close ends the block mappings whose keys are to the right of a column.
func (k *keyCounter) close(column int) {
	for n := len(k.open); n > 0 && k.open[n-1].column > column; n = len(k.open) {
		k.open = k.open[:n-1]
	}
}

// acceptable reports YAML features that a configuration does not need, and files that are nested
// too deep or too large, before the parser reads them. It returns false if it reported one.
func (d *decoder) acceptable(tokens token.Tokens) bool {
	depth, counter := 0, keyCounter{}
	for _, t := range tokens {
		why, keys := "", counter.add(t)
		switch t.Type {
		case token.AnchorType, token.AliasType, token.MergeKeyType:
			why = "YAML's anchors, aliases and merge keys are not supported; move what archives share to defaults"
		case token.TagType:
			why = "YAML tags are not supported; write the value without it, or in quotes"
		case token.DirectiveType:
			why = "YAML directives are not supported; remove this line"
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		}
		// A nested block begins at least one column to the right of the outer one.
		block := t.Type == token.SequenceEntryType || t.Type == token.MappingKeyType
		switch {
		case depth > maxDepth || block && t.Position.Column > maxColumn:
			why = "this is nested too deep for a configuration; is this the right file?"
		case keys > maxKeys:
			why = fmt.Sprintf("this mapping has more than %d keys; is this the right file?", maxKeys)
		}
		if why != "" {
			d.errors.add(place(t), "%s", why)
			return false
		}
	}
	return true
}
