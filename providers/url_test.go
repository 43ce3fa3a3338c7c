package providers

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	t.Parallel()
	for raw, want := range map[string]address{
		"s3://bucket":                        {scheme: "s3", bucket: "bucket"},
		"s3://bucket/":                       {scheme: "s3", bucket: "bucket"},
		"S3://bucket/orders/node-1?region=x": {scheme: "s3", bucket: "bucket", prefix: "orders/node-1/"},
		"s3://bucket/a%20b/%25/":             {scheme: "s3", bucket: "bucket", prefix: "a b/%/"},
		"s3://bucket/a@b":                    {scheme: "s3", bucket: "bucket", prefix: "a@b/"},
		"mem://name/p":                       {scheme: "mem", bucket: "name", prefix: "p/"},
		"file:///backups/a":                  {scheme: "file", dir: "/backups/a"},
		"file://localhost/backups":           {scheme: "file", dir: "/backups"},
		"file:///with%20space/100%25":        {scheme: "file", dir: "/with space/100%"},
		"file:///a%2Fb":                      {scheme: "file", dir: "/a/b"},
		"file:///a@b:c":                      {scheme: "file", dir: "/a@b:c"},
		"gs://bucket/p":                      {scheme: "gs", bucket: "bucket", prefix: "p/"},
	} {
		got, err := parse(raw)
		if err != nil {
			t.Errorf("%s: %v", raw, err)
			continue
		}
		if got.scheme != want.scheme || got.bucket != want.bucket || got.dir != want.dir || got.prefix != want.prefix {
			t.Errorf("%s: %+v, want %+v", raw, got, want)
		}
	}
}

// Each error says where, what and what to do.
func TestOpenRefuses(t *testing.T) {
	t.Setenv("AWS_REGION", "")
	t.Setenv("AWS_DEFAULT_REGION", "")
	t.Setenv("AWS_CONFIG_FILE", filepath.Join(t.TempDir(), "missing"))
	for raw, says := range map[string]string{
		"":                          "no scheme",
		"backups":                   "write s3://bucket/prefix or file:///absolute/path",
		"/backups":                  "no scheme",
		"://x":                      "no scheme",
		"ftp://host/x":              "unknown scheme",
		"gs://b":                    "no bucket's name",
		"azblob://container/x?sig=": "unknown parameter sig; azblob:// knows account",
		"file://relative/path":      "three slashes: file:///relative/path",
		"file://":                   "names no directory",
		"file:///":                  "names no directory",
		"file:///a%zz":              "percent-encoded",
		"file:///a?x=1":             "unknown parameter x; file:// takes none",
		"file:///a#b":               "write # as %23",
		"file:///a%00b":             "control character",
		"file:///a%ffb":             "not UTF-8",
		"mem://":                    "write mem://name",
		"s3://":                     "names no bucket",
		"s3:///prefix":              "names no bucket",
		"s3://ab":                   "3 to 63",
		"s3://bucket/a//b?region=x": "empty element",
		"s3://bucket/../b?region=x": "empty element",
		"s3://bucket/" + strings.Repeat("x", 401): "leave room",
		"s3://bucket":                                       "add region=",
		"s3://bucket?regoin=x":                              "unknown parameter regoin; the nearest is region; s3:// knows region, endpoint",
		"s3://bucket?region=a&region=b":                     "write it once",
		"s3://bucket?region=a;b":                            "name=value",
		"s3://bucket?region=x&anonymous=maybe":              "write true or false",
		"s3://bucket?region=x&use_path_style=2":             "write true or false",
		"s3://bucket?region=x&endpoint=host:9000":           "endpoint=https://host:port",
		"s3://bucket?region=x&endpoint=ftp://h":             "endpoint=https://host:port",
		"s3://bucket?region=x&ssetype=rot13":                "AES256",
		"s3://key:secret@bucket?region=x":                   "holds credentials",
		"s3://secret@bucket?region=x":                       "holds credentials",
		"s3://bucket?endpoint=http%3A%2F%2Fkey:secret@host": "endpoint holds credentials",
		"s3://bucket?secret_access_key=secret":              "unknown parameter secret_access_key",
		"s3://key:se/cret@bucket":                           "percent-encoded",
	} {
		b, err := Open(t.Context(), raw, Options{})
		if err == nil {
			t.Errorf("%s was opened: %v", raw, b)
			continue
		}
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want it to say %q", raw, err, says)
		}
		if strings.Contains(raw, "cret") && strings.Contains(strings.ReplaceAll(err.Error(), "secret_access_key", ""), "cret") {
			t.Errorf("%s: the error tells the secret: %v", raw, err)
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
		"s3://key:se/cr@et@bucket/p":        "s3://REDACTED@bucket/p",
		"s3://key@bucket":                   "s3://REDACTED@bucket",
		"s3://b?secret=x&region=eu":         "s3://b?secret=REDACTED&region=eu",
		"s3://b?AKIA0123":                   "s3://b?REDACTED",
		"s3://b?endpoint=http://u:p@h":      "s3://b?endpoint=REDACTED",
		"s3://b?endpoint=http://h:9000":     "s3://b?endpoint=http://h:9000",
		"s3://b#secret":                     "s3://b",
	} {
		if got := Redact(raw); got != want {
			t.Errorf("Redact(%q) = %q, want %q", raw, got, want)
		}
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
				t.Errorf("Redact(%q) = %q tells the password", raw, safe)
			}
		}
		a, err := parse(raw)
		if err != nil {
			return
		}
		if a.prefix != "" && (checkKey("a") != nil || !strings.HasSuffix(a.prefix, "/") || strings.HasPrefix(a.prefix, "/") || strings.Contains(a.prefix, "//")) {
			t.Errorf("%q has the prefix %q", raw, a.prefix)
		}
		if a.scheme == "file" && !strings.HasPrefix(a.dir, "/") {
			t.Errorf("%q is the directory %q", raw, a.dir)
		}
	})
}

func FuzzFileNames(f *testing.F) {
	for _, s := range []string{"a/b", "~", "a//b", ".", "a/..", ".~strongroom/x", "ä\x00", "a~2fb"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, key string) {
		path := filePath(key)
		if checkKey(key) == nil && path != key {
			t.Errorf("the key %q is not its own path: %q", key, path)
		}
		segments := strings.Split(path, "/")
		for i, s := range segments {
			k, ok := fileKey(s)
			if !ok || s == "" || s == "." || s == ".." || s == hidden {
				t.Fatalf("key %q has the path %q", key, path)
			}
			segments[i] = k
		}
		if back := strings.Join(segments, "/"); back != key {
			t.Errorf("key %q has the path %q, which is the key %q", key, path, back)
		}
	})
}
