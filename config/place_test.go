package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// two is a configuration with these destinations.
func two(a, b string) string {
	return fmt.Sprintf("archives:\n  - {name: a, source: {dir: /a}, destination: \"%s\"}\n  - name: b\n    source: {dir: /b}\n    destination: \"%s\"\n", a, b)
}

// No archive may lie within another: the key of an object does not show whose it is. So it is a
// mistake in the file, which is shown with the line of both, whatever the rest of the URLs.
func TestDestinationsLieApart(t *testing.T) {
	t.Parallel()
	const minio = "endpoint=http://127.0.0.1:9000&use_path_style=true"
	for _, pair := range [][2]string{
		{"s3://b", "s3://b/data/node-2"},
		{"s3://b?region=eu-central-1", "s3://b/orders?region=eu-central-1&storage_class=STANDARD_IA"},
		{"s3://b/orders/", "s3://b/orders/node-1"},
		{"s3://b//orders", "s3://b/orders/node-1/"},
		{"S3://b/orders", "s3://b/orders/node-1?profile=x"},
		{"s3://b/orders?region=x&" + minio, "s3://b/orders/node-1?" + minio + "&lock=GOVERNANCE&lock_for=3d"},
		{"s3://b/o?endpoint=http://127.0.0.1:9000", "s3://b/o/x?endpoint=http%3A%2F%2F127.0.0.1%3A9000%2F"},
		{"s3://b/o?endpoint=https://minio.example.org", "s3://b/o/x?endpoint=https://MINIO.example.org:443"},
		{"s3://b/o?endpoint=https://s3.eu-central-1.amazonaws.com", "s3://b/o/x?region=eu-central-1"},
		{"s3://${BUCKET}/o", "s3://backups/o/x"},
		{"gs://b", "gs://b/x"},
		{"gs://b?endpoint=http://h:1", "gs://b/x?endpoint=http://h:1/"},
		{"azblob://b/o?account=one", "azblob://b/o/x?account=one&domain=blob.core.windows.net&protocol=https"},
		{"file:///backups", "file:///backups/data/node-2"},
		{"file:///backups/", "file:///backups//x/../y"},
		{"file://localhost/backups", "file:///backups/x"},
		{"file:///backups/a%20b", "file:///backups/a b/c"},
		{"file:///", "file:///x"},
		{"mem://m", "mem://m/x"},
	} {
		for i := range pair {
			p := problems(t, two(pair[i], pair[1-i]))
			want := map[int]string{0: "this destination is within the one in line 2", 1: "the destination in line 2 is within this one"}[i]
			if len(p) != 1 || p[0].Line != 5 || p[0].Column != 18 || !strings.Contains(p[0].Message, want) {
				t.Errorf("%q: %+v", pair, p)
			}
		}
	}
}

// The same place is the same destination, however its URL is written.
func TestSameDestination(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"s3://b/o?region=eu-central-1", "s3://b/o"},
		{"s3://b/o?storage_class=STANDARD_IA", "s3://b/o/?storage_class=GLACIER_IR"},
		{"file:///x/../backup", "file:///backup//"},
	} {
		p := problems(t, two(pair[0], pair[1]))
		if len(p) != 1 || p[0].Line != 5 || !strings.Contains(p[0].Message, "the same destination, the first in line 2") {
			t.Errorf("%q: %+v", pair, p)
		}
	}
}

// Places beside one another are right, also with the same first characters.
func TestDestinationsBesideOneAnother(t *testing.T) {
	t.Parallel()
	for _, pair := range [][2]string{
		{"s3://b/orders/node-1", "s3://b/orders/node-10"},
		{"s3://b/orders", "s3://b/Orders/x"},
		{"s3://b/o", "s3://c/o/x"},
		{"s3://b/o", "gs://b/o/x"},
		{"s3://b/o?endpoint=http://one:9000", "s3://b/o/x?endpoint=http://two:9000"},
		{"s3://b/o?endpoint=http://one:9000", "s3://b/o/x?endpoint=http://one:9001"},
		{"s3://b/o?endpoint=http://one:9000", "s3://b/o/x"},
		{"azblob://b/o?account=one", "azblob://b/o/x?account=two"},
		{"file:///backups/a", "file:///backups/ab"},
		{"mem://m/x", "mem://n/x/y"},
	} {
		mustParse(t, two(pair[0], pair[1]))
	}
}

// The environment can name a service's address, as it does for the service's own tools.
func TestDestinationsByTheEnvironment(t *testing.T) {
	t.Parallel()
	env := map[string]string{"AWS_ENDPOINT_URL": "http://minio:9000", "AZURE_STORAGE_ACCOUNT": "one", "STORAGE_EMULATOR_HOST": "fake:1"}
	for _, test := range []struct {
		a, b  string
		apart bool
	}{
		{"s3://b/o", "s3://b/o/x?endpoint=http://minio:9000", false},
		{"s3://b/o", "s3://b/o/x?endpoint=http://other:9000", true},
		{"azblob://b/o", "azblob://b/o/x?account=one", false},
		{"azblob://b/o", "azblob://b/o/x?account=two", true},
		{"gs://b/o", "gs://b/o/x?endpoint=https://fake:1", false},
	} {
		_, err := Parse("strongroom.yaml", []byte(two(test.a, test.b)), func(name string) (string, bool) { v, ok := env[name]; return v, ok })
		if (err == nil) != test.apart {
			t.Errorf("%s and %s: %v", test.a, test.b, err)
		}
	}
}

// The places of a list of destinations are held against one another, and against those of other archives.
func TestListedDestinationsLieApart(t *testing.T) {
	t.Parallel()
	p := problems(t, "archives:\n  - name: a\n    source: {dir: /a}\n    destinations:\n      - s3://b/o\n      - s3://b/o/x\n")
	if len(p) != 1 || p[0].Line != 6 || !strings.Contains(p[0].Message, "within the one in line 5") {
		t.Errorf("%+v", p)
	}
}

// In a directory it counts where symbolic links lead, as far as there is anything yet.
func TestDestinationsBehindLinks(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := errors.Join(os.MkdirAll(filepath.Join(dir, "disk", "x"), 0o755), os.Symlink(filepath.Join(dir, "disk", "x"), filepath.Join(dir, "link"))); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "strongroom.yaml")
	for _, test := range []struct {
		a, b  string
		apart bool
	}{{"/disk", "/link", false}, {"/disk", "/link/new/y", false}, {"/disk/x", "/link", false}, {"/disk/y", "/link", true}} {
		if err := os.WriteFile(file, []byte(two("file://"+dir+test.a, "file://"+dir+test.b)), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := Load(t.Context(), file); (err == nil) != test.apart {
			t.Errorf("%s and %s: %v", test.a, test.b, err)
		}
	}
}
