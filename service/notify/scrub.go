package notify

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/strongroom-dev/strongroom/internal/redact"
)

// quotedURL is a URL within a text.
var quotedURL = regexp.MustCompile(`(?i)[a-z][a-z0-9+.-]*:/+[^\s"]*`)

// secrets matches every part of a target that may be secret, encoded and decoded, and pieces of parts that are long
// enough to be tokens.
func secrets(raw string, u *url.URL) *regexp.Regexp {
	var whole []string
	add := func(s string) {
		decoded, err := url.PathUnescape(s)
		if err != nil {
			decoded = s
		}
		whole = append(whole, s, decoded, url.QueryEscape(decoded), url.PathEscape(decoded))
	}
	add(raw)
	add(u.Fragment)
	add(u.User.String())
	add(u.User.Username())
	password, _ := u.User.Password()
	add(password)
	if !strings.Contains(redact.Target(raw), u.Host) {
		add(u.Host)
	}
	for part := range strings.SplitSeq(u.EscapedPath(), "/") {
		add(part)
	}
	for _, values := range u.Query() {
		for _, v := range values {
			add(v)
		}
	}
	var pieces []string
	for _, s := range whole {
		if len(s) >= 3 {
			pieces = append(pieces, regexp.QuoteMeta(s))
		}
		for _, part := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(":/,@-", r) }) {
			if len(part) >= 6 {
				pieces = append(pieces, regexp.QuoteMeta(part))
			}
		}
	}
	if len(pieces) == 0 {
		return nil
	}
	// Long pieces first: a short match would leave the rest of a long one.
	slices.SortFunc(pieces, func(a, b string) int { return len(b) - len(a) })
	return regexp.MustCompile("(?i)" + strings.Join(slices.Compact(pieces), "|"))
}

// scrub removes secrets and URLs from a text of a library or server, for messages and logs.
func scrub(text string, secrets *regexp.Regexp) string {
	text = quotedURL.ReplaceAllString(text, "(URL)")
	if secrets != nil {
		text = secrets.ReplaceAllString(text, "…")
	}
	return clean(text, maxError)
}
