package notify

import (
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Bounds of the texts that are sent and logged, in characters. A message with all parts at their bounds stays below
// 2,000 characters, the smallest limit of the known services.
const (
	maxName   = 100
	maxNames  = 300 // of several archives together
	maxError  = 300
	maxLine   = 250
	maxLines  = 4
	ellipsis  = "…"
	replacing = '\uFFFD'
)

// compose returns a message for people. The text is complete without the title, which some services do not show.
func compose(archive string, l message) (title, text string) {
	who, is, has, subject := clean(archive, maxName), "is", "has", "The archive "+clean(archive, maxName)
	if n := len(l.others) + 1; n > 1 {
		who, is, has, subject = fmt.Sprintf("%d archives", n), "are", "have", names(archive, l.others)
	}
	var b strings.Builder
	switch l.State {
	case OK:
		title = who + " " + is + " OK again"
		fmt.Fprintf(&b, "%s %s been OK again since %s", subject, has, moment(l.At))
	case Failing:
		title = who + " " + is + " failing"
		fmt.Fprintf(&b, "%s %s been failing since %s", subject, has, moment(l.At))
	case Overdue:
		title = who + " " + is + " overdue"
		fmt.Fprintf(&b, "%s %s been overdue since %s: no run succeeded in time", subject, has, moment(l.At))
	case Damaged:
		title = who + " " + is + " damaged"
		fmt.Fprintf(&b, "%s %s damaged, as found at %s", subject, is, moment(l.At))
	}
	if l.was != "" {
		fmt.Fprintf(&b, "; the previous state was %s", l.was)
	}
	b.WriteString(".\n")
	if detail := cleanLines(l.Detail); detail != "" {
		if len(l.others) > 0 {
			b.WriteString("The first of them, " + clean(archive, maxName) + ": ")
		}
		b.WriteString(detail + "\n")
	}
	if l.Recoverable.IsZero() {
		b.WriteString("The time up to which it can be restored is unknown.\n")
	} else {
		fmt.Fprintf(&b, "Recoverable through %s.\n", moment(l.Recoverable))
	}
	b.WriteString(advice(l.State))
	return "strongroom: " + title, b.String()
}

// names lists several archives, as many as fit.
func names(first string, others []string) string {
	list := clean(first, maxName)
	for i, name := range others {
		one := clean(name, maxName)
		if utf8.RuneCountInString(list+one) > maxNames {
			return fmt.Sprintf("The archives %s and %d more", list, len(others)-i)
		}
		list += ", " + one
	}
	return "The archives " + list
}

// advice is the operator's next step in a state.
func advice(s State) string {
	switch s {
	case Failing:
		return `Runs are retried automatically. If the failures continue, check "strongroom status" and the service's log.`
	case Overdue:
		return `Check that the machine and the service are running and that the source can be read: "strongroom status".`
	case Damaged:
		return `Keep the source's files. "strongroom verify" lists the damage; "strongroom verify --repair" ` +
			`uploads the damaged files again while the source still has them.`
	}
	return "No action is needed."
}

func moment(t time.Time) string {
	return t.UTC().Format("2006-01-02 15:04 UTC")
}

// clean makes one line of any text. It replaces invisible characters and those that change the direction of
// writing, and cuts a text longer than most characters.
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

// cleanLines is clean for a text of several lines. It drops empty lines.
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
