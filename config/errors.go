package config

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
)

// Error tells all that is wrong with a configuration file.
type Error struct {
	File     string    // as it was named
	Problems []Problem // at least one, in the order of the file
	cause    error
}

// Problem is one thing that is wrong.
type Problem struct {
	Line, Column int    // from 1, in characters; 0 when it concerns the file as a whole
	Text         string // the line, without credentials and control characters
	Message      string // what is wrong and what to do about it

	caret string // blanks as far as the place in Text
}

// maxProblems is how many problems are shown: whoever mends these sees the rest.
const maxProblems = 10

// Error shows each problem with its line and a caret below the place:
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

// Unwrap returns why the file could not be read, if that is the problem.
func (e *Error) Unwrap() error { return e.cause }

// A position is a place in the file, counted from 1. The zero position is the file.
type position struct{ line, column int }

// report collects problems.
type report struct {
	file       string
	lines      []string
	problems   []Problem
	credential *regexp.Regexp // what stands before an @ in a URL
	target     *regexp.Regexp // any URL: those of who is notified are secret as a whole
	identity   *regexp.Regexp // an age private key
}

func newReport(file string, data []byte) *report {
	return &report{
		file:  file,
		lines: strings.Split(string(data[:min(len(data), MaxSize)]), "\n"),
		// Greedy, up to the last @: a password may hold any character.
		credential: regexp.MustCompile(`://.*@`),
		target:     regexp.MustCompile(`\b[A-Za-z][A-Za-z0-9+.-]*://\S*`),
		identity:   regexp.MustCompile(`(?i)AGE-SECRET-KEY-[A-Za-z0-9-]*`),
	}
}

// add reports a problem at a place.
func (r *report) add(at position, format string, args ...any) {
	message := r.printable([]rune(cut(fmt.Sprintf(format, args...), 500)))
	p := Problem{Line: at.line, Column: at.column, Message: string(message)}
	// A parser's idea of where it is may be off, at the end of the file for instance.
	if at.line < 1 || at.line > len(r.lines) {
		p.Line, p.Column = 0, 0
	} else {
		p.Text, p.caret = r.excerpt(at)
	}
	r.problems = append(r.problems, p)
}

// excerpt returns the line of a place, and the blanks that lead to the place.
func (r *report) excerpt(at position) (text, caret string) {
	shown := strings.TrimRight(r.lines[at.line-1], "\r \t")
	if key, _, ok := strings.Cut(shown, "notify:"); ok { // who is told may have been misspelt
		shown = key + "notify: …"
	}
	line := []rune(shown)
	whole := r.printable(line)
	here := min(len(r.printable(line[:min(max(at.column-1, 0), len(line))])), len(whole))
	const before, width = 60, 120
	if here > width-before/2 { // a long line is shown around the place
		whole = whole[here-before:]
		here = before
	}
	return string(whole[:min(len(whole), width)]), strings.Repeat(" ", here)
}

// printable makes a text fit to be shown: it could hold a password, or a terminal's
// control sequences.
func (r *report) printable(text []rune) []rune {
	s := r.credential.ReplaceAllString(string(text), "://…@")
	s = r.target.ReplaceAllStringFunc(s, func(url string) string {
		scheme, _, ok := strings.Cut(url, "://")
		if ok && !slices.Contains([]string{"s3", "gs", "azblob", "file", "mem"}, scheme) {
			return scheme + "://…"
		}
		return url
	})
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

// err returns what was reported, or nil if nothing was.
func (r *report) err() error {
	if len(r.problems) == 0 {
		return nil
	}
	slices.SortStableFunc(r.problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return &Error{File: r.file, Problems: r.problems}
}

// quote shows a value in a message.
func quote(s string) string { return fmt.Sprintf("%q", cut(s, 80)) }

// cut shortens a text to so many characters.
func cut(s string, most int) string {
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
