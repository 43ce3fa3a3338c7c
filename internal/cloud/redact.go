package cloud

import (
	"net/url"
	"slices"
	"strings"
)

const redacted = "REDACTED"

// Redact makes an archive's URL fit for messages and logs. It replaces the part before an "@" and the values
// of parameters that are not known to be harmless. It drops a fragment, and returns any other URL
// unchanged. raw need not be a valid URL.
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

// hideUser replaces the part before a host that may be user and password. In the path of a file URL an "@"
// is an ordinary character. In other URLs a secret may contain a slash, and its "@" comes after that slash.
// So if there is a ":" before the first slash, the last "@" counts. No bucket has a ":" in its name: without an
// "@", all that follows may be a secret, too.
func hideUser(rest string, file bool) string {
	authority, path, slash := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		authority = redacted + authority[i:]
	} else if i := strings.LastIndexByte(path, '@'); i >= 0 && !file && strings.Contains(authority, ":") {
		return redacted + path[i:]
	} else if i := strings.IndexAny(authority, ":%"); i >= 0 {
		return authority[:i] + ":" + redacted
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

// hideName replaces the value of a parameter. It keeps the name if it is well-formed, so that a user
// recognizes the parameter.
func hideName(name, pair string) string {
	switch {
	case pair == "":
		return ""
	case name == pair || !isName(name):
		return redacted
	}
	return name + "=" + redacted
}

// shownName returns the name of a parameter for a message.
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
	return s + "@" // a value that cannot be decoded may hold a secret
}

// hideIn replaces a message of net/url if the URL has a secret: the message quotes a part of the URL.
func hideIn(message, raw, safe string) string {
	if raw == safe {
		return message
	}
	return "not a URL"
}
