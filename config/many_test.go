package config

import (
	"fmt"
	"strings"
	"testing"
)

// ordinary is a configuration with this number of ordinary archives.
func ordinary(n int) string {
	var b strings.Builder
	b.WriteString("state_dir: /var/lib/strongroom\nhttp: {listen: 127.0.0.1:8470}\narchives:\n")
	for i := range n {
		fmt.Fprintf(&b, `  - name: orders-%05d
    node: db-%05d.example.org
    source:
      dir: /var/lib/orders-%05d
      layout: je
      tail: include
      before: "orders-cli flip-log --node %d"
      command_timeout: 5m
    destination: s3://backups-%d/orders/node-%05d?region=eu-central-1
    schedule: "*/15 * * * *"
    time_zone: Europe/Berlin
    jitter: 30s
    compression: zstd
    transfers: 8
    verify: {schedule: "@daily", sample: 2%%}
    retention: {last: 96, daily: 14, weekly: 8, monthly: 12, within: 48h}
    notify: ["https://hc.example.org/ping/%05d"]
`, i, i, i, i, i%7, i, i)
	}
	return b.String()
}

// A fleet has thousands of databases, with all keys that are in use.
func TestManyArchives(t *testing.T) {
	t.Parallel()
	n := 10_000
	if testing.Short() {
		n = 1000
	}
	if c := mustParse(t, ordinary(n)); len(c.Archives) != n {
		t.Errorf("%d archives", len(c.Archives))
	}
	twice := strings.Replace(ordinary(100), "node-00005?", "node-00012?", 1)
	if p := problems(t, twice); len(p) != 1 || !strings.Contains(p[0].Message, "same destination") {
		t.Errorf("%+v", p)
	}
}

// The number of keys is limited in each mapping: the parser compares each key with all others.
func TestManyKeys(t *testing.T) {
	t.Parallel()
	many := func(form string) string {
		var b strings.Builder
		for i := range maxKeys + 1 {
			fmt.Fprintf(&b, form, i)
		}
		return b.String()
	}
	for _, text := range []string{
		many("k%d: 1\n"), "archives: {" + many("k%d: 1, ") + "}\n", "archives:\n" + many("  k%d: {a: 1}\n"),
		"archives:\n  - a: 1\n" + many("    k%d: 1\n"), "a:\n  - [{" + many("k%d: [1, {b: 2}], ") + "}]\n", many("? k%d\n: 1\n"),
	} {
		if p := problems(t, text); len(p) != 1 || !strings.Contains(p[0].Message, "this mapping has more than 100 keys") {
			t.Errorf("%.60s: %+v", text, p)
		}
	}
}
