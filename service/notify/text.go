package notify

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of what is sent and shown, in characters. A message of all of them fits the
// tightest of the known services, with 2,000.
const (
	maxName   = 100
	maxError  = 300
	maxLine   = 250
	maxLines  = 4
	ellipsis  = "…"
	replacing = '\uFFFD'
)

// compose returns what people are sent. The text says all without the title, which some
// services do not show.
func compose(archive string, l message) (title, text string) {
	name := clean(archive, maxName)
	var b strings.Builder
	switch l.State {
	case OK:
		title = name + " is well again"
		fmt.Fprintf(&b, "The archive %s is well again since %s", name, moment(l.At))
	case Failing:
		title = name + " is failing"
		fmt.Fprintf(&b, "The archive %s is failing since %s", name, moment(l.At))
	case Overdue:
		title = name + " is overdue"
		fmt.Fprintf(&b, "The archive %s is overdue since %s: no run ended well in time", name, moment(l.At))
	case Damaged:
		title = name + " is damaged"
		fmt.Fprintf(&b, "The archive %s is damaged: this was found at %s", name, moment(l.At))
	}
	if l.was != "" {
		fmt.Fprintf(&b, "; before it was %s", l.was)
	}
	b.WriteString(".\n")
	if detail := cleanLines(l.Detail); detail != "" {
		b.WriteString(detail + "\n")
	}
	if l.Recoverable.IsZero() {
		b.WriteString("Up to when it can be restored is not known.\n")
	} else {
		fmt.Fprintf(&b, "Recoverable through %s.\n", moment(l.Recoverable))
	}
	b.WriteString(advice(l.State))
	return "strongroom: " + title, b.String()
}

// advice says what to do next.
func advice(s State) string {
	switch s {
	case Failing:
		return `Runs are retried by themselves. If it stays so, look at "strongroom status" and at the service's log.`
	case Overdue:
		return `See whether the machine and the service run and whether the source can be read: "strongroom status".`
	case Damaged:
		return `Keep the files of the source. "strongroom verify" says what is damaged, and "strongroom verify --repair" uploads it again while the source still has it.`
	}
	return "Nothing is to be done."
}

func moment(t time.Time) string {
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// clean makes one line of any text: what has no shape of its own, and what turns the
// direction of writing around, is replaced, and what is too long is cut.
func clean(s string, most int) string {
	var b strings.Builder
	n := 0
	for _, r := range s {
		if n++; n > most {
			b.WriteString(ellipsis)
			break
		}
		switch {
		case r == '\n' || r == '\t' || r == '\r':
			b.WriteByte(' ')
		case r == utf8.RuneError || r != ' ' && (!unicode.IsGraphic(r) || unicode.Is(unicode.Zs, r)):
			b.WriteRune(replacing)
		default:
			b.WriteRune(r)
		}
	}
	return b.String()
}

// cleanLines is clean for a text of several lines; empty ones are left out.
func cleanLines(s string) string {
	var lines []string
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		if len(lines) == maxLines {
			lines = append(lines, ellipsis)
			break
		}
		lines = append(lines, clean(line, maxLine))
	}
	return strings.Join(lines, "\n")
}
