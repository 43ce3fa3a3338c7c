package config

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/archive/retention"
)

func TestParse(t *testing.T) {
	t.Parallel()
	c := mustParse(t, `
state_dir: /var/lib/strongroom/
http: {token_file: /etc/strongroom/token, hosts: [backup.example.org], cert_file: /etc/tls.crt, key_file: /etc/tls.key}
defaults:
  notify: ["https://hc.example.org/${BUCKET}"]
  notify_after: 1m30s
  verify: {schedule: "@daily", sample: 2.5%}
  retention: {last: 96, hourly: 48, daily: 14, weekly: 8, monthly: 12, yearly: 3, within: 2d}
  schedule: "@hourly"
  jitter: 5m
  transfers: ${N}
  time_zone: Europe/Berlin
archives:
  - name: orders
    node: db-1
    source:
      dir: /var/lib/orders
      layout: je
      tail: include
      before: flip-log
    destination: s3://${BUCKET}/orders?region=eu-central-1
    schedule: "*/15 * * * *"
    time_zone: UTC
    jitter: 30s
    transfers: 4
  - name: wal-2.x_y
    source: {dir: /wal, layout: segments, pattern: '([0-9]+)\.wal$', base: 16, closed: quiet, quiet: 1m30s}
    destination: "file:///$${backup}"
`)
	c.Archives[0].location, c.Archives[1].location = nil, nil // compared by name
	limit := retention.DefaultLimit()
	retention := &Retention{96, 48, 14, 8, 12, 3, 48 * time.Hour, "@daily", limit}
	verify, notify := &Verify{"@daily", 0.025}, []string{"https://hc.example.org/backups"}
	want := &Config{
		StateDir: "/var/lib/strongroom",
		HTTP:     &HTTP{Listen: DefaultListen, TokenFile: "/etc/strongroom/token", Hosts: []string{"backup.example.org"}, CertFile: "/etc/tls.crt", KeyFile: "/etc/tls.key"},
		Archives: []Archive{
			{
				Name: "orders", Node: "db-1", Source: Source{Dir: "/var/lib/orders", Layout: "je", Tail: "include", Before: "flip-log", CommandTimeout: DefaultCommandTimeout},
				Destination: "s3://backups/orders?region=eu-central-1",
				Schedule:    "*/15 * * * *", TimeZone: "UTC", Jitter: 30 * time.Second, Transfers: 4, Verify: verify, Retention: retention, Notify: notify, NotifyAfter: 90 * time.Second,
			},
			{
				Name: "wal-2.x_y", Source: Source{
					Dir: "/wal", Layout: "segments", Pattern: `([0-9]+)\.wal$`, Base: 16, Closed: "quiet", Quiet: 90 * time.Second,
				},
				Destination: "file:///${backup}",
				Schedule:    "@hourly", TimeZone: "Europe/Berlin", Jitter: 5 * time.Minute, Transfers: 12, Verify: verify, Retention: retention, Notify: notify, NotifyAfter: 90 * time.Second,
			},
		},
	}
	if !reflect.DeepEqual(c, want) {
		t.Errorf("got\n%+v\nnot\n%+v", c, want)
	}
}

// The limit of scheduled prunes is a quarter where nothing is written. A number is exact; a
// percentage lets ten go in any case.
func TestPruneLimit(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]retention.Limit{
		"": {Percent: 25, Least: 10}, ", prune_limit: 5%": {Percent: 5, Least: 10}, ", prune_limit: 40": {Least: 40},
		", prune_limit: '40'": {Least: 40}, ", prune_limit: off": {}, ", prune_limit: '${N}%'": {Percent: 12, Least: 10},
	} {
		got := mustParse(t, minimal("", "retention: {last: 3"+text+"}")).Archives[0].Retention.PruneLimit
		if got != want {
			t.Errorf("%q: %+v", text, got)
		}
	}
}

func TestDefaults(t *testing.T) {
	t.Parallel()
	a := mustParse(t, minimal("", "")).Archives[0]
	want := Archive{
		Name: "orders", Source: Source{Dir: "/var/lib/orders"}, Destination: "file:///backup", TimeZone: "UTC", Transfers: DefaultTransfers, NotifyAfter: time.Minute,
	}
	if !reflect.DeepEqual(a, want) {
		t.Errorf("got %+v, not %+v", a, want)
	}
	if a.Location() != time.UTC {
		t.Errorf("the time zone is %v", a.Location())
	}
	c := mustParse(t, minimal("", "time_zone: Europe/Berlin"))
	if l := c.Archives[0].Location(); l.String() != "Europe/Berlin" {
		t.Errorf("the time zone is %v", l)
	}
}

