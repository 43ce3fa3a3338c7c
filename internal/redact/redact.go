// Package redact makes addresses fit for messages, logs, pages and files: it replaces what may be a secret in them. URL
// is the only function of the program that decides this.
package redact

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Mark replaces a secret.
const Mark = "REDACTED"

const (
	omitted = "…" // the part of another URL than an archive's
	nothing = "(no URL)"
)

// URL returns an address without what may be a secret, for messages and logs. It accepts any string, which need not be
// an address.
//
// Of an archive's URL it keeps what can only be the names of a bucket and a prefix, and the values of parameters that
// have the form of such a value. A secret may also be where none belongs: before or behind the bucket, in the path, in
// the place of a parameter. So from the first such sign on it keeps nothing up to the parameters. It drops a fragment. The
// end of an address that names a snapshot stays: @42, @latest or @ and a time.
//
// Of any other URL it keeps the scheme and, where that has the form of a server's name, the host. Nothing else of a
// notification's target, a proxy or an endpoint is needed to recognize it.
func URL(raw string) string { return new(redactor).url(raw) }

// Former returns an archive's URL as it was redacted before it was decided that more of it may be a secret. It is an
// identity of the archive alone, and must not be shown.
func Former(raw string) string { return (&redactor{isFormer: true}).archive(raw) }

// Hidden returns the parts of a text that URL replaces or drops, and the pieces of them that may be secrets of their
// own, the longest first. Text shorter than four bytes is not among them: it occurs in any message.
func Hidden(raw string) []string {
	r := &redactor{}
	r.url(raw)
	return r.pieces()
}

// FormerHidden returns whether Former replaced anything.
func FormerHidden(raw string) bool {
	r := &redactor{isFormer: true}
	r.archive(raw)
	return len(r.pieces()) > 0
}

// A redactor replaces what may be secret, and notes what it was.
type redactor struct {
	hidden   []string
	isFormer bool // only the rules of Former
}

