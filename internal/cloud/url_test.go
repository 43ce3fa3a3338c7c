package cloud

import (
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]Address{
		"s3://bucket":                        {scheme: "s3", Bucket: "bucket"},
		"s3://bucket/":                       {scheme: "s3", Bucket: "bucket"},
		"S3://bucket/orders/node-1?region=x": {scheme: "s3", Bucket: "bucket", Prefix: "orders/node-1/"},
		"s3://bucket/a%20b/%25/":             {scheme: "s3", Bucket: "bucket", Prefix: "a b/%/"},
		"s3://bucket/a@b":                    {scheme: "s3", Bucket: "bucket", Prefix: "a@b/"},
		"mem://name/p":                       {scheme: "mem", Bucket: "name", Prefix: "p/"},
		"file:///backups/a":                  {scheme: "file", Dir: "/backups/a"},
		"file://localhost/backups":           {scheme: "file", Dir: "/backups"},
		"file:///with%20space/100%25":        {scheme: "file", Dir: "/with space/100%"},
		"file:///a%2Fb":                      {scheme: "file", Dir: "/a/b"},
		"file:///a@b:c":                      {scheme: "file", Dir: "/a@b:c"},
		"gs://bucket/p":                      {scheme: "gs", Bucket: "bucket", Prefix: "p/"},
	} {
		got, err := Parse(raw, want.scheme, []string{"region"})
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got.scheme != want.scheme || got.Bucket != want.Bucket || got.Dir != want.Dir || got.Prefix != want.Prefix {
			t.Errorf("%s: %+v, want %+v", raw, got, want)
		}
	}
}

// A secret that was written behind the bucket's name is in no message, also if it could be a port.
func TestSecretBehindTheBucket(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"s3://b:hunter2", "s3://b:hun/ter2", "gs://b:hunter2/x", "s3://b:4711815", "azblob://b%3ahunter2", "file://b:hunter2/x", "file://b:4711815/x",
	} {
		_, err := SchemeOf(raw)
		if err == nil || strings.Contains(err.Error(), "hunter2") || strings.Contains(err.Error(), "ter2") || strings.Contains(err.Error(), "4711815") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestRedact(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"":                                  "",
		"orders":                            "orders",
		"s3://bucket/p?region=eu&profile=x": "s3://bucket/p?region=eu&profile=x",
		"file:///a@b":                       "file:///a@b",
		"s3://bucket/a@b":                   "s3://bucket/a@b",
		"s3://key:secret@bucket/p":          "s3://REDACTED@bucket/p",
		"s3://b:secret":                     "s3://b:REDACTED",
		"s3://b:sec/ret?region=eu":          "s3://b:REDACTED?region=eu",
		"gs://b:12345678/x":                 "gs://b:REDACTED",
		"azblob://b%3Asecret/x":             "azblob://b:REDACTED",
		"file://b:secret/x":                 "file://b:REDACTED",
		"s3://key:se/cr@et@bucket/p":        "s3://REDACTED@bucket/p",
		"s3://key@bucket":                   "s3://REDACTED@bucket",
		"s3://b?secret=x&region=eu":         "s3://b?secret=REDACTED&region=eu",
		"s3://b?AKIA0123":                   "s3://b?REDACTED",
		"s3://b?endpoint=http://u:p@h":      "s3://b?endpoint=REDACTED",
		"s3://b?endpoint=http://h:9000":     "s3://b?endpoint=http://h:9000",
		"s3://b#secret":                     "s3://b",
		"//key:secret@bucket/p":             "//REDACTED@bucket/p",
		"key:secret@bucket":                 "REDACTED@bucket",
		"s3://b/key:secret@x/p":             "s3://b/REDACTED@x/p",
		"s3://b/node:9000/p":                "s3://b/node:9000/p",
		"s3://b?region=eu;token=secret":     "s3://b?region=REDACTED",
		"s3://b?endpoint=http://h?t=secret": "s3://b?endpoint=REDACTED",
		"s3://b?endpoint=http://h:9/p":      "s3://b?endpoint=http://h:9/p",
		"azblob://c?domain=127.0.0.1:10000": "azblob://c?domain=127.0.0.1:10000",
	} {
		if got := Redact(raw); got != want {
			t.Errorf("Redact(%q) = %q, want %q", raw, got, want)
		}
	}
}

// Two archives whose addresses differ only in what messages hide are two places: local state is kept by place.
func TestPlacesOfDifferentArchivesDiffer(t *testing.T) {
	t.Parallel()
	one, two := Place("s3://b/a:1234@c"), Place("s3://b/a:5678@c")
	if one == two || strings.Contains(one+two, "1234") {
		t.Errorf("%s and %s", one, two)
	}
	if got := Place("s3://b/p?region=eu"); got != "s3://b/p?region=eu" {
		t.Error(got)
	}
}

// The error of net/http for a proxy that is no URL quotes it, with its password.
func TestProxyIsNotShown(t *testing.T) {
	t.Parallel()
	tr := &http.Transport{Proxy: func(*http.Request) (*url.URL, error) {
		return nil, errors.New(`invalid proxy address "http://u:hunter2@h"`)
	}}
	Tune(tr, &Options{})
	if _, err := tr.Proxy(nil); err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{
		"s3://bucket/prefix?region=eu&endpoint=http%3A%2F%2Fh:1", "file:///a%20b", "mem://x/y", "s3://k:topsecret@b", "s3://%zz",
		"file://a", "s3://b/../x", "gs://[::1]/x", "s3://b?a=b;c", "://", "file:///\x00", "s3://b?endpoint=http://k:topsecret@h",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		safe := Redact(raw)
		if Redact(safe) != safe {
			t.Errorf("Redact(%q) = %q, and again %q", raw, safe, Redact(safe))
		}
		if u, err := url.Parse(raw); err == nil && u.User != nil && u.Scheme != "" && strings.Contains(raw, "://") {
			if p, _ := u.User.Password(); len(p) > 8 && strings.Contains(safe, p) && !strings.Contains(u.Host+u.Path, p) && !strings.Contains(u.RawQuery, p) {
				t.Errorf("Redact(%q) = %q contains the password", raw, safe)
			}
		}
		scheme, err := SchemeOf(raw)
		if err != nil {
			return
		}
		a, err := Parse(raw, scheme, []string{"region", "endpoint"})
		if err != nil {
			return
		}
		if a.Prefix != "" && (CheckKey("a") != nil || !strings.HasSuffix(a.Prefix, "/") || strings.HasPrefix(a.Prefix, "/") || strings.Contains(a.Prefix, "//")) {
			t.Errorf("%q has the prefix %q", raw, a.Prefix)
		}
		if a.scheme == "file" && !strings.HasPrefix(a.Dir, "/") {
			t.Errorf("%q is the directory %q", raw, a.Dir)
		}
	})
}
