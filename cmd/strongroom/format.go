package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"
)

// size prints bytes as people read them.
func size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/unit, 0
	for ; f >= unit && i < 5; i++ {
		f /= unit
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTPE"[i])
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
		fmt.Fprintf(w, "%s%s\n", mark, n)
	}
}
