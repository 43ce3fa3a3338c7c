package cost

import (
	"fmt"
	"time"
)

// Describe returns the time as a sentence for people, without its subject. size formats bytes.
func (t *Time) Describe(size func(int64) string) string {
	text := "takes " + t.about()
	if len(t.Measured) == 1 {
		m := &t.Measured[0]
		text += fmt.Sprintf(", as a %s of %s showed at %s/s on %s%s", m.Kind, size(m.Bytes), size(m.Rate()),
			m.At.UTC().Format(time.DateOnly), on(m.Host))
		if t.Rough {
			text += "; that one was much smaller, so this is rough"
		}
		return text
	}
	least, most, last := t.Measured[0].Rate(), t.Measured[0].Rate(), &t.Measured[0]
	for i := range t.Measured {
		m := &t.Measured[i]
		least, most = min(least, m.Rate()), max(most, m.Rate())
		if m.At.After(last.At) {
			last = m
		}
	}
	return text + fmt.Sprintf(", as %d restores and drills showed at %s/s to %s/s, the last one on %s%s",
		len(t.Measured), size(least), size(most), last.At.UTC().Format(time.DateOnly), on(last.Host))
}

// about returns the time as a part of a sentence.
func (t *Time) about() string {
	least, most := span(t.LeastMS), span(t.MostMS)
	if least == most {
		return "about " + most
	}
	return "about " + least + " to " + most
}

func on(host string) string {
	if host == "" {
		return ""
	}
	return ", on the host " + host
}

// span formats milliseconds, rounded up, in the two largest units.
func span(ms int64) string {
	s := (ms + 999) / 1000
	switch {
	case ms < 1000:
		return "a second"
	case s < 60:
		return fmt.Sprintf("%d s", s)
	case s < 3600:
		return fmt.Sprintf("%d min %02d s", s/60, s%60)
	case s < 48*3600:
		return fmt.Sprintf("%d h %02d min", s/3600, s%3600/60)
	case s < 10*365*24*3600:
		return fmt.Sprintf("%d days", s/(24*3600))
	}
	return "years"
}
