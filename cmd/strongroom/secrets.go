package main

import (
	"bytes"
	"io"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/term"

	"github.com/strongroom-dev/strongroom/providers"
)

// shownArg returns a command-line argument without the parts that may be secret.
func shownArg(arg string) string {
	if isURL(arg) || mayHoldUser(arg) {
		return providers.Redact(arg)
	}
	return arg
}

// mayHoldUser reports whether an argument has what a user, a password and a place have between them.
func mayHoldUser(arg string) bool { return strings.Contains(arg, "@") && strings.Contains(arg, ":") }

// shownSelector returns the part of an argument from the "@" at i on. It returns the "@" alone if that part may be the
// end of a secret.
func shownSelector(arg string, i int) string {
	if _, _, named := splitSelector(arg); named || len(providers.Hidden(arg)) == 0 {
		return arg[i:]
	}
	return "@"
}

// secretVariables are the variables of the environment that may hold a URL with a user and a password.
var secretVariables = []string{
	"HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "https_proxy", "http_proxy", "all_proxy",
	"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "STORAGE_EMULATOR_HOST",
}

// credentials are the variables of the environment that are secrets as a whole.
var credentials = []string{
	"AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AZURE_STORAGE_KEY",
	"AZURE_STORAGE_SAS_TOKEN", "AZURE_STORAGE_CONNECTION_STRING", "AZURE_CLIENT_SECRET",
}

// leastCredential is the length of the shortest one of them that is replaced: a shorter one may be any word.
const leastCredential = 12

// leastSecret is the length of the shortest text that is replaced: a shorter one occurs in any message.
const leastSecret = 4

// secretsOf returns the parts of a command line and of the environment that no message may show. A user may write a
// secret at any place of it, and the error of any library may quote that.
func secretsOf(args []string) []string {
	var all []string
	for _, arg := range args {
		if _, value, ok := strings.Cut(arg, "="); ok && strings.HasPrefix(arg, "--") {
			arg = value
		}
		where, _, _ := splitSelector(arg)
		switch {
		case isURL(where):
			all = append(all, providers.Hidden(where)...)
		case mayHoldUser(arg):
			all = append(all, providers.Hidden(arg)...)
		}
	}
	for _, name := range secretVariables {
		all = append(all, secretsOfVariable(os.Getenv(name))...)
	}
	for _, name := range credentials {
		if value := os.Getenv(name); len(value) >= leastCredential {
			all = append(all, value, url.QueryEscape(value), url.PathEscape(value))
		}
	}
	return slices.DeleteFunc(all, func(s string) bool { return len(s) < leastSecret })
}

// secretsOfVariable returns the secrets of the address of a proxy or an endpoint. Its host, its port and its user are
// none: they are ordinary words and numbers, which occur in messages about other things.
func secretsOfVariable(value string) []string {
	_, rest, hasScheme := strings.Cut(value, "://")
	if !hasScheme {
		rest = value
	}
	u, err := url.Parse("http://" + rest)
	if err != nil || strings.Contains(u.Path, "@") { // a password may have any character, also those of a path
		return append(providers.Hidden(value), value)
	}
	all := []string{u.RawQuery, u.Fragment}
	if end := strings.IndexAny(rest, "/?#"); end >= 0 {
		rest = rest[:end]
	}
	at := strings.LastIndexByte(rest, '@')
	if at < 0 {
		return all
	}
	_, written, _ := strings.Cut(rest[:at], ":")
	password, _ := u.User.Password()
	return append(all, rest[:at+1], written, password)
}

// withoutSecrets returns a writer that replaces secrets in what is written to w. The messages themselves leave out the
// secrets of an archive's URL; this one is for all others.
func withoutSecrets(w io.Writer, secrets []string) io.Writer {
	if len(secrets) == 0 {
		return w
	}
	return &redactingWriter{w, secrets}
}

// withoutNumbers returns the secrets that are not numbers. To replace these would make JSON invalid.
func withoutNumbers(secrets []string) []string {
	return slices.DeleteFunc(slices.Clone(secrets), func(s string) bool { return strings.Trim(s, "0123456789.-") == "" })
}

// terminalOf returns the terminal that w writes to, also behind withoutSecrets; nil if it is none.
func terminalOf(w io.Writer) *os.File {
	if r, ok := w.(*redactingWriter); ok {
		w = r.w
	}
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		return f
	}
	return nil
}

type redactingWriter struct {
	w       io.Writer
	secrets []string
}

// Write writes b, and returns its length if it was written, also if the replaced text has another length.
func (r *redactingWriter) Write(b []byte) (int, error) {
	if _, err := r.w.Write(r.redact(b)); err != nil {
		return 0, err
	}
	return len(b), nil
}

// redact replaces the secrets in a text. Where they overlap, it replaces all of them.
func (r *redactingWriter) redact(b []byte) []byte {
	var isSecret []bool
	for _, secret := range r.secrets {
		for at := 0; ; at++ {
			i := bytes.Index(b[at:], []byte(secret))
			if i < 0 {
				break
			}
			if at += i; !isWhole(b, at, at+len(secret)) {
				continue
			}
			if isSecret == nil {
				isSecret = make([]bool, len(b))
			}
			for i := range len(secret) {
				isSecret[at+i] = true
			}
		}
	}
	if isSecret == nil {
		return b
	}
	var text []byte
	for i, c := range b {
		switch {
		case !isSecret[i]:
			text = append(text, c)
		case i == 0 || !isSecret[i-1]:
			text = append(text, "REDACTED"...)
		}
	}
	return text
}

// anEscape matches an escaped character at the end of a text. Its last letter is no part of the word that follows.
var anEscape = regexp.MustCompile(`(%[0-9A-Fa-f]{2}|\\x[0-9a-f]{2}|\\u[0-9a-f]{4}|\\[abfnrtv])$`)

// isWhole reports whether a part of a text is no part of a longer word or number, such as "backup" of "backups".
func isWhole(b []byte, from, to int) bool {
	if to < len(b) && isWord(b[to-1]) && isWord(b[to]) {
		return false
	}
	return from == 0 || !isWord(b[from]) || !isWord(b[from-1]) || anEscape.Match(b[max(0, from-6):from])
}

func isWord(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '_' || c >= 0x80
}
