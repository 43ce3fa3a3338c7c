package main

import (
	"fmt"
	"io"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/strongroom-dev/strongroom/service/web"
)

// size formats a number of bytes for people.
func size(n int64) string { return web.Size(n) }

// quoteName returns a file name that is safe to print: quoted if it is empty, or has unprintable
// characters or a backslash.
func quoteName(name string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == '\\' }
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, odd) {
		return strconv.Quote(name)
	}
	return name
}

// oneLine returns a text as one line without terminal control characters.
func oneLine(text string) string { return sanitizeTerminal(strings.ReplaceAll(text, "\n", "; ")) }

// sanitizeTerminal escapes terminal control characters in a text, except tabs and line ends.
func sanitizeTerminal(text string) string {
	var b strings.Builder
	for len(text) > 0 {
		r, n := utf8.DecodeRuneInString(text)
		switch quoted := strconv.Quote(text[:n]); {
		case r == '\n' || r == '\t' || unicode.IsPrint(r) && (r != utf8.RuneError || n > 1):
			b.WriteString(text[:n])
		default:
			b.WriteString(quoted[1 : len(quoted)-1])
		}
		text = text[n:]
	}
	return b.String()
}

// plural returns "1 file" or "2 files".
func plural[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// list returns names, or an empty list instead of nil, which JSON would encode as null.
func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// table prints rows with aligned columns.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

// lines prints at most limit names, one a line, each with a mark before it.
func lines(w io.Writer, mark string, names []string, limit int) {
	for i, n := range names {
		if i == limit {
			fmt.Fprintf(w, "%s… and %d more\n", mark, len(names)-limit)
			return
		}
		fmt.Fprintf(w, "%s%s\n", mark, quoteName(n))
	}
}
