package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/strongroom-dev/strongroom/service/web"
)

// size formats a number of bytes for people.
func size(n int64) string { return web.Size(n) }

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

// table prints rows with aligned columns. It escapes invisible characters in a cell.
func table(w io.Writer, rows [][]string) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rows {
		for i, cell := range r {
			if i > 0 {
				fmt.Fprint(t, "\t")
			}
			fmt.Fprint(t, escapeText(cell, ""))
		}
		fmt.Fprintln(t)
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
