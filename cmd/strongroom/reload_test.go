package main

import (
	"net/http"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/strongroom-dev/strongroom/config"
)

// What a start refuses, a reload refuses too: otherwise the next restart ends the service.
func TestReloadRefusesWhatAStartRefuses(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	s := serve(t, "archives:\n"+inDir("a", dir, to+"/a", yearly))
	s.wait("a snapshot was made", "a")
	before, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	text := string(before)
	refused := 0
	for what, wrong := range map[string]string{
		"a missing token":      strings.Replace(text, "token_file: ", "token_file: /missing", 1),
		"a public address":     "state_dir: " + dir + "\nhttp: {listen: '0.0.0.0:0'}\n" + text[strings.Index(text, "archives:"):],
		"an impossible URL":    text + "  - {name: b, source: {dir: " + dir + "}, destination: 's3://b?bogus=1'}\n",
		"nothing to do":        strings.Replace(text[:strings.Index(text, "http:")]+text[strings.Index(text, "archives:"):], yearly, "", 1),
		"an impossible target": text + "    notify: ['slak://x@y']\n",
	} {
		s.write(wrong)
		s.signal(syscall.SIGHUP)
		refused++
		s.until("the refusal of "+what, func() bool { return len(s.logged("the previous one stays in force", "")) == refused })
	}
	if code, body := s.get("/metrics"); code != http.StatusOK || !strings.Contains(body, "strongroom_config_last_reload_successful 0") {
		t.Errorf("%d: the metrics do not show that a reload was refused", code)
	}
	s.write(text)
	s.signal(syscall.SIGHUP)
	s.wait("the configuration was reloaded", "")
	if _, body := s.get("/metrics"); !strings.Contains(body, "strongroom_config_last_reload_successful 1") {
		t.Error("the metrics do not show that a reload succeeded")
	}
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

// Without an HTTP server, a service needs a schedule, also after a reload.
func TestReloadWithoutSchedules(t *testing.T) {
	t.Parallel()
	load := func(schedule string) *config.Config {
		c, err := config.Parse("x", []byte("archives:\n"+inDir("a", "/db", "/backup", schedule)), os.LookupEnv)
		if err != nil {
			t.Fatal(err)
		}
		return c
	}
	c := load("")
	if err := hasWork(c, nil); err == nil {
		t.Error("a configuration without a schedule is accepted")
	}
	if err := hasWork(c, &config.HTTP{}); err != nil {
		t.Errorf("with HTTP: %v", err)
	}
	if err := hasWork(load(yearly), nil); err != nil {
		t.Errorf("with a schedule: %v", err)
	}
}
