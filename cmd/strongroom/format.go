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

// size prints bytes as people read them.
func size(n int64) string { return web.Size(n) }

// quoteName is a file's name as a terminal may see it: quoted when it holds what could be
// taken for something else.
func quoteName(name string) string {
	odd := func(r rune) bool { return !unicode.IsPrint(r) || r == '\\' }
	if name == "" || !utf8.ValidString(name) || strings.ContainsFunc(name, odd) {
		return strconv.Quote(name)
	}
	return name
}

// oneLine is a text without what would control a terminal, and without ends of lines.
func oneLine(text string) string { return sanitizeTerminal(strings.ReplaceAll(text, "\n", "; ")) }

// sanitizeTerminal is a text without what would control a terminal. Ends of lines stay.
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

// plural is "1 file" or "2 files".
func plural[N int | int64](n N, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// list is what JSON shows as a list, also when there is nothing in it.
func list(names []string) []string {
	if names == nil {
		return []string{}
	}
	return names
}

// table prints rows in columns.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		fmt.Fprintln(t, strings.Join(r, "\t"))
	}
	return t.Flush()
}

// lines prints a list with a mark before each, at most limit of them.
func lines(w io.Writer, mark string, names []string, limit int) {
	for i, n := range names {
		if i == limit {
			fmt.Fprintf(w, "%s… and %d more\n", mark, len(names)-limit)
			return
		}
		fmt.Fprintf(w, "%s%s\n", mark, quoteName(n))
	}
}
