package cloud

import (
	"net/url"
	"slices"
	"strings"
)

const redacted = "REDACTED"

// Redact makes an archive's URL fit for messages and logs: what stands before an "@" and
// the values of parameters that are not known to be harmless are replaced. A URL without
// such comes back as it is. It never fails, whatever raw holds.
func Redact(raw string) string {
	head, query, asked := strings.Cut(raw, "?")
	head, _, _ = strings.Cut(head, "#")
	scheme, rest, ok := strings.Cut(head, "://")
	if !ok {
		scheme, rest = "", head
	}
	rest = hideUser(rest, scheme == "file")
	if ok {
		rest = scheme + "://" + rest
	}
	if !asked {
		return rest
	}
	query, _, _ = strings.Cut(query, "#")
	return rest + "?" + hideValues(query)
}

// hideUser replaces what may be user and password before a host. In the path of a file
// URL an "@" is a character like others. Elsewhere a secret with a slash in it could
// push its "@" beyond the first slash, so the last "@" counts where a ":" comes first.
func hideUser(rest string, file bool) string {
	authority, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = redacted + authority[i:]
	} else if i := strings.LastIndexByte(path, '@'); i >= 0 && !file && strings.Contains(authority, ":") {
		return redacted + path[i:]
	}
	if !slash {
		return authority
	}
	return authority + "/" + path
}

func hideValues(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case !slices.Contains(S3Parameters, name) && !slices.Contains(AzureParameters, name):
			pairs[i] = hideName(name, pair)
		case (name == "endpoint" || name == "domain") && strings.Contains(decoded(value), "@"):
			pairs[i] = name + "=" + redacted
		}
	}
	return strings.Join(pairs, "&")
}

// hideName keeps the name of a parameter, so that whoever wrote it finds it, when it
// looks like one.
func hideName(name, pair string) string {
	switch {
	case pair == "":
		return ""
	case name == pair || !isName(name):
		return redacted
	}
	return name + "=" + redacted
}

// shownName is the name of a parameter for a message.
func shownName(name string) string {
	if !isName(name) {
		return "(not shown)"
	}
	return name
}

func isName(s string) bool {
	for i := range len(s) {
		if c := s[i] | 0x20; (c < 'a' || c > 'z') && s[i] != '_' && s[i] != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 30
}

func decoded(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s + "@" // cannot be read: nobody knows what it holds
}

// hideIn says no more in a message of net/url than in the redacted URL: it quotes what
// it did not understand.
func hideIn(message, raw, safe string) string {
	if raw == safe {
		return message
	}
	return "not a URL"
}
