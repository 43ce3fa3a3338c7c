package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/strongroom-dev/strongroom/internal/redact"
)

// Error has all problems of a configuration file.
type Error struct {
	File     string    // name of the file, as given by the caller
	Problems []Problem // at least one, in the order of the file
	cause    error
}

// Problem is one problem of a configuration file.
type Problem struct {
	Line, Column int    // from 1, in characters; 0 if the problem concerns the whole file
	Text         string // the line, without credentials and control characters
	Message      string // the problem and its correction

	caret string // blanks up to the position in Text
}

// maxProblems is how many problems Error shows. The others appear after the first are corrected.
const maxProblems = 10

// Error returns the first problems, each with its line and a caret below its position:
//
//	strongroom.yaml:4:5: unknown key "shedule"; the nearest valid key is schedule
//	    4 |     shedule: "@daily"
//	      |     ^
func (e *Error) Error() string {
	var b strings.Builder
	for i, p := range e.Problems {
		if i == maxProblems {
			fmt.Fprintf(&b, "\n%s: and %d more", e.File, len(e.Problems)-i)
			break
		}
		if i > 0 {
			b.WriteByte('\n')
		}
		if p.Line == 0 {
			fmt.Fprintf(&b, "%s: %s", e.File, p.Message)
			continue
		}
		number := fmt.Sprintf("%5d", p.Line)
		fmt.Fprintf(&b, "%s:%d:%d: %s\n%s | %s\n%s | %s^", e.File, p.Line, p.Column, p.Message,
			number, p.Text, strings.Repeat(" ", len(number)), p.caret)
	}
	return b.String()
}

// Unwrap returns the error of reading the file; nil if the file was read.
func (e *Error) Unwrap() error { return e.cause }

// A position is a position in the file, counted from 1. The zero position is the whole file.
type position struct{ line, column int }

// report collects problems.
type report struct {
	file       string
	lines      []string
	problems   []Problem
	credential *regexp.Regexp // what is around an @ in a URL
	user       *regexp.Regexp // a user and a password without a scheme, before or behind an @
	target     *regexp.Regexp // any URL: those of notification targets are secret
	identity   *regexp.Regexp // an age private key
}

func newReport(file string, data []byte) *report {
	return &report{
		file:  file,
		lines: strings.Split(string(data[:min(len(data), MaxSize)]), "\n"),
		// Greedy, up to the last @: a password may hold any character.
		credential: regexp.MustCompile(`(:/?/?[^\s:/]*:.*@|://.*@)\S*`),
		user:       regexp.MustCompile("[^\\s\"'`{\\[,]+(:[^\\s\"']+@|@[^\\s\"']*:)\\S*"),
		target:     regexp.MustCompile("[^\\s\"'`{\\[(,=]+://\\S*"),
		identity:   regexp.MustCompile(`(?i)AGE-SECRET-KEY-[A-Za-z0-9-]*`),
	}
}

// add reports a problem at a position.
func (r *report) add(at position, format string, args ...any) {
	message := r.printable([]rune(cut(fmt.Sprintf(format, args...), 500)))
	p := Problem{Line: at.line, Column: at.column, Message: string(message)}
	// The parser's position may be wrong, for instance at the end of the file.
	if at.line < 1 || at.line > len(r.lines) {
		p.Line, p.Column = 0, 0
	} else {
		p.Text, p.caret = r.excerpt(at)
	}
	r.problems = append(r.problems, p)
}

// excerpt returns the line of a position, and the blanks up to the position.
func (r *report) excerpt(at position) (text, caret string) {
	shown := strings.TrimRight(r.lines[at.line-1], "\r \t")
	if key, _, ok := strings.Cut(shown, "notify:"); ok { // a misspelt target is secret too
		shown = key + "notify: …"
	}
	line := []rune(shown)
	whole := r.printable(line)
	here := min(len(r.printable(line[:min(max(at.column-1, 0), len(line))])), len(whole))
	const before, width = 60, 120
	if here > width-before/2 { // of a long line, only the text around the position is shown
		whole = whole[here-before:]
		here = before
	}
	return string(whole[:min(len(whole), width)]), strings.Repeat(" ", here)
}

// printable removes secrets and terminal control characters from a text.
func (r *report) printable(text []rune) []rune {
	s := replaceWord(r.credential, string(text), func(string) string { return "://" + redact.Mark })
	s = replaceWord(r.user, s, func(user string) string {
		if strings.Contains(user, "://"+redact.Mark) {
			return user
		}
		return redact.Mark
	})
	s = replaceWord(r.target, s, redact.URL)
	s = r.identity.ReplaceAllString(s, "AGE-SECRET-KEY-…")
	return []rune(strings.Map(func(c rune) rune {
		switch {
		case c == '\t':
			return ' '
		case !unicode.IsPrint(c):
			return '\uFFFD'
		}
		return c
	}, s))
}

// replaceWord replaces the matches of an expression, without the quotes and brackets that end them.
func replaceWord(expression *regexp.Regexp, text string, by func(string) string) string {
	return expression.ReplaceAllStringFunc(text, func(match string) string {
		word := strings.TrimRight(match, "\"'`)]},;.")
		return by(word) + match[len(word):]
	})
}

// err returns the reported problems as an *Error; nil if there are none.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Error{File: r.file, Problems: r.problems}
}

// quote returns a value, quoted and shortened, for a message.
func quote(s string) string { return fmt.Sprintf("%q", cut(s, 80)) }

// cut shortens a text to at most this number of characters.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