// A file as editors on other systems save it.
func TestWindowsFile(t *testing.T) {
	t.Parallel()
	mustParse(t, "\uFEFF"+strings.ReplaceAll(minimal("layout: je", ""), "\n", "\r\n"))
	p := problems(t, "\uFEFF"+strings.ReplaceAll(minimal("layuot: je", ""), "\n", "\r\n"))
	if p[0].Line != 5 || p[0].Column != 7 || p[0].Text != "      layuot: je" {
		t.Errorf("got %+v", p[0])
	}
}

// A variable cannot smuggle YAML in.
func TestVariablesAreNotYAML(t *testing.T) {
	t.Parallel()
	p := problems(t, minimal("", "node: ${EVIL}"))
	if len(p) != 1 || !strings.Contains(p[0].Message, "node has a line break") {
		t.Errorf("got %+v", p)
	}
}

func TestStarter(t *testing.T) {
	t.Parallel()
	c := mustParse(t, string(Starter()))
	if len(c.Archives) != 1 || c.Archives[0].Schedule == "" {
		t.Errorf("got %+v", c)
	}
	Starter()[0] = 'x'
	mustParse(t, string(Starter()))
}

// Every key that is commented out in the starter file is right, too.
func TestStarterComments(t *testing.T) {
	t.Parallel()
	for line := range strings.Lines(string(Starter())) {
		key, _, found := strings.Cut(strings.TrimLeft(line, " #"), ":")
		if found && strings.HasPrefix(strings.TrimSpace(line), "#") && !strings.Contains(key, " ") && key != "yaml-language-server" {
			known := slices.Concat(keys[Config](), keys[HTTP](), keys[Archive](), keys[Source](), []string{"defaults"})
			if !slices.Contains(known, key) {
				t.Errorf("unknown key: %s", line)
			}
		}
	}
	mustParse(t, minimal("layout: segments\npattern: '[0-9a-f]{16}-([0-9a-f]{16})\\.wal'\nbase: 16\nclosed: quiet\nquiet: 60s",
		"node: db-1\ntime_zone: Europe/Berlin\njitter: 30s\ntransfers: 8\nverify: {schedule: \"@daily\", sample: 2%}"))
	_, uncommented, _ := strings.Cut(string(Starter()), "# defaults:")
	mustParse(t, minimal("", "")+"defaults:"+strings.ReplaceAll(uncommented, "#  ", " "))
}

// A quiet time of 0 is not the same as none, which means the default.
func TestQuietZeroIsAValue(t *testing.T) {
	t.Parallel()
	for quiet, want := range map[string]Source{
		"quiet: 0s": {NoQuiet: true}, "quiet: 0ms": {NoQuiet: true}, "quiet: 90s": {Quiet: 90 * time.Second}, "": {},
	} {
		for _, layout := range []string{"layout: files\npattern: x\n", "layout: segments\nclosed: quiet\npattern: (x)\n"} {
			c := mustParse(t, minimal(layout+quiet, ""))
			if s := c.Archives[0].Source; s.Quiet != want.Quiet || s.NoQuiet != want.NoQuiet {
				t.Errorf("%q: %+v", layout+quiet, s)
			}
		}
	}
}

func TestLoad(t *testing.T) {
	file := filepath.Join(t.TempDir(), "strongroom.yaml")
	_, err := Load(t.Context(), file)
	if e, ok := errors.AsType[*Error](err); !ok || !errors.Is(err, fs.ErrNotExist) || strings.Count(e.Error(), file) != 1 {
		t.Errorf("a missing file: %v", err)
	}
	t.Setenv("STRONGROOM_TEST_NODE", "db-7")
	if err := os.WriteFile(file, []byte(minimal("", "node: ${STRONGROOM_TEST_NODE}")), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := Load(t.Context(), file)
	if err != nil || c.Archives[0].Node != "db-7" {
		t.Errorf("got %+v, %v", c, err)
	}
	if err := os.WriteFile(file, Starter(), 0o600); err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	if c, err = Load(t.Context(), file); err != nil || c.Archives[0].Node != host {
		t.Errorf("got %+v, %v", c, err)
	}
	if err := os.WriteFile(file, []byte(strings.Repeat("#\n", MaxSize)), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err = Load(t.Context(), file); err == nil || !strings.Contains(err.Error(), "longer than") {
		t.Errorf("a file that is too long: %v", err)
	}
	if _, err = Load(t.Context(), t.TempDir()); err == nil || !strings.Contains(err.Error(), "is a directory") {
		t.Errorf("a directory: %v", err)
	}
}
