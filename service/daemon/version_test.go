package daemon

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/config"
)

const configured = `
archives:
  - name: orders
    source: {dir: /var/lib/orders, layout: je}
    destination: "file:///backups/orders"
    schedule: "15 2 * * *"
    time_zone: Europe/Berlin
    compression: zstd
    bandwidth:
      - {hours: "08:00-18:00", rate: 20MiB/s}
    verify: {schedule: "@daily", sample: 2%}
    retention: {last: 96}
    notify: ["https://hc.example.org/ping/x"]
    notify_after: 0s
`

func load(t *testing.T, text string) *config.Config {
	t.Helper()
	file := filepath.Join(t.TempDir(), "strongroom.yaml")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(t.Context(), file)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// A configuration that is read again is the same where the file is: what runs goes on.
func TestVersionOf(t *testing.T) {
	t.Parallel()
	version := func(text string) string {
		c := load(t, text)
		return versionOf(c, &c.Archives[0])
	}
	same := version(configured)
	for from, to := range map[string]string{
		"":           "",
		"last: 96":   "last: 97",
		"sample: 2%": "sample: 3%",
		"ping/x":     "ping/y",
	} {
		if got := version(strings.Replace(configured, from, to, 1)); got != same {
			t.Errorf("%s for %s: the runs are others", to, from)
		}
	}
	for from, to := range map[string]string{
		"layout: je":    "layout: noxu",
		"/backups":      "/elsewhere",
		"Berlin":        "Paris",
		"15 2":          "16 2",
		"zstd":          "none",
		"20MiB":         "21MiB",
		"08:00":         "09:00",
		"je}":           "je, before: date}",
		"name: orders":  "name: orders\n    node: other",
		"\narchives:":   "\nstate_dir: /var/lib/other\narchives:",
		"compression: ": "transfers: 3\n    compression: ",
	} {
		if version(strings.Replace(configured, from, to, 1)) == same {
			t.Errorf("%s for %s: the runs are the same", to, from)
		}
	}
}

// An archive is closed once nothing uses it any more, however often the configuration was
// read again before.
func TestClosedAfterReloads(t *testing.T) {
	t.Parallel()
	d := New(load(t, configured), Options{})
	d.Set(load(t, configured))
	d.Set(load(t, strings.Replace(configured, "last: 96", "last: 97", 1)))
	was := d.managedArchive("orders")
	if was.closed {
		t.Fatal("an archive is closed that is in use")
	}
	d.Set(load(t, strings.Replace(configured, "/backups", "/elsewhere", 1)))
	if !was.closed || d.managedArchive("orders").closed {
		t.Errorf("the archive that was: closed %v; the one that is: %v", was.closed, d.managedArchive("orders").closed)
	}
	was = d.managedArchive("orders")
	d.Set(load(t, configured))
	if !was.closed {
		t.Error("the second one stays open")
	}
}
