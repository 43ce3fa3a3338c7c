package main

import (
	"bytes"
	"path/filepath"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/config"
)

func TestLimits(t *testing.T) {
	t.Parallel()
	one := func(name, more string) string {
		return "  - {name: " + name + ", source: {dir: /x}, destination: 'file:///" + name + "'" + more + "}\n"
	}
	const rate = ", bandwidth: 20MiB/s"
	file := []byte("defaults: {bandwidth: 20MiB/s}\narchives:\n" + one("a", "") + one("b", "") + one("c", rate) + one("d", rate))
	var read [2]*config.Config // as before and after a reload
	for i := range read {
		var err error
		if read[i], err = config.Parse("strongroom.yaml", file, func(string) (string, bool) { return "", false }); err != nil {
			t.Fatal(err)
		}
	}
	of := func(reading, archive int) *config.Bandwidth { return read[reading].Archives[archive].Bandwidth }
	a := of(0, 0)
	configured, err := newTransferLimits("")
	if err != nil {
		t.Fatal(err)
	}
	if configured.of(nil) != nil {
		t.Error("what is not configured has a limit")
	}
	if shared := configured.of(a); shared == nil || shared != configured.of(of(0, 1)) || shared != configured.of(of(1, 0)) {
		t.Error("archives do not share the limit of the defaults")
	}
	if own := configured.of(of(0, 2)); own == configured.of(a) || own == configured.of(of(0, 3)) || own != configured.of(of(1, 2)) {
		t.Error("an archive shares its own limit")
	}
	all, err := newTransferLimits("1MiB/s")
	if err != nil {
		t.Fatal(err)
	}
	if all.of(nil) == nil || all.of(a) != all.of(nil) {
		t.Error("the command line's limit is not for all")
	}
	none, err := newTransferLimits("unlimited")
	if err != nil {
		t.Fatal(err)
	}
	if none.of(a) != nil {
		t.Error("unlimited leaves the configured limit")
	}
	if _, err := newTransferLimits("fast"); err == nil {
		t.Error("fast is a rate")
	}
}

// The limit holds for both the upload and the download of a command.
func TestBandwidthOfCommands(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	logDir(t, dir, 0, 1, 384<<10)
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
