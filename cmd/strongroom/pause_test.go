package main

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// An operator pauses an archive, and a restart of the service keeps that. Everything that reports health reports it.
func TestPauseAndResume(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := filepath.Join(dir, "db")
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	logDir(t, source, 0, 3, 100)
	s := serve(t, "archives:\n"+inDir("orders", source, filepath.Join(dir, "archive"), "    node: db-1\n"+yearly))
	s.listening()
	s.made("orders", 1)

	o := succeed(t, "--config", s.config, "pause", "orders", "--reason", "the disk is replaced")
	if !strings.HasPrefix(o.stdout, "orders: paused since ") || !strings.HasSuffix(o.stdout, ": the disk is replaced\n") {
		t.Errorf("pause: %s", o.stdout)
	}
	o = succeed(t, "--config", s.config, "pause", "orders", "--reason", "the bucket moves")
	if !strings.HasPrefix(o.stdout, "orders: it was paused already, since ") ||
		!strings.Contains(o.stdout, ": the disk is replaced; the new reason is not recorded: ") {
		t.Errorf("a second pause: %s", o.stdout)
	}
	o = succeed(t, "--config", s.config, "pause", "orders")
	if !strings.HasPrefix(o.stdout, "orders: it was paused already, since ") || strings.Contains(o.stdout, "not recorded") {
		t.Errorf("a second pause without a reason: %s", o.stdout)
	}
	s.stop()
	s = s.again()
	o = finish(t, program(t, "--config", s.config, "status"))
	if o.code != exitFailed || !strings.Contains(o.stdout, "orders: paused since ") || !strings.Contains(o.stdout, "strongroom resume orders\n") {
		t.Errorf("status: %+v", o)
	}
	if code, body := s.get("/readyz"); code != http.StatusServiceUnavailable || !strings.Contains(body, "by strongroom pause, ") {
		t.Errorf("/readyz: %d %s", code, body)
	}
	if code := s.trigger("orders", theToken); code != http.StatusConflict {
		t.Errorf("a run of a paused archive: %d", code)
	}
	if n := s.metric("paused", `archive="orders"`); n != 1 {
		t.Errorf("the metric is %v", n)
	}

	var v pauseResult
	o = succeed(t, "--config", s.config, "resume", "--json", "orders")
	if err := json.Unmarshal([]byte(o.stdout), &v); err != nil || v.Name != "orders" || v.Paused != nil || !v.Changed {
		t.Errorf("resume: %v, %s", err, o.stdout)
	}
	if o = succeed(t, "--config", s.config, "resume", "orders"); o.stdout != "orders: it was not paused; nothing has changed\n" {
		t.Errorf("a second resume: %s", o.stdout)
	}
	for _, task := range []string{"backup", "verify"} {
		if code, body := s.send("POST", "/api/v1/archives/orders/"+task, theToken, "", ""); code != http.StatusAccepted {
			t.Errorf("%s after it: %d %s", task, code, body)
		}
	}
	s.until("a verification on demand", func() bool { return len(s.logged("the archive was verified", "orders")) > 0 })
	succeed(t, "--config", s.config, "status")

	// Without a token, the file of the pause is what ends it, as the documents state.
	succeed(t, "--config", s.config, "pause", "orders")
	s.stop()
	if err := os.Remove(filepath.Join(filepath.Dir(s.config), "service", "orders+paused.json")); err != nil {
		t.Fatal(err)
	}
	s = s.again()
	if code := s.trigger("orders", theToken); code != http.StatusAccepted {
		t.Errorf("a run after the file of the pause was deleted: %d", code)
	}
}

// Pause and resume are requests to a service, so what a mistake leads to is stated.
func TestPauseNeedsTheService(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "strongroom.yaml")
	text := "archives:\n" + inDir("orders", t.TempDir(), t.TempDir(), yearly)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, want string }{
		{"orders", "needs http.listen and http.token_file"},
		{"s3://bucket/x", "and no URL"},
		{"nothing", "nothing"},
	} {
		for _, verb := range []string{"pause", "resume"} {
			o := finish(t, program(t, "--config", file, verb, c.name))
			if o.code == 0 || !strings.Contains(o.stderr, c.want) {
				t.Errorf("%s %s: %+v", verb, c.name, o)
			}
			if states := strings.Contains(o.stderr, "delete service/ARCHIVE+paused.json"); states != (verb == "resume" && c.name == "orders") {
				t.Errorf("%s %s: %s", verb, c.name, o.stderr)
			}
		}
	}
}