func (r *redactor) pieces() []string {
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

func (r *redactor) hide(s string) string {
	r.hidden = append(r.hidden, s)
	return Mark
}

// archives are the schemes of archives.
var archives = []string{"s3", "gs", "azblob", "file", "mem"}

// scheme matches the scheme of a URL. A secret in its place is mostly longer, or has other characters.
var scheme = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9+.-]{0,15}$`)

// IsScheme reports whether the scheme of a URL can be shown.
func IsScheme(s string) bool { return scheme.MatchString(s) }

func (r *redactor) url(raw string) string {
	name, rest, ok := strings.Cut(raw, "://")
	switch {
	case !ok || strings.ContainsAny(name, "?#"), slices.Contains(archives, strings.ToLower(name)):
		return r.archive(raw)
	case !IsScheme(name):
		return r.hide(raw)
	}
	return name + "://" + r.host(raw, rest)
}

// hostOnly are the schemes whose host is a server's name. In other URLs the host is part of a token, or means nothing.
var hostOnly = []string{
	"http", "https", "smtp", "ntfy", "gotify", "generic", "mattermost", "rocketchat", "matrix", "zulip", "signal", "bark",
	"socks5", "socks5h",
}

// server matches the name of a server as people write it: with a dot, a port or as an address.
var server = regexp.MustCompile(`^([A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+|localhost|[A-Za-z0-9.-]+:[0-9]+|\[[0-9A-Fa-f:.]+\](:[0-9]+)?)$`)

// host returns what can be shown of a URL behind its scheme.
func (r *redactor) host(raw, rest string) string {
	u, err := url.Parse(raw)
	if err != nil || !HasServer(u) || !server.MatchString(u.Host) {
		r.hide(rest)
		return omitted
	}
	_, isPair := u.User.Password()
	isOdd := u.User != nil && !isPair                                                               // the host may be the secret, and the user the host
	if isOdd || strings.Contains(u.Path+u.Fragment, "@") || u.User != nil && hasOddAt(u.RawQuery) { // or it is a part of the secret
		r.hide(rest)
		return omitted
	}
	before, after, _ := strings.Cut(rest, u.Host)
	for _, part := range []string{before, after} {
		if part != "" {
			r.hide(part)
		}
	}
	return u.Host + "/" + omitted
}

// hasOddAt reports whether a query has an "@" elsewhere than in a value.
func hasOddAt(query string) bool {
	return slices.ContainsFunc(strings.Split(query, "&"), func(pair string) bool {
		name, _, hasValue := strings.Cut(pair, "=")
		return strings.Contains(pair, "@") && !(hasValue && isName(strings.TrimPrefix(name, "@")))
	})
}

// HasServer reports whether the host of a URL is a server's name, going by its scheme.
func HasServer(u *url.URL) bool {
	name := strings.TrimPrefix(u.Scheme, "webhook+")
	name, _, _ = strings.Cut(name, "+")
	return u.Host != "" && slices.Contains(hostOnly, name)
}

// Target is URL for text that must be a URL with a scheme: any other text may be a secret as a whole.
func Target(raw string) string {
	if !strings.Contains(raw, "://") {
		return nothing
	}
	if u, err := url.Parse(raw); err != nil || !IsScheme(u.Scheme) {
		return nothing
	}
	return URL(raw)
}

// snapshot matches the end of an address that names a snapshot.
var snapshot = regexp.MustCompile(`@(latest|[0-9]{1,9}|` +
	`[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9]{2}(:[0-9]{2}){1,2}(\.[0-9]{1,9})?(Z|[+-][0-9]{2}:?[0-9]{2})?)?)$`)

// archive redacts an archive's URL.
func (r *redactor) archive(raw string) string {
	end := ""
	if !r.isFormer {
		end = snapshot.FindString(raw)
		raw = strings.TrimSuffix(raw, end)
	}
	head, query, asked := strings.Cut(raw, "?")
	head = r.cutFragment(head)
	name, rest, ok := strings.Cut(head, "://")
	if !ok {
		name, rest = "", head
	}
	start := strings.TrimLeft(rest, "/")
	if ok { // otherwise the scheme is missing, as in //key:secret@bucket
		start = rest
	}
	slashes := rest[:len(rest)-len(start)]
	if r.isFormer {
		rest = slashes + r.formerPlace(start, name == "file")
	} else {
		p := place{start, strings.EqualFold(name, "file"), ok, has(raw, "@", "%40"), end != ""}
		rest = slashes + r.place(p)
	}
	if ok {
		rest = name + "://" + rest
	}
	if asked {
		rest += "?" + r.values(query)
	}
	return rest + end
}

func (r *redactor) cutFragment(s string) string {
	s, fragment, ok := strings.Cut(s, "#")
	if ok {
		r.hide(fragment)
	}
	return s
}

// A place is what is between a URL's scheme and its parameters.
type place struct {
	text              string
	isFile, hasScheme bool
	hasAt             bool // there is an "@" in the URL, beside that of a snapshot
	hasSnapshot       bool
}

// place redacts bucket and prefix, or the path of a file URL, in which "@" and ":" are ordinary characters. The name of a
// bucket has neither. A prefix may have one of them, and both only where they name a user and a password. A secret may
// contain any character, and may come before or behind the "@".
func (r *redactor) place(p place) string {
	authority, path, _ := strings.Cut(p.text, "/")
	switch {
	case p.hasScheme && strings.Contains(authority, "@"), // also without a password: it may be the secret
		!p.isFile && strings.Contains(authority, ":") && (p.hasAt || p.hasSnapshot),
		!p.hasScheme && p.hasAt && has(p.text, ":", "%3A"):
		return r.hide(p.text)
	case strings.ContainsAny(authority, ":%"):
		i := strings.IndexAny(authority, ":%")
		r.hide(p.text[i+1:])
		return authority[:i] + ":" + Mark
	case !p.isFile && p.hasAt && has(path, ":", "%3A"):
		return authority + "/" + r.hide(path)
	}
	return p.text
}

// has reports whether a text has a character or its escape.
func has(text, character, escape string) bool {
	return strings.Contains(text, character) || strings.Contains(strings.ToUpper(text), escape)
}

// formerPlace is place by the rules of Former.
func (r *redactor) formerPlace(rest string, isFile bool) string {
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
		return authority[:i] + ":" + Mark
	}
	if at >= 0 && !isFile && strings.Contains(decoded(path[:at]), ":") {
		path = r.hide(path[:at]) + path[at:]
	}
	if !slash {
		return authority
	}
	return authority + "/" + path
}

func decoded(s string) string {
	if d, err := url.QueryUnescape(s); err == nil {
		return d
	}
	return s + "@" // a value that cannot be decoded may hold a secret
}
