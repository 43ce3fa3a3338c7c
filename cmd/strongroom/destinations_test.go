package main

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// twoDestinations is a configuration of one database with two destinations, whose commands write
// down their environment.
func twoDestinations(dir, to, more string) string {
	return "archives:\n  - name: orders\n    source:\n      dir: " + dir +
		"\n      before: 'echo before $STRONGROOM_ARCHIVE >> " + to + "/seen'\n      after: 'echo $STRONGROOM_RESULT $STRONGROOM_SNAPSHOT >> " + to + "/seen'" +
		"\n    destinations: [\"file://" + to + "/one\", \"file://" + to + "/two\"]\n" + more
}

// captures are when the snapshots of an archive were captured.
func captures(t *testing.T, configuration, name string) []string {
	t.Helper()
	var all []struct{ Created string }
	if err := json.Unmarshal([]byte(succeed(t, "--config", configuration, "list", "--json", name).stdout), &all); err != nil {
		t.Fatal(err)
	}
	var created []string
	for _, s := range all {
		created = append(created, s.Created)
	}
	return created
}

func seen(t *testing.T, to string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(to, "seen"))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Several destinations are kept in step from one capture, and one run of the commands.
func TestDestinationsShareACapture(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	configuration := filepath.Join(to, "strongroom.yaml")
	if err := os.WriteFile(configuration, []byte(twoDestinations(dir, to, "")), 0o600); err != nil {
		t.Fatal(err)
	}
	succeed(t, "--config", configuration, "backup", "--all")
	succeed(t, "--config", configuration, "backup", "orders", "--force")
	logDir(t, dir, 2, 3, 100)
	succeed(t, "--config", configuration, "backup", "orders.2", "orders")
	one, two := captures(t, configuration, "orders"), captures(t, configuration, "orders.2")
	if len(one) != 3 || len(two) != 2 || one[0] != two[0] || one[2] != two[1] {
		t.Errorf("the captures are of %q and %q", one, two)
	}
	if got := seen(t, to); got != "before orders\nmade 1 1\nbefore orders\nmade 2\nbefore orders\nmade 3 2\n" {
		t.Errorf("the commands saw %q", got)
	}
	// One that is named twice is not its own rival.
	logDir(t, dir, 3, 4, 100)
	succeed(t, "--config", configuration, "backup", "orders", "orders")
	if got := seen(t, to); !strings.HasSuffix(got, "made 3 2\nbefore orders\nmade 4\nbefore orders\nunchanged\n") {
		t.Errorf("the commands saw %q", got)
	}
	// A failing destination is reported, and does not hold up the other.
	if err := errors.Join(os.Rename(filepath.Join(to, "two"), filepath.Join(to, "away")), os.WriteFile(filepath.Join(to, "two"), nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	logDir(t, dir, 4, 5, 100)
	if o := finish(t, program(t, "--config", configuration, "backup", "--all")); o.code == 0 {
		t.Errorf("%+v", o)
	}
	got, together := seen(t, to), "before orders\nfailed 5\n"
	apart := "before orders\nfailed\nbefore orders\nmade 5\n" // on a slow machine one does not wait for the other
	if !strings.HasSuffix(got, together) && !strings.HasSuffix(got, apart) {
		t.Errorf("the commands saw %q", got)
	}
	if one := captures(t, configuration, "orders"); len(one) != 5 {
		t.Errorf("the other has %q", one)
	}
}

// The service has them run together.
func TestServiceKeepsDestinationsInStep(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	s := serve(t, twoDestinations(dir, to, yearly))
	both := func(n int) func() bool {
		return func() bool {
			return len(s.logged("a snapshot was made", "orders")) == n && len(s.logged("a snapshot was made", "orders.2")) == n
		}
	}
	s.until("the first snapshots", both(1))
	logDir(t, dir, 2, 3, 100)
	s.signal(syscall.SIGUSR1)
	s.until("the second snapshots", both(2))
	s.stop()
	one, two := captures(t, s.config, "orders"), captures(t, s.config, "orders.2")
	if len(one) != 2 || len(two) != 2 || one[0] != two[0] || one[1] != two[1] {
		t.Errorf("the captures are of %q and %q", one, two)
	}
	if got := seen(t, to); got != "before orders\nmade 1 1\nbefore orders\nmade 2 2\n" {
		t.Errorf("the commands saw %q", got)
	}
}
