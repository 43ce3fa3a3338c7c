package main

import (
	"io"
	"os"
	"regexp"
	"strings"

	"github.com/strongroom-dev/strongroom/providers"
)

// shownArg returns a command-line argument without the parts that may be secret.
func shownArg(arg string) string {
	if isURL(arg) || mayHoldUser(arg) {
		return providers.Redact(arg)
	}
	return arg
}

// mayHoldUser reports whether an argument has a colon before its last "@", as a user and a password have.
func mayHoldUser(arg string) bool {
	i := strings.LastIndexByte(arg, '@')
	return i >= 0 && strings.Contains(arg[:i], ":")
}

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
	"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "STORAGE_EMULATOR_HOST",
}

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
		if value := os.Getenv(name); value != "" {
			all = append(all, providers.Hidden(value)...)
		}
	}
	return all
}

// withoutSecrets returns a writer that replaces the secrets of a command line in what is written to w. The messages
// themselves leave out the secrets of an archive's URL; this one is for all others.
func withoutSecrets(w io.Writer, args []string) io.Writer {
	secrets := secretsOf(args)
	if len(secrets) == 0 {
		return w
	}
	for i, s := range secrets {
		secrets[i] = regexp.QuoteMeta(s)
	}
	return &redactingWriter{w, regexp.MustCompile(strings.Join(secrets, "|"))}
}

type redactingWriter struct {
	w       io.Writer
	secrets *regexp.Regexp
}

// Write writes b, and returns its length if it was written, also if the replaced text has another length.
func (r *redactingWriter) Write(b []byte) (int, error) {
	if _, err := r.w.Write(r.secrets.ReplaceAll(b, []byte("REDACTED"))); err != nil {
		return 0, err
	}
	return len(b), nil
}
