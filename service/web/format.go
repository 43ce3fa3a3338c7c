package web

import (
	"fmt"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// clean makes text safe to display: invisible characters, and those that change the direction of writing, appear as
// codes. The template escapes HTML.
func clean(s string) string {
	var b strings.Builder
	for i, r := range s {
		switch {
		case r == utf8.RuneError && !strings.HasPrefix(s[i:], "\uFFFD"):
			fmt.Fprintf(&b, `\x%02x`, s[i])
		case r == ' ' || unicode.IsGraphic(r) && !unicode.Is(unicode.Zs, r):
			b.WriteRune(r)
		case r < 0x80:
			fmt.Fprintf(&b, `\x%02x`, r)
		default:
			fmt.Fprintf(&b, `\u%04x`, r)
		}
	}
	return b.String()
}

// cleanLines is clean for a text of several lines, such as an error with a remedy.
func cleanLines(s string) string {
	lines := strings.Split(strings.TrimRight(s, "\n"), "\n")
	for i, line := range lines {
		lines[i] = clean(line)
	}
	return strings.Join(lines, "\n")
}

// shellQuote quotes an argument for a shell. Characters that cannot be displayed become escapes, which need bash or
// zsh.
func shellQuote(s string) string {
	plain := func(r rune) bool {
		return r < 0x80 && (unicode.IsLetter(r) || unicode.IsDigit(r) || strings.ContainsRune("_-./:@%+,=", r))
	}
	if s != "" && !strings.ContainsFunc(s, func(r rune) bool { return !plain(r) }) {
		return s
	}
	if clean(s) == s {
		return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
	}
	var b strings.Builder
	for i := range len(s) {
		if c := s[i]; c > 0x20 && c < 0x7f && c != '\'' && c != '\\' {
			b.WriteByte(c)
		} else {
			fmt.Fprintf(&b, `\x%02x`, c)
		}
	}
	return "$'" + b.String() + "'"
}

// Size formats a number of bytes with a binary unit.
func Size(n int64) string {
	const unit = 1024
	if n < unit {
		return fmt.Sprintf("%d B", n)
	}
	f, i := float64(n)/unit, 0
	for ; f >= unit-0.05 && i < 5; i++ { // 1023.96 would be printed as 1024.0
		f /= unit
	}
	return fmt.Sprintf("%.1f %ciB", f, "KMGTPE"[i])
}

// number formats n with a thin space between groups of three digits.
func number(n int64) string {
	s := strconv.FormatInt(n, 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// count returns a text such as "1 file" or "2 files".
func count(n int64, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return number(n) + " " + what + "s"
}

// span formats a duration in its largest unit, such as "3 hours".
func span(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Second:
		return "less than a second"
	case d < time.Minute:
		return count(int64(d/time.Second), "second")
	case d < 2*time.Hour:
		return count(int64(d/time.Minute), "minute")
	case d < 48*time.Hour:
		return count(int64(d/time.Hour), "hour")
	}
	return count(int64(d/(24*time.Hour)), "day")
}

// took formats a duration for a table or a chart, with spaces at which no line breaks.
func took(d time.Duration) string {
	const nbsp = "\u00a0"
	switch {
	case d < time.Second:
		return fmt.Sprint(d.Milliseconds()) + nbsp + "ms"
	case d < time.Minute:
		return fmt.Sprintf("%.1f", d.Seconds()) + nbsp + "s"
	case d < time.Hour:
		return fmt.Sprintf("%d"+nbsp+"min"+nbsp+"%02d"+nbsp+"s", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%d"+nbsp+"h"+nbsp+"%02d"+nbsp+"min", d/time.Hour, d%time.Hour/time.Minute)
}

// ago and ahead stay the same for most of a minute, so that a page that updates itself shows no change where there
// is none.
func ago(now, t time.Time) string {
	if d := now.Sub(t); d >= time.Minute {
		return span(d) + " ago"
	}
	return "just now"
}

func ahead(now, t time.Time) string {
	if d := t.Sub(now); d >= time.Minute {
		return "in " + span(d)
	}
	return "in less than a minute"
}

// clock formats a time of day in UTC, with the date unless it is today.
func clock(now, t time.Time) string {
	t, now = t.UTC(), now.UTC()
	if t.Year() == now.Year() && t.YearDay() == now.YearDay() {
		return t.Format("15:04")
	}
	return t.Format("2 Jan 2006, 15:04")
}

// shortHash is the part of a hash that is enough to compare by eye, and restOfHash is the rest.
func shortHash(s string) string { return s[:min(len(s), hashShown)] }

func restOfHash(s string) string { return s[min(len(s), hashShown):] }

// hashShown is the number of hexadecimal digits that a page shows of a hash.
const hashShown = 12
