package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
)

const yearly = "    schedule: \"@yearly\"\n"

func TestReload(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	s := serve(t, "archives:\n"+inDir("a", dir, to+"/a", yearly)+inDir("b", dir, to+"/b", yearly))
	s.wait("a snapshot was made", "a")
	s.wait("a snapshot was made", "b")
	before, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}

	s.write(string(before) + "    shedule: x\n")
	s.signal(syscall.SIGHUP)
	if line := s.wait("the previous one stays in force", ""); line["level"] != "ERROR" || !strings.Contains(line["error"].(string), "nearest valid key is schedule") {
		t.Errorf("a wrong file: %v", line)
	}

	s.write(strings.Replace(strings.Replace(string(before), to+"/b", to+"/c", 1), "name: b", "name: c", 1))
	s.signal(syscall.SIGHUP)
	s.wait("the configuration was reloaded", "")
	s.wait("a snapshot was made", "c")
	if code, _ := s.get("/api/v1/archives/b"); code != http.StatusNotFound {
		t.Errorf("b is still there: %d", code)
	}
	if n := len(s.logged("need a restart", "")); n != 0 {
		t.Error("a restart is requested although nothing needs one")
	}
	now, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.write("scratch_dir: " + t.TempDir() + "\n" + string(now))
	s.signal(syscall.SIGHUP)
	s.wait("need a restart", "")
	s.until("the end of the reload", func() bool { return len(s.logged("the configuration was reloaded", "")) == 2 })
	if n := len(s.logged("", "a")); n != 1 {
		t.Errorf("a, which did not change, has %d lines", n)
	}
	if a := s.archive("a"); a.State != "ok" || a.RecoverableThrough == nil {
		t.Errorf("a is %+v", a)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

func TestRunsOnDemand(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	s := serve(t, "archives:\n"+inDir("a", dir, to+"/a", ""))
	s.until("an empty archive without a run", func() bool { // the first examination of the directory is a run, too
		a := s.archive("a")
		return a.State == "empty" && a.NextRun == nil
	})
	if code := s.trigger("a", "wrong"); code != http.StatusUnauthorized {
		t.Errorf("a wrong token: %d", code)
	}
	if code := s.trigger("a", theToken); code != http.StatusAccepted {
		t.Errorf("the right token: %d", code)
	}
	s.wait("a snapshot was made", "a")
	logDir(t, dir, 2, 3, 100)
	s.signal(syscall.SIGUSR1)
	s.until("the second snapshot", func() bool { return len(s.logged("a snapshot was made", "a")) == 2 })
	if code, body := s.get("/api/v1/archives/a/snapshots/2"); code != http.StatusOK || !strings.Contains(body, "00000002.jdb") {
		t.Errorf("%d: %s", code, body)
	}
	code, body := s.get("/archives/a")
	if code != http.StatusOK {
		t.Fatalf("%d: %s", code, body)
	}
	// The shorter command works in each directory of this host; the one to copy also on a host without the configuration.
	runShown(t, body, "this suffices: <code>", dir)
	if err := os.Remove(s.config); err != nil {
		t.Fatal(err)
	}
	runShown(t, body, `<pre id="restore-command"><code>`, dir)
	_, body = s.get("/archives/a/snapshots/2")
	runShown(t, body, `<pre id="restore-command"><code>`, dir)
}

// runShown runs the command that a page shows after a text, in a shell and an empty directory, and compares what it
// restored with dir.
func runShown(t *testing.T, page, after, dir string) {
	t.Helper()
	_, rest, _ := strings.Cut(page, after)
	command, _, _ := strings.Cut(rest, "</code>")
	command = html.UnescapeString(command)
	if !strings.HasPrefix(command, "strongroom ") {
		t.Fatalf("after %q: %q", after, command)
	}
	bin, err := build()
	if err != nil {
		t.Fatal(err)
	}
	empty := t.TempDir()
	c := exec.Command("sh", "-c", command)
	c.Dir = empty
	c.Env = append(os.Environ(), "PATH="+filepath.Dir(bin), "HOME="+empty, "XDG_CONFIG_HOME="+empty, "STRONGROOM_STATE_DIR="+t.TempDir(), "STRONGROOM_CONFIG=")
	endWithTest(c)
	if o := finish(t, c); o.code != exitDone {
		t.Fatalf("%s: exit code %d: %s", command, o.code, o.stderr)
	}
	sameDir(t, filepath.Join(empty, "restored"), dir)
}

// Also where the service was started with no more than a file beside it.
func TestCommandOnThePageNamesTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("STRONGROOM_CONFIG", "")
	if err := os.WriteFile("strongroom.yaml", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, given := range []string{"", "strongroom.yaml", "./strongroom.yaml"} {
		command, err := (&app{configFile: given}).commandHere()
		if want := "strongroom --config " + shellWord(filepath.Join(dir, "strongroom.yaml")); err != nil || command != want {
			t.Errorf("started with %q: %q, %v, not %q", given, command, err, want)
		}
	}
}

// The commands around a snapshot: their environment, the effect of their failures, and that backup
// runs them, too.
func TestCommands(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	seen := filepath.Join(to, "seen")
	configuration := filepath.Join(to, "strongroom.yaml")
	write := func(before, after string) {
		text := "archives:\n  - name: a\n    source:\n      dir: " + dir + "\n      before: '" + before + "'\n      after: '" + after + "'\n    destination: file://" + to + "/a\n"
		if err := os.WriteFile(configuration, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	content := func() string {
		b, err := os.ReadFile(seen)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	write("echo before $STRONGROOM_ARCHIVE $STRONGROOM_SOURCE > "+seen, "echo after $STRONGROOM_RESULT $STRONGROOM_SNAPSHOT >> "+seen+"; exit 1")
	o := succeed(t, "--config", configuration, "backup", "a")
	if got := content(); got != "before a "+dir+"\nafter made 1\n" {
		t.Errorf("the commands wrote %q", got)
	}
	if !strings.Contains(o.stderr, "the command after the snapshot failed") || !strings.Contains(o.stderr, "exit status 1") {
		t.Errorf("no message reports that the second failed: %s", o.stderr)
	}
	succeed(t, "--config", configuration, "backup", "a")
	if got := content(); !strings.HasSuffix(got, "after unchanged\n") {
		t.Errorf("the commands wrote %q", got)
	}
	succeed(t, "--config", configuration, "backup", "a", "--dry-run")
	if got := content(); strings.Count(got, "before") != 1 {
		t.Errorf("a dry run ran them: %q", got)
	}
	logDir(t, dir, 2, 3, 100)
	write("echo no room; exit 3", "echo after >> "+seen)
	failed := finish(t, program(t, "--config", configuration, "backup", "a"))
	if failed.code != exitFailed || !strings.Contains(failed.stderr, "no snapshot was made") || !strings.Contains(failed.stderr, "it printed: no room") {
		t.Errorf("%+v", failed)
	}
	if got := content(); strings.Contains(got, "after\n") {
		t.Errorf("the second ran although the first failed: %q", got)
	}
	if list := succeed(t, "--config", configuration, "list", "a"); strings.Contains(list.stdout, "\n2 ") {
		t.Errorf("a snapshot was made: %s", list.stdout)
	}
}

// A stop that comes while a command runs gives it a little time to end,
// and no more.
func TestStopWhileACommandRuns(t *testing.T) {
	t.Parallel()
	whole(t)
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	for at, commands := range map[string][2]string{
		"after":  {"", "echo > $SEEN; sleep 100"},
		"before": {"echo > $SEEN; sleep 100", ""},
	} {
		seen := filepath.Join(to, at)
		text := "  - name: a\n    source:\n      dir: " + dir + "\n"
		for i, name := range []string{"before", "after"} {
			if line := strings.ReplaceAll(commands[i], "$SEEN", seen); line != "" {
				text += "      " + name + ": '" + line + "'\n"
			}
		}
		s := serve(t, "archives:\n"+text+"    destination: file://"+to+"/to-"+at+"\n"+yearly)
		s.until("the command "+at, func() bool { _, err := os.Stat(seen); return err == nil })
		if code := s.stop(); code != 0 {
			t.Errorf("%s: it ended with %d:\n%s", at, code, s.log())
		}
		if at == "after" && len(s.logged("the command after the snapshot failed", "a")) != 1 {
			t.Errorf("no message reports that the command was ended:\n%s", s.log())
		}
	}
}

func TestWrongServices(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	logDir(t, dir, 0, 2, 100)
	file := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.WriteFile(path, []byte(text+"\n"), mode), os.Chmod(path, mode)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	short, private, public := file("short", "x", 0o600), file("private", theToken, 0o640), file("public", theToken, 0o644)
	for http, want := range map[string]string{
		"{listen: 0.0.0.0:0}":                                        "refusing to listen on 0.0.0.0:0 without a token",
		"{listen: 127.0.0.1:0, token_file: /no/such}":                "http.token_file: open /no/such: no such file or directory; put a long random text there",
		"{listen: 127.0.0.1:0, token_file: " + short + "}":           "has 1 characters; a token needs 16",
		"{listen: 203.0.113.1:1, token_file: " + short + "}":         "a token needs 16",
		"{listen: 203.0.113.1:1, token_file: " + private + "}":       "listening on 203.0.113.1:1",
		"{listen: 127.0.0.1:0, token_file: " + public + "}":          "every user may read or write " + public + " (mode 0644)",
		"{listen: 127.0.0.1:0, cert_file: /no/c, key_file: /no/k}":   "reading the certificate: stat /no/c",
		"{listen: 127.0.0.1:0, hosts: [x], token_file: " + dir + "}": "http.token_file",
	} {
		file := filepath.Join(t.TempDir(), "strongroom.yaml")
		if err := os.WriteFile(file, []byte("http: "+http+"\narchives:\n"+inDir("a", dir, t.TempDir(), yearly)), 0o600); err != nil {
			t.Fatal(err)
		}
		if o := finish(t, program(t, "--config", file, "run")); o.code == 0 || !strings.Contains(o.stderr, want) {
			t.Errorf("http: %s: exit %d, %s", http, o.code, o.stderr)
		}
	}
}

func TestStatusCommand(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	file := filepath.Join(to, "strongroom.yaml")
	if err := os.WriteFile(file, []byte("archives:\n"+inDir("a", dir, to+"/a", yearly)), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(args []string, code int, want ...string) {
		t.Helper()
		o := finish(t, program(t, append([]string{"--config", file, "status"}, args...)...))
		for _, w := range want {
			if o.code != code || !strings.Contains(o.stdout+o.stderr, w) {
				t.Errorf("exit %d, without %q: %s%s", o.code, w, o.stdout, o.stderr)
			}
		}
	}
	check(nil, 0, "no service responds", "a        empty  no snapshot", "2 files")
	check([]string{"--json"}, 0, `"service": false`, `"state": "empty"`, `"files": 2`)
	succeed(t, "--config", file, "backup", "a")
	check(nil, 0, "a        ok     ", "0 files, 0 B")
	os.RemoveAll(dir)
	check(nil, exitFailed, "it is not there")
	os.RemoveAll(to + "/a")
	check(nil, exitFailed, "empty")
}

// A real service sends a heartbeat after each good run, and one message for each change of state,
// also over a restart.
func TestNotifications(t *testing.T) {
	t.Parallel()
	var mu sync.Mutex
	var beats int
	var states []string
	hook := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		if r.URL.Path == "/ping" {
			beats++
			return
		}
		var p struct{ Archive, State, Was, Detail string }
		if err := json.NewDecoder(r.Body).Decode(&p); err != nil {
			t.Error(err)
		}
		states = append(states, p.Was+" to "+p.State+": "+p.Detail)
	}))
	t.Cleanup(hook.Close)
	notified := func() []string { mu.Lock(); defer mu.Unlock(); return slices.Clone(states) }
	dir, to := t.TempDir(), t.TempDir()
	source := filepath.Join(dir, "db")
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	logDir(t, source, 0, 2, 100)
	archives := "archives:\n" + inDir("a", source, to+"/a", "    schedule: \"@every 1s\"\n    notify: [\""+hook.URL+"/ping\", \"webhook+"+hook.URL+"/state?secret=hunter2\"]\n    notify_after: 0s\n")
	s := serve(t, archives)
	s.until("heartbeats", func() bool { mu.Lock(); defer mu.Unlock(); return beats >= 2 })
	if now := notified(); len(now) > 0 {
		t.Errorf("all is well, and %v was sent", now)
	}
	if err := os.Rename(source, source+".away"); err != nil {
		t.Fatal(err)
	}
	s.until("word of a failure", func() bool { return len(notified()) == 1 })
	s.until("three more failures", func() bool { return s.archive("a").FailuresInRow >= 4 })
	if now := notified(); len(now) != 1 || !strings.HasPrefix(now[0], "ok to failing: ") || !strings.Contains(now[0], "is it mounted?") {
		t.Errorf("%v was sent", now)
	}
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}

	again := s.again()
	again.until("a failure after the restart", func() bool { return again.archive("a").FailuresInRow >= 2 })
	if now := notified(); len(now) != 1 {
		t.Errorf("after a restart %v was sent", now)
	}
	if err := os.Rename(source+".away", source); err != nil {
		t.Fatal(err)
	}
	again.until("word of the recovery", func() bool { return len(notified()) == 2 })
	if now := notified(); !strings.HasPrefix(now[1], "failing to ok: ") {
		t.Errorf("%v was sent", now)
	}
	if strings.Contains(s.log()+again.log(), "hunter2") {
		t.Error("the log shows a notification target")
	}
}

// Between two runs the service holds nothing of a disk, so that it can be unmounted. While it
// is away, runs fail and make nothing in its place; when it is back, the next one goes on.
func TestServiceWhoseDiskGoes(t *testing.T) {
	t.Parallel()
	dir, top := t.TempDir(), t.TempDir()
	mnt, away := filepath.Join(top, "mnt"), filepath.Join(top, "away")
	logDir(t, dir, 0, 2, 100)
	s := serve(t, "archives:\n"+inDir("a", dir, mnt, ""))
	s.trigger("a", theToken)
	s.wait("a snapshot was made", "a")
	s.until("nothing is held", func() bool {
		fds, err := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", s.cmd.Process.Pid))
		return err == nil && !slices.ContainsFunc(fds, func(fd string) bool {
			to, _ := os.Readlink(fd)
			return strings.HasPrefix(to, mnt)
		})
	})
	if err := errors.Join(os.Rename(mnt, away), os.Mkdir(mnt, 0o700)); err != nil {
		t.Fatal(err)
	}
	logDir(t, dir, 2, 3, 100)
	s.trigger("a", theToken)
	s.until("a failure", func() bool {
		f := s.archive("a").LastFailure
		return f != nil && strings.Contains(f.Error, "the archive has gone")
	})
	if made, err := os.ReadDir(mnt); err != nil || len(made) > 0 {
		t.Errorf("%v was made in its place, %v", made, err)
	}
	if err := errors.Join(os.Remove(mnt), os.Rename(away, mnt)); err != nil {
		t.Fatal(err)
	}
	s.signal(syscall.SIGUSR1)
	s.until("the second snapshot", func() bool { return len(s.logged("a snapshot was made", "a")) == 2 })
	succeed(t, "verify", "file://"+mnt)
}
