package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/config"
)

func TestLimits(t *testing.T) {
	a, err := config.ParseBandwidth("20MiB/s")
	if err != nil {
		t.Fatal(err)
	}
	b := *a
	configured, err := newLimits("")
	if err != nil {
		t.Fatal(err)
	}
	if configured.of(nil) != nil {
		t.Error("what is not configured has a limit")
	}
	if first := configured.of(a); first == nil || first != configured.of(a) || first == configured.of(&b) {
		t.Error("archives share a limit if and only if it is the same one")
	}
	one, err := newLimits("1MiB/s")
	if err != nil {
		t.Fatal(err)
	}
	if one.of(nil) == nil || one.of(a) != one.of(nil) {
		t.Error("the command line's limit is not for all")
	}
	none, err := newLimits("unlimited")
	if err != nil {
		t.Fatal(err)
	}
	if none.of(a) != nil {
		t.Error("unlimited leaves the configured limit")
	}
	if _, err := newLimits("fast"); err == nil {
		t.Error("fast is a rate")
	}
}

// The limit holds for what a command sends and for what it fetches.
func TestBandwidthOfCommands(t *testing.T) {
	dir := t.TempDir()
	logDir(t, dir, 0, 1, 384<<10)
	t.Setenv("STRONGROOM_STATE_DIR", t.TempDir())
	url := "file://" + t.TempDir() + "/archive"
	for _, args := range [][]string{
		{"backup", "--source", dir, "--bandwidth", "256KiB/s", url},
		{"restore", url, "--to", filepath.Join(t.TempDir(), "back"), "--bandwidth", "256KiB/s"},
	} {
		var out bytes.Buffer
		start := time.Now()
		if code := run(args, &out, &out); code != exitDone {
			t.Fatalf("%v: exit %d: %s", args, code, out.String())
		}
		// 384 KiB less the 64 that go through at once.
		if took := time.Since(start); took < time.Second {
			t.Errorf("%s took %v", args[0], took)
		}
	}
}
