package cloud

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/manifest"
)

const redacted = "REDACTED"

// Redact makes an archive's URL fit for messages and logs. It replaces the part before an "@" that may be a user and a
// password, and the values of parameters that are not known to be harmless. It drops a fragment, and returns any
// other URL unchanged. raw need not be a valid URL.
func Redact(raw string) string { return new(redactor).url(raw) }

// Hidden returns the parts of a text that Redact replaces or drops, and the pieces of them that may be secrets of their
// own, the longest first. Text shorter than four bytes is not among them: it occurs in any message.
func Hidden(raw string) []string {
	r := &redactor{}
	r.url(raw)
	var all []string
	add := func(s string) {
		for _, s := range []string{s, decoded(s)} {
			if len(s) >= 4 && !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	for _, part := range r.hidden {
		add(part)
		for _, piece := range strings.FieldsFunc(part, func(c rune) bool { return strings.ContainsRune("/:@=?#;&", c) }) {
			add(piece)
		}
	}
	slices.SortStableFunc(all, func(a, b string) int { return len(b) - len(a) })
	return all
}

// Place identifies an archive's URL without its secrets: two URLs of different archives have different places.
func Place(raw string) string {
	safe := Redact(raw)
	if len(Hidden(raw)) == 0 {
		return safe
	}
	return safe + "#" + manifest.Sum([]byte(raw)).String()[:16]
}

// A redactor replaces what may be secret, and notes what it was.
type redactor struct{ hidden []string }

func (r *redactor) hide(s string) string {
	r.hidden = append(r.hidden, s)
	return redacted
}

func (r *redactor) url(raw string) string {
	head, query, asked := strings.Cut(raw, "?")
	head = r.cutFragment(head)
	scheme, rest, ok := strings.Cut(head, "://")
	if !ok {
		scheme, rest = "", head
	}
	if start := strings.TrimLeft(rest, "/"); ok || start == rest {
		rest = r.user(rest, scheme == "file")
	} else { // a scheme that is missing, as in //key:secret@bucket
		rest = rest[:len(rest)-len(start)] + r.user(start, false)
	}
	if ok {
		rest = scheme + "://" + rest
	}
	if !asked {
		return rest
	}
	return rest + "?" + r.values(r.cutFragment(query))
}

func (r *redactor) cutFragment(s string) string {
	s, fragment, ok := strings.Cut(s, "#")
	if ok {
		r.hide(fragment)
	}
	return s
}

// user replaces the part before a host that may be user and password. In the path of a file URL an "@" is an ordinary
// character. In other URLs a secret may contain a slash, and may be in the path; its "@" comes after that. So if there
// is a ":" before the last "@", all before it may be secret. No bucket has a ":" in its name: without an "@", all that
// follows may be a secret, too.
func (r *redactor) user(rest string, isFile bool) string {
	authority, path, slash := strings.Cut(rest, "/")
	at := strings.LastIndexByte(path, '@')
	switch i := strings.LastIndexByte(authority, '@'); {
	case at >= 0 && !isFile && strings.Contains(authority, ":"):
		return r.hide(authority+"/"+path[:at]) + path[at:]
	case i >= 0:
		authority = r.hide(authority[:i]) + authority[i:]
	case strings.ContainsAny(authority, ":%"):
		i := strings.IndexAny(authority, ":%")
		r.hide(rest[i+1:])
		return authority[:i] + ":" + redacted
	}
	if at >= 0 && !isFile && strings.Contains(decoded(path[:at]), ":") {
		path = r.hide(path[:at]) + path[at:]
	}
	if !slash {
		return authority
	}
	return authority + "/" + path
}

func (r *redactor) values(query string) string {
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		name, value, _ := strings.Cut(pair, "=")
		switch {
		case !slices.Contains(S3Parameters, name) && !slices.Contains(AzureParameters, name):
			pairs[i] = r.pair(name, pair)
		case !isHarmless(name, decoded(value)):
			pairs[i] = name + "=" + r.hide(value)
		}
	}
	return strings.Join(pairs, "&")
}

var (
	address  = regexp.MustCompile(`^https?://[A-Za-z0-9._\[\]:-]+(/[A-Za-z0-9._~/-]*)?$`)
	hostPort = regexp.MustCompile(`^[A-Za-z0-9._-]+(:[0-9]+)?$`)
)

// isHarmless reports whether the value of a known parameter can be shown: a secret may be part of an address, or may
// stand where an "&" was mistyped.
func isHarmless(name, value string) bool {
	switch name {
	case "endpoint":
		if !address.MatchString(value) {
			return false
		}
		_, err := url.Parse(value) // what follows a host's colon must be a port
		return err == nil
	case "domain":
		return hostPort.MatchString(value)
	}
	return !strings.ContainsAny(value, "@?#;=&")
}

// pair replaces the value of a parameter. It keeps the name if it is well-formed, so that a user recognizes the
// parameter.
func (r *redactor) pair(name, pair string) string {
	switch {
	case pair == "" || pair == redacted:
		return pair
	case name == pair || !isName(name):
		return r.hide(pair)
	}
	return name + "=" + r.hide(strings.TrimPrefix(pair, name+"="))
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
