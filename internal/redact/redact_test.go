package redact

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
)

// An operator recognizes the address, and sees nothing of a secret, wherever it was written.
func TestURL(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                  "",
		"orders":                            "orders",
		"s3://bucket/p?region=eu&profile=x": "s3://bucket/p?region=eu&profile=x",
		"file:///a@b":                       "file:///a@b",
		"file:///a@b:c":                     "file:///a@b:c",
		"s3://bucket/a@b":                   "s3://bucket/a@b",
		"s3://bucket/node:9000/p":           "s3://bucket/node:9000/p",
		"s3://bucket/p@42":                  "s3://bucket/p@42",
		"s3://bucket/node:1@latest":         "s3://bucket/node:1@latest",
		"s3://b/p@2026-11-22T23:00:00Z":     "s3://b/p@2026-11-22T23:00:00Z",
		"orders@2026-11-22T23:00:00+01:00":  "orders@2026-11-22T23:00:00+01:00",
		"s3://b/p?region=eu@7":              "s3://b/p?region=eu@7",

		"s3://key:secret@bucket/p":         "s3://REDACTED",
		"s3://key:se/cr@et@bucket/p":       "s3://REDACTED",
		"s3://key@bucket":                  "s3://REDACTED",
		"s3://bucket@secret?region=eu":     "s3://REDACTED?region=eu",
		"gs://bucket@sec/ret":              "gs://REDACTED",
		"azblob://bucket@secret?account=a": "azblob://REDACTED?account=a",
		"file://x@secret/y":                "file://REDACTED",
		"s3://key:secret@42":               "s3://REDACTED@42",
		"s3://b:secret":                    "s3://b:REDACTED",
		"s3://b:sec/ret?region=eu":         "s3://b:REDACTED?region=eu",
		"gs://b:12345678/x":                "gs://b:REDACTED",
		"azblob://b%3Asecret/x":            "azblob://b:REDACTED",
		"file://b:secret/x":                "file://b:REDACTED",
		"s3://b/x@key:secret?region=eu":    "s3://b/REDACTED?region=eu",
		"gs://b/x@key:sec/ret":             "gs://b/REDACTED",
		"azblob://c/key%3Asecret%40x":      "azblob://c/REDACTED",
		"s3://b/key:secret@x/p":            "s3://b/REDACTED",
		"s3://b/key:sec#ret@x":             "s3://b/REDACTED",
		"s3://b/key:sec?ret@x":             "s3://b/REDACTED?REDACTED",
		"s3://b#secret":                    "s3://b",
		"//key:secret@bucket/p":            "//REDACTED",
		"key:secret@bucket":                "REDACTED",
		"bucket/x@key:secret":              "REDACTED",
		"k:secret://bucket":                "REDACTED",
		"aSecretAsLongAsThis://bucket":     "REDACTED",

		"s3://b?secret=x&region=eu":               "s3://b?secret=REDACTED&region=REDACTED",
		"s3://b?AKIA0123":                         "s3://b?REDACTED",
		"s3://b?endpoint=http://u:p@h":            "s3://b?endpoint=REDACTED",
		"s3://b?endpoint=http://h:9000":           "s3://b?endpoint=http://h:9000",
		"s3://b?endpoint=http://h?t=secret":       "s3://b?endpoint=REDACTED",
		"s3://b?endpoint=http://h:9/p":            "s3://b?endpoint=http://h:9/p",
		"s3://b?region=eu;token=secret":           "s3://b?region=REDACTED",
		"s3://b?profile=sec&ret=":                 "s3://b?profile=REDACTED&REDACTED",
		"s3://b?profile=sec#ret":                  "s3://b?profile=REDACTED",
		"https://u:sec@re.t/x@h.org":              "https://…",
		"s3://b?region=key:secret":                "s3://b?region=REDACTED",
		"s3://b?profile=wJalrXUtnFEMI/K7MD":       "s3://b?profile=REDACTED",
		"azblob://c?domain=127.0.0.1:10000":       "azblob://c?domain=127.0.0.1:10000",
		"azblob://c?account=a:secret":             "azblob://c?account=REDACTED",
		"s3://b?ssetype=aws:kms&kmskeyid=alias/a": "s3://b?ssetype=aws:kms&kmskeyid=alias/a",

		"https://hc.example.org/ping/secret":   "https://hc.example.org/…",
		"https://user:secret@proxy:3128/x?y=z": "https://proxy:3128/…",
		"https://secret@proxy:3128":            "https://…",
		"https://secret/x":                     "https://…",
		"http://[::1]:9000/secret":             "http://[::1]:9000/…",
		"webhook+https://h.org/secret#x":       "webhook+https://h.org/…",
		"slack://hook:secret@webhook":          "slack://…",
		"smtp://u:se/cret@h.org":               "smtp://…",
		"ntfy://h.org@secret":                  "ntfy://…",
		"nosuch://k:secret@b":                  "nosuch://…",
	} {
		got := URL(raw)
		if got != want {
			t.Errorf("%q becomes %q, and not %q", raw, got, want)
		}
		if again := URL(got); again != got {
			t.Errorf("%q becomes %q, and again %q", raw, got, again)
		}
	}
	for raw, want := range map[string]string{
		"xoxb-secret:x": "(no URL)", "secret": "(no URL)", "": "(no URL)", "https://u:se%zz@h.org": "(no URL)",
		"aSecretAsLongAsThis://x": "(no URL)", "gotify://h.org/secret": "gotify://h.org/…",
	} {
		if got := Target(raw); got != want {
			t.Errorf("the target %q becomes %q, and not %q", raw, got, want)
		}
	}
}

