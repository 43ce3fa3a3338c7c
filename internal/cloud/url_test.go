package cloud

import (
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/redact"
	"github.com/strongroom-dev/strongroom/manifest"
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

// Earlier versions named the local state of an archive after another form of some addresses. It must be found again.
func TestFormerPlaces(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]string{
		"s3://b/p?region=eu":     "s3://b/p?region=eu",
		"file:///a@b:c":          "file:///a@b:c",
		"s3://b/x@k:secret":      "s3://b/x@k:secret",
		"s3://b/p?region=eu:1":   "s3://b/p?region=eu:1",
		"s3://b/p?token=s3cr":    "s3://b/p?token=REDACTED",
		"s3://b/a:1234@c":        "s3://b/REDACTED@c#" + manifest.Sum([]byte("s3://b/a:1234@c")).String()[:16],
		"s3://b/p?region=%65u@x": "s3://b/p?region=REDACTED",
	} {
		if got := FormerPlace(raw); got != want {
			t.Errorf("%s: %s", raw, got)
		}
		if place := Place(raw); strings.Contains(place, "secret") || strings.Contains(place, "1234@") {
			t.Errorf("%s: %s", raw, place)
		}
	}
}

// The values of a parameter without a form would never be shown.
func TestEveryParameterHasAForm(t *testing.T) {
	t.Parallel()
	for _, name := range slices.Concat(S3Parameters, AzureParameters, GcsParameters) {
		if !redact.IsKnown(name) {
			t.Errorf("%s has none", name)
		}
	}
}

// What is wrong with an address is stated without its path, which may have a secret.
func TestErrorsQuoteNoSecret(t *testing.T) {
	t.Parallel()
	for _, raw := range []string{
		"s3://b/y//x@k:hunter2", "s3://b/x@k:hunter2/../y", "gs://b/x@k:hunter2\\", "azblob://c/x@k:hunter2%00", "s3://b@hunter2/x?region=eu",
		"k:hunter2://b/x", "s3:hunter2@x://b", "hunter2hunter2hunter2://b", "gs://b@hunter2", "azblob://c@hunter2?account=a",
		"file://x@hunter2/y", "s3://b?region=k:hunter2&nosuch=1", "s3://b?use_path_style=hunter2&region=eu",
	} {
		scheme, err := SchemeOf(raw)
		if err == nil {
			var a Address
			if a, err = Parse(raw, scheme, S3Parameters); err == nil {
				_, err = a.Truth("use_path_style")
			}
		}
		if err == nil || strings.Contains(err.Error(), "hunter2") {
			t.Errorf("%s: %v", raw, err)
		}
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
		safe := redact.URL(raw)
		if redact.URL(safe) != safe {
			t.Errorf("%q becomes %q, and again %q", raw, safe, redact.URL(safe))
		}
		if u, err := url.Parse(raw); err == nil && u.User != nil && u.Scheme != "" && strings.Contains(raw, "://") {
			if p, _ := u.User.Password(); len(p) > 8 && strings.Contains(safe, p) {
				t.Errorf("%q becomes %q, with the password", raw, safe)
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
