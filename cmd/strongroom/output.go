package main

import (
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// An outputWriter is the standard output of the program. It keeps the first error, since not every
// print checks its own. It is not safe for concurrent use.
type outputWriter struct {
	w   io.Writer
	err error
}

// Write implements io.Writer.
func (o *outputWriter) Write(p []byte) (int, error) {
	n, err := o.w.Write(p)
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// join adds the error of the output to the error of a command, unless that has it already.
func (o *outputWriter) join(err error) error {
	if o.err == nil || errors.Is(err, o.err) {
		return err
	}
	return errors.Join(err, fmt.Errorf("writing the output: %w", o.err))
}

// An escapingWriter escapes characters on their way to a terminal or a log: names come from
// directories and archives that others can write. It is not safe for concurrent use.
type escapingWriter struct {
	w      io.Writer
	escape func(string) string
	rest   []byte // the beginning of a character
	err    error
}

// textWriter returns a writer for text.
func textWriter(w io.Writer) *escapingWriter {
	return &escapingWriter{w: w, escape: sanitizeTerminal}
}

// jsonWriter returns a writer for JSON. The JSON has the same meaning after the escaping.
func jsonWriter(w io.Writer) *escapingWriter {
	return &escapingWriter{w: w, escape: escapeJSON}
}

// Write implements io.Writer. It keeps the last bytes if they are an incomplete character.
func (e *escapingWriter) Write(p []byte) (int, error) {
	text := append(e.rest, p...)
	whole := len(text)
	for i := max(0, len(text)-utf8.UTFMax+1); i < len(text); i++ {
		if utf8.RuneStart(text[i]) && !utf8.FullRune(text[i:]) {
			whole = i
		}
	}
	e.rest = append([]byte(nil), text[whole:]...)
	if err := e.write(text[:whole]); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what is left of an incomplete character. It returns the first error of the writer.
func (e *escapingWriter) Flush() error {
	rest := e.rest
	e.rest = nil
	return e.write(rest)
}

func (e *escapingWriter) write(text []byte) error {
	if e.err == nil && len(text) > 0 {
		_, e.err = io.WriteString(e.w, e.escape(string(text)))
	}
	return e.err
}

// isVisible reports whether a character is shown as itself. Those that change the direction of a
// text, that have no width, or that look like a space are not.
func isVisible(r rune) bool {
	const brailleBlank = '\u2800'
	return unicode.IsPrint(r) && r != brailleBlank &&
		!unicode.In(r, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector)
}

// quoteName returns a file name that is safe to print: quoted if it is empty, or has invisible
// characters or a backslash.
func quoteName(name string) string {
	odd := func(r rune) bool { return !isVisible(r) || r == '\\' }
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, odd) {
		return `"` + escapeText(strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(name), "") + `"`
	}
	return name
}

// oneLine returns a text as one line without invisible characters.
func oneLine(text string) string { return sanitizeTerminal(strings.ReplaceAll(text, "\n", "; ")) }

// sanitizeTerminal escapes the invisible characters in a text, except tabs and line ends.
func sanitizeTerminal(text string) string { return escapeText(text, "\n\t") }

// escapeText escapes the invisible characters in a text, except some.
func escapeText(text, except string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		isByte := r == utf8.RuneError && n == 1
		switch {
		case !isByte && (isVisible(r) || strings.ContainsRune(except, r)):
			b.WriteString(text[:n])
		case isByte:
			fmt.Fprintf(&b, `\x%02x`, text[0])
		default:
			quoted := strconv.QuoteToASCII(text[:n])
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[n:]
	}
	return b.String()
}

// escapeJSON escapes the invisible characters in JSON. They occur within strings only.
func escapeJSON(text string) string {
	if !strings.ContainsFunc(text, func(r rune) bool { return r != '\n' && !isVisible(r) }) {
		return text
	}
	var b strings.Builder
	for _, r := range text {
		if r == '\n' || isVisible(r) {
			b.WriteRune(r)
			continue
		}
		for _, unit := range utf16.AppendRune(nil, r) {
			fmt.Fprintf(&b, `\u%04x`, unit)
		}
	}
	return b.String()
}
