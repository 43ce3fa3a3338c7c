package config

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// expand replaces each ${NAME} by the variable's value and each $${ by ${. It keeps any other $:
// regular expressions end in one.
func expand(s string, getenv func(string) (string, bool)) (string, error) {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '$')
		if i < 0 {
			b.WriteString(s)
			return b.String(), nil
		}
		b.WriteString(s[:i])
		s = s[i:]
		switch {
		case strings.HasPrefix(s, "$${"):
			b.WriteString("${")
			s = s[3:]
		case strings.HasPrefix(s, "${"):
			name, rest, closed := strings.Cut(s[2:], "}")
			if !closed || !isVariable(name) {
				return "", errors.New("${ starts a variable, as in ${NAME}: letters, digits and _, " +
					"not starting with a digit; write $${ for a plain ${")
			}
			value, ok := getenv(name)
			if !ok {
				return "", fmt.Errorf("the environment variable %s is not set; set it, or write $${ for a plain ${", name)
			}
			b.WriteString(value)
			s = rest
		default:
			b.WriteByte('$')
			s = s[1:]
		}
	}
}

func isVariable(s string) bool {
	for i, c := range []byte(s) {
		letter := c == '_' || 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}

// ParseDuration parses whole numbers with units, the largest unit first: 15m, 7d, 1h30m. A day
// has 24 hours. It accepts no sign.
func ParseDuration(s string) (time.Duration, error) {
	var total time.Duration
	last := time.Duration(math.MaxInt64)
	for rest := s; rest != "" || s == ""; {
		digits := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		number, err := strconv.ParseInt(rest[:digits], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("%s is no duration, such as 30s, 15m, 1h30m or 7d", quote(s))
		}
		rest = rest[digits:]
		letters := len(rest) - len(strings.TrimLeft(rest, "abcdefghijklmnopqrstuvwxyz"))
		unit := durationUnit(rest[:letters])
		rest = rest[letters:]
		switch {
		case letters == 0 && rest == "":
			return 0, fmt.Errorf("%s lacks a unit at its end: s, m, h or d, as in 30s", quote(s))
		case unit == 0:
			return 0, fmt.Errorf("%s is no duration, such as 30s, 15m, 1h30m or 7d; the units are ms, s, m, h, d and w", quote(s))
		case unit >= last:
			return 0, fmt.Errorf("%s is no duration: the larger unit comes first, as in 1h30m", quote(s))
		case number > int64((math.MaxInt64-total)/unit):
			return 0, fmt.Errorf("the duration %s is too long", quote(s))
		}
		total += time.Duration(number) * unit
		last = unit
	}
	return total, nil
}

func durationUnit(s string) time.Duration {
	switch s {
	case "ms":
		return time.Millisecond
	case "s":
		return time.Second
	case "m":
		return time.Minute
	case "h":
		return time.Hour
	case "d":
		return 24 * time.Hour
	case "w":
		return 7 * 24 * time.Hour
	}
	return 0
}