// misplaced are the places of an address in which people write a secret: S is the secret, and K a user's name.
var misplaced = []string{
	"A://K:S@b", "A://K:S@b/p", "A://b@S", "A://b@S?region=eu", "A://b@K:S", "A://b/x@K:S", "A://b/x@K:S?region=eu", "A://b/K:S@x",
	"A://b/K:S@x/y?region=eu", "A://b/p/K%3AS@x", "A://b/p/K%3AS%40x", "A://b:S", "A://b:S@x", "A://b?S", "A://b?token=S", "A://b/p?region=K:S@x",
	"A://b?endpoint=http://K:S@h", "A://b?endpoint=https://h/?token=S", "A://b?endpoint=K:S@h", "A://b?region=eu;token=S",
	"A://b?account=a&domain=K:S@h", "A://b#S", "A://b/p#K:S@x", "A://K:S@b@42", "A://K:S@latest", "//K:S@b", "K:S@b", "A:/K:S@b", "b/x@K:S",
	"http://K:S@h.org/x", "https://h.org/S", "https://h.org/?x=S", "smtp://K:S@h.org:25", "slack://S@webhook", "webhook+https://K:S@h.org/S",
	"nosuch://K:S@h", "A://b?kmskeyid=K:S", "A://b?profile=S!", "A://b?use_path_style=S", "file://K:S@h/x", "file://b@S/x",
	"http://K:S@proxy:3128", "socks5://K:S@proxy:1080",
}

// A secret has any characters, and may be anywhere: no six of them that follow each other are ever shown.
func TestNoSecretIsShown(t *testing.T) {
	t.Parallel()
	const alphabet = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/+=@:%#?&!~._-"
	random := rand.New(rand.NewPCG(1, 2))
	for range 1000 {
		secret := make([]byte, 33+random.IntN(20)) // the secret of a key has forty
		for i := range secret {
			secret[i] = alphabet[random.IntN(len(alphabet))]
		}
		s := string(secret)
		if random.IntN(2) == 0 {
			s = url.QueryEscape(s)
		}
		for _, form := range misplaced {
			for _, scheme := range []string{"s3", "gs", "azblob", "S3"} {
				raw := strings.NewReplacer("A:", scheme+":", "K", "key", "S", s).Replace(form)
				if form == "A://b?S" && strings.Contains(s, "=") {
					continue // a parameter's name is shown
				}
				got := URL(raw)
				for i := range len(s) - 6 {
					if strings.Contains(got, s[i:i+6]) {
						t.Fatalf("%q becomes %q, which shows %q of %q", raw, got, s[i:i+6], s)
					}
				}
				if URL(got) != got {
					t.Errorf("%q becomes %q, and again %q", raw, got, URL(got))
				}
			}
		}
	}
}
