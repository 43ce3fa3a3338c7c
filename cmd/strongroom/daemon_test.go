package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience ends the wait for an event that does not come: far beyond the time of any.
const patience = 5 * time.Minute

// A served is a running service, with all that it logged.
type served struct {
	t      testing.TB
	cmd    *exec.Cmd
	config string
	env    []string
	base   string // of its URLs; empty without http

	mu    sync.Mutex
	lines []map[string]any
	ended chan struct{} // closed when its log has ended
}

// theToken is the token that the tests' services require.
const theToken = "a-token-of-the-tests"

// serve starts the service with a configuration and with variables of the environment. archives is
// the part of the configuration after http. With -short the test ends here.
func serve(t *testing.T, archives string, env ...string) *served {
	t.Helper()
	whole(t)
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(theToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := &served{t: t, config: filepath.Join(dir, "strongroom.yaml"), env: env, ended: make(chan struct{})}
	s.write("state_dir: " + dir + "\nhttp: {listen: 127.0.0.1:0, token_file: " + token + "}\n" + archives)
	s.start()
	return s
}

// again is another service with the same configuration and state.
func (s *served) again() *served {
	next := &served{t: s.t, config: s.config, env: s.env, ended: make(chan struct{})}
	next.start()
	return next
}

// start starts the service, and waits until its address is known.
func (s *served) start() {
	s.t.Helper()
	s.launch()
	s.base = strings.TrimSuffix(s.wait("serving the status page", "")["address"].(string), "/")
}

// launch starts the service's process.
func (s *served) launch() {
	t := s.t
	t.Helper()
	s.cmd = program(t, "--config", s.config, "--log-format", "json", "run")
	s.cmd.Env = append(s.cmd.Env, s.env...)
	log, err := s.cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		s.cmd.Process.Kill()
		<-s.ended
		s.cmd.Wait()
	})
	go s.read(log)
}

// write replaces the configuration.
func (s *served) write(text string) {
	s.t.Helper()
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		s.t.Fatal(err)
	}
}

func (s *served) read(log io.Reader) {
	defer close(s.ended)
	in := bufio.NewScanner(log)
	in.Buffer(nil, 1<<20)
	for in.Scan() {
		var line map[string]any
		if err := json.Unmarshal(in.Bytes(), &line); err != nil {
			line = map[string]any{"msg": in.Text()}
		}
		s.mu.Lock()
		s.lines = append(s.lines, line)
		s.mu.Unlock()
	}
}

// logged are the lines about an archive (empty: any) whose message holds a text.
func (s *served) logged(text, archive string) (all []map[string]any) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, line := range s.lines {
		if m, _ := line["msg"].(string); strings.Contains(m, text) && (archive == "" || line["archive"] == archive) {
			all = append(all, line)
		}
	}
	return all
}

// wait waits for the first such line.
func (s *served) wait(text, archive string) map[string]any {
	s.t.Helper()
	var found []map[string]any
	s.until("a line with "+text, func() bool {
		found = s.logged(text, archive)
		return len(found) > 0
	})
	return found[0]
}

// until polls for something, and fails the test when it does not come, or when the service
// has ended.
func (s *served) until(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(patience); ; {
		if ok() {
			return
		}
		select {
		case <-s.ended:
			if !ok() {
				s.t.Fatalf("the service ended before %s:\n%s", what, s.log())
			}
			return
		case <-time.After(20 * time.Millisecond):
		}
		if time.Now().After(end) {
			s.t.Fatalf("no sign of %s within %v:\n%s", what, patience, s.log())
		}
	}
}

// log is the whole log, as text for people.
func (s *served) log() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var b strings.Builder
	for _, line := range s.lines {
		fmt.Fprintln(&b, line)
	}
	return b.String()
}

func (s *served) signal(sig syscall.Signal) {
	s.t.Helper()
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

// stop ends the service as systemd does, and returns its exit code.
func (s *served) stop() int {
	s.t.Helper()
	s.signal(syscall.SIGTERM)
	select {
	case <-s.ended:
	case <-time.After(patience):
		s.t.Fatalf("the service does not end:\n%s", s.log())
	}
	s.cmd.Wait()
	return s.cmd.ProcessState.ExitCode()
}

// get requests a path from the service.
func (s *served) get(path string) (code int, body string) {
	s.t.Helper()
	answer, err := http.Get(s.base + path)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close()
	b, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, string(b)
}

// archive is the API's status of an archive.
func (s *served) archive(name string) archiveStatus {
	s.t.Helper()
	code, body := s.get("/api/v1/archives/" + name)
	var a archiveStatus
	if err := json.Unmarshal([]byte(body), &a); err != nil || code != http.StatusOK {
		s.t.Fatalf("%d, %v: %s", code, err, body)
	}
	return a
}

// trigger requests a run.
func (s *served) trigger(name, token string) int {
	s.t.Helper()
	r, err := http.NewRequest(http.MethodPost, s.base+"/api/v1/archives/"+name+"/backup", nil)
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	answer.Body.Close()
	return answer.StatusCode
}

// inDir is an archive of the configuration whose log files and objects lie in directories.
func inDir(name, source, destination, more string) string {
	return "  - name: " + name + "\n    source: {dir: " + source + "}\n    destination: file://" + destination + "\n" + more
}
