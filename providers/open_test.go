package providers

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/internal/cloud"
)

// Each error names the URL, states the fault and what to write instead.
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
		"azblob://container/x?sig=": "unknown parameter sig; azblob:// takes account",
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
		"s3://bucket?regoin=x":                              "unknown parameter regoin; the nearest is region; s3:// takes region, endpoint",
		"s3://bucket?region=a&region=b":                     "write it once",
		"s3://bucket?region=a;b":                            "name=value",
		"s3://bucket?region=x&anonymous=maybe":              "write true or false",
		"s3://bucket?region=x&use_path_style=2":             "write true or false",
		"s3://bucket?region=x&endpoint=host:9000":           "parameter endpoint: it is no address; write https://host:port",
		"s3://bucket?region=x&endpoint=ftp://h":             "parameter endpoint: it is no address; write https://host:port",
		"s3://bucket?region=x&ssetype=rot13":                "AES256",
		"s3://key:secret@bucket?region=x":                   "holds credentials",
		"s3://secret@bucket?region=x":                       "holds credentials",
		"s3://bucket?endpoint=http%3A%2F%2Fkey:secret@host": "parameter endpoint: it holds credentials",
		"s3://bucket?secret_access_key=secret":              "unknown parameter secret_access_key",
		"s3://key:se/cret@bucket":                           "percent-encoded",
	} {
		b, err := Open(t.Context(), raw, cloud.Options{})
		if err == nil {
			t.Errorf("%s was opened: %v", raw, b)
			continue
		}
		if !strings.Contains(err.Error(), says) {
			t.Errorf("%s: %v; want %q in it", raw, err, says)
		}
		if strings.Contains(raw, "cret") && strings.Contains(strings.ReplaceAll(err.Error(), "secret_access_key", ""), "cret") {
			t.Errorf("%s: the error contains the secret: %v", raw, err)
		}
	}
}
