package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// rollBack removes a database's files from a number on.
func rollBack(t *testing.T, dir string, from, to int) {
	t.Helper()
	for n := from; n < to; n++ {
		if err := os.Remove(filepath.Join(dir, fmt.Sprintf("%08x.jdb", n))); err != nil {
			t.Fatal(err)
		}
	}
}

// accepted is the list of accepted findings in a snapshot's manifest.
func accepted(t *testing.T, config, snapshot string) string {
	t.Helper()
	var m struct {
		Accepted []string `json:"accepted"`
	}
	if err := json.Unmarshal([]byte(succeed(t, "--config", config, "show", "--json", snapshot).stdout), &m); err != nil {
		t.Fatal(err)
	}
	return strings.Join(m.Accepted, " ")
}

// listening puts the service's address into the configuration, where the commands read it.
func (s *served) listening() {
	s.t.Helper()
	b, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.write(strings.Replace(string(b), "127.0.0.1:0", strings.TrimPrefix(s.base, "http://"), 1))
}

// needs waits until an archive waits for another confirmation than before, and returns that.
func (s *served) needs(name, before string) string {
	s.t.Helper()
	var c string
	s.until(name+" to need a confirmation", func() bool {
		all := s.archive(name).NeedsConfirmation
		if len(all) != 1 {
			return false
		}
		c = all[0].Confirmation
		return c != before
	})
	return c
}

// made waits until an archive has a snapshot and waits for nothing.
func (s *served) made(name string, snapshot int) {
	s.t.Helper()
	s.until(fmt.Sprintf("snapshot %d of %s", snapshot, name), func() bool {
		code, _ := s.get(fmt.Sprintf("/api/v1/archives/%s/snapshots/%d", name, snapshot))
		a := s.archive(name)
		return code == http.StatusOK && a.State == "ok" && len(a.NeedsConfirmation) == 0
	})
}

// begin begins a run, as soon as none goes on.
func (s *served) begin(name string) {
	s.t.Helper()
	s.until("a run of "+name, func() bool { return s.trigger(name, theToken) == http.StatusAccepted })
}

// send sends a request and returns the status and the body of the answer.
func (s *served) send(method, path, token, kind, body string) (code int, text string) {
	s.t.Helper()
	r, err := http.NewRequest(method, s.base+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Content-Type", kind)
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	stay := func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	answer, err := (&http.Client{CheckRedirect: stay}).Do(r)
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

func (s *served) confirm(name, token, confirmation string) (code int, text string) {
	s.t.Helper()
	body := fmt.Sprintf(`{"confirmation": %q}`, confirmation)
	return s.send("POST", "/api/v1/archives/"+name+"/confirm", token, "application/json", body)
}

// rolledBack is a service whose source ends before its archive does, again and again.
func rolledBack(t *testing.T) (s *served, source, to string) {
	t.Helper()
	dir := t.TempDir()
	source, to = filepath.Join(dir, "db"), filepath.Join(dir, "archive")
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	logDir(t, source, 0, 12, 100)
	s = serve(t, "archives:\n"+inDir("orders", source, to, "    node: db-1\n"+yearly))
	s.listening()
	s.made("orders", 1)
	rollBack(t, source, 8, 12)
	s.begin("orders")
	return s, source, to
}

// An operator accepts a rollback of a running service by API, by command and on the page. Each
// confirmation lifts one refusal, once, and the snapshot records it.
func TestConfirmThreeWays(t *testing.T) {
	t.Parallel()
	s, source, _ := rolledBack(t)
	first := s.needs("orders", "")
	shownEverywhere(t, s, first)
	refusedConfirmations(t, s, first)
	code, body := s.confirm("orders", theToken, first)
	if code != http.StatusAccepted || !strings.Contains(body, "run_id") {
		t.Fatalf("by API: %d %s", code, body)
	}
	s.made("orders", 2)
	if got := accepted(t, s.config, "orders@2"); got != "rollback" {
		t.Errorf("snapshot 2 accepted %q", got)
	}
	if n := s.confirmationsNeeded(); n != "0" {
		t.Errorf("the metric is %s afterwards", n)
	}
	if code, body := s.confirm("orders", theToken, first); code != http.StatusConflict {
		t.Errorf("what was used: %d %s", code, body)
	}

	rollBack(t, source, 5, 8)
	s.begin("orders")
	second := s.needs("orders", first)
	o := finish(t, program(t, "--config", s.config, "confirm", "orders", first))
	if o.code != exitConflict || !strings.Contains(o.stderr, "strongroom status shows") {
		t.Errorf("what was used, by command: %+v", o)
	}
	o = succeed(t, "--config", s.config, "confirm", "orders", second)
	if !strings.Contains(o.stdout, "orders: "+second+" is accepted once") {
		t.Errorf("by command: %s", o.stdout)
	}
	s.made("orders", 3)
	if got := accepted(t, s.config, "orders@3"); got != "rollback" {
		t.Errorf("snapshot 3 accepted %q", got)
	}

	rollBack(t, source, 2, 5)
	s.begin("orders")
	third := s.needs("orders", second)
	form := func(token string) (code int, page string) {
		body := url.Values{"token": {token}, "confirmation": {third}}.Encode()
		return s.send("POST", "/archives/orders/confirm", "", "application/x-www-form-urlencoded", body)
	}
	if code, page := form("wrong"); code != http.StatusUnauthorized || !strings.Contains(page, third) {
		t.Errorf("on the page, with a wrong token: %d", code)
	}
	if code, page := form(theToken); code != http.StatusSeeOther {
		t.Errorf("on the page: %d %s", code, page)
	}
	s.made("orders", 4)
	if got := accepted(t, s.config, "orders@4"); got != "rollback" {
		t.Errorf("snapshot 4 accepted %q", got)
	}
	s.begin("orders")
	s.until("a run that accepts nothing", func() bool { return len(s.logged("nothing new", "orders")) > 0 })
	if n := len(s.logged("uses an operator's confirmations", "orders")); n != 3 {
		t.Errorf("%d runs went on with a confirmation:\n%s", n, s.log())
	}
}

// shownEverywhere checks for the confirmation wherever an operator may look.
func shownEverywhere(t *testing.T, s *served, confirmation string) {
	t.Helper()
	a := s.archive("orders")
	c := a.NeedsConfirmation[0]
	found := c.Guard == "rollback" && strings.Contains(c.Detail, "rolled back")
	if a.State != "failing" || !found || c.Task != "backup" || c.Since.IsZero() || c.ConfirmedAt != nil {
		t.Errorf("the API: %+v", a)
	}
	holds := func(path string, texts ...string) {
		t.Helper()
		_, page := s.get(path)
		for _, text := range texts {
			if !strings.Contains(page, text) {
				t.Errorf("%s does not show %q", path, text)
			}
		}
	}
	const meaning = "Accept it if the database was restored"
	holds("/", "a confirmation is needed", meaning)
	holds("/archives/orders", meaning, `value="`+confirmation+`"`, "confirm orders "+confirmation)
	if n := s.confirmationsNeeded(); n != "1" {
		t.Errorf("the metric is %s", n)
	}
	command := "strongroom confirm orders " + confirmation
	line := s.wait("a guard refuses this until an operator accepts", "orders")
	if line["accept_with"] != command || line["guard"] != "rollback" {
		t.Errorf("the log: %v", line)
	}
	o := finish(t, program(t, "--config", s.config, "status"))
	text := strings.Contains(o.stdout, "the backup needs a confirmation") && strings.Contains(o.stdout, command+"\n")
	if o.code != exitFailed || !text {
		t.Errorf("status: %+v", o)
	}
	var v status
	o = finish(t, program(t, "--config", s.config, "status", "--json"))
	if err := json.Unmarshal([]byte(o.stdout), &v); err != nil || len(v.Archives) != 1 {
		t.Fatalf("status --json: %v, %+v", err, o)
	}
	if n := v.Archives[0].NeedsConfirmation; len(n) != 1 || n[0].Confirmation != confirmation {
		t.Errorf("status --json: %+v", n)
	}
}

// confirmationsNeeded is the metric of the archive orders.
func (s *served) confirmationsNeeded() string {
	s.t.Helper()
	_, body := s.get("/metrics")
	_, rest, _ := strings.Cut(body, "strongroom_confirmation_needed{archive=\"orders\"} ")
	n, _, _ := strings.Cut(rest, "\n")
	return n
}

// refusedConfirmations sends what must accept nothing.
func refusedConfirmations(t *testing.T, s *served, right string) {
	t.Helper()
	const path = "/api/v1/archives/orders/confirm"
	confirms := func(want int, name, token, confirmation string) {
		t.Helper()
		if code, body := s.confirm(name, token, confirmation); code != want {
			t.Errorf("%s for %s: %d, not %d: %s", confirmation, name, code, want, body)
		}
	}
	confirms(401, "orders", "not the token at all", right)
	confirms(401, "orders", "", right)
	confirms(400, "orders", theToken, "everything")
	confirms(404, "none", theToken, right)
	confirms(409, "orders", theToken, strings.Replace(right, ":1-", ":42-", 1))
	confirms(409, "orders", theToken, strings.Replace(right, "rollback", "fork", 1))
	confirms(409, "orders", theToken, right[:len(right)-8]+"00000000")
	if code, body := s.send("POST", path, theToken, "application/json", right); code != http.StatusBadRequest {
		t.Errorf("no JSON: %d %s", code, body)
	}
	if code, body := s.send("GET", path+"?confirmation="+right, theToken, "", ""); code != http.StatusMethodNotAllowed {
		t.Errorf("GET: %d %s", code, body)
	}
	a := s.archive("orders")
	if len(a.NeedsConfirmation) != 1 || a.NeedsConfirmation[0].ConfirmedAt != nil || a.State != "failing" {
		t.Errorf("after requests that accept nothing: %+v", a)
	}
	if n := len(s.logged("uses an operator's confirmations", "")); n > 0 {
		t.Errorf("a run went on with one of them:\n%s", s.log())
	}
}

// The service is killed after an operator accepted a rollback and before a run could use that.
// The next service goes on with it.
func TestConfirmThenRestart(t *testing.T) {
	t.Parallel()
	s, _, to := rolledBack(t)
	c := s.needs("orders", "")
	if err := os.Rename(to, to+".away"); err != nil {
		t.Fatal(err)
	}
	if code, body := s.confirm("orders", theToken, c); code != http.StatusAccepted {
		t.Fatalf("%d %s", code, body)
	}
	failures := s.archive("orders").FailuresInRow
	s.until("a run that fails for another reason", func() bool { return s.archive("orders").FailuresInRow > failures })
	if a := s.archive("orders"); len(a.NeedsConfirmation) != 1 || a.NeedsConfirmation[0].ConfirmedAt == nil {
		t.Errorf("after a failure for another reason: %+v", a)
	}
	s.cmd.Process.Kill()
	<-s.ended
	if err := os.Rename(to+".away", to); err != nil {
		t.Fatal(err)
	}
	again := s.again()
	again.made("orders", 2)
	if got := accepted(t, s.config, "orders@2"); got != "rollback" {
		t.Errorf("snapshot 2 accepted %q", got)
	}
}

// A confirmation for snapshot 1 does not lift a refusal at snapshot 2, although the service
// waited for the first when an operator accepted it.
func TestConfirmationOfAnOlderSnapshot(t *testing.T) {
	t.Parallel()
	s, source, to := rolledBack(t)
	old := s.needs("orders", "")
	stopped := s.stop()
	if stopped != 0 {
		t.Fatalf("it ended with %d", stopped)
	}
	succeed(t, "--config", s.config, "backup", "--accept-rollback", "orders") // as another host would
	rollBack(t, source, 5, 8)
	again := s.again()
	next := again.needs("orders", old)
	if code, body := again.confirm("orders", theToken, old); code != http.StatusConflict {
		t.Errorf("the older one: %d %s", code, body)
	}
	o := finish(t, program(t, "--config", s.config, "backup", "--confirm", old, "orders"))
	if o.code != exitConflict || !strings.Contains(o.stderr, next) {
		t.Errorf("the older one without a service: %+v", o)
	}
	if _, err := os.Stat(filepath.Join(to, "manifests/000/000/003.json")); err == nil {
		t.Error("a snapshot was made")
	}
	if code, body := again.confirm("orders", theToken, next); code != http.StatusAccepted {
		t.Errorf("the right one: %d %s", code, body)
	}
	again.made("orders", 3)
}

// Each destination is an archive of its own, with confirmations of its own.
func TestConfirmOneOfTwoDestinations(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	source := filepath.Join(dir, "db")
	if err := os.Mkdir(source, 0o700); err != nil {
		t.Fatal(err)
	}
	logDir(t, source, 0, 5, 100)
	s := serve(t, "archives:\n  - name: orders\n    source: {dir: "+source+"}\n"+
		"    destinations: [\"file://"+dir+"/one\", \"file://"+dir+"/two\"]\n"+yearly)
	s.made("orders", 1)
	s.made("orders.2", 1)
	rollBack(t, source, 2, 5)
	s.begin("orders")
	s.begin("orders.2")
	one, two := s.needs("orders", ""), s.needs("orders.2", "")
	if one == two {
		t.Fatalf("both need %s", one)
	}
	if code, body := s.confirm("orders", theToken, two); code != http.StatusConflict {
		t.Errorf("the other's: %d %s", code, body)
	}
	if code, body := s.confirm("orders", theToken, one); code != http.StatusAccepted {
		t.Errorf("its own: %d %s", code, body)
	}
	s.made("orders", 2)
	a := s.archive("orders.2")
	if a.State != "failing" || len(a.NeedsConfirmation) != 1 || a.NeedsConfirmation[0].ConfirmedAt != nil {
		t.Errorf("the other destination: %+v", a)
	}
	if code, body := s.confirm("orders.2", theToken, two); code != http.StatusAccepted {
		t.Errorf("the other's own: %d %s", code, body)
	}
	s.made("orders.2", 2)
}

// A source that went back and lost more than half of its files trips two guards in one state
// of the archive. Two confirmations get past them, and the snapshot records both.
func TestConfirmTwoGuards(t *testing.T) {
	t.Parallel()
	s, source, _ := rolledBack(t)
	rollback := s.needs("orders", "")
	rollBack(t, source, 0, 6)
	s.confirm("orders", theToken, rollback)
	missing := s.needs("orders", rollback)
	if !strings.HasPrefix(missing, "missing:") {
		t.Fatalf("it needs %s", missing)
	}
	s.confirm("orders", theToken, missing)
	s.made("orders", 2)
	if got := accepted(t, s.config, "orders@2"); got != "rollback missing" {
		t.Errorf("snapshot 2 accepted %q", got)
	}
}

// Without a service, one run takes the confirmation that the refusal names; the next refusal
// is another one.
func TestBackupConfirm(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 8, 100)
	config := filepath.Join(t.TempDir(), "strongroom.yaml")
	if err := os.WriteFile(config, []byte("archives:\n"+inDir("orders", dir, to+"/a", "")), 0o600); err != nil {
		t.Fatal(err)
	}
	succeed(t, "--config", config, "backup", "orders")
	rollBack(t, dir, 5, 8)
	o := finish(t, program(t, "--config", config, "backup", "--json", "orders"))
	var report []struct{ Confirmation, Error string }
	if err := json.Unmarshal([]byte(o.stdout), &report); err != nil || len(report) != 1 || o.code != exitConflict {
		t.Fatalf("%v: %+v", err, o)
	}
	c := report[0].Confirmation
	for _, way := range []string{"--accept-rollback", "--confirm " + c, "strongroom confirm orders " + c} {
		if c == "" || !strings.Contains(o.stderr, way) || strings.Contains(report[0].Error, way) {
			t.Errorf("the refusal does not name %q: %s", way, o.stderr)
		}
	}
	o = finish(t, program(t, "--config", config, "backup", "--confirm", "everything", "orders"))
	if o.code != exitUsage || !strings.Contains(o.stderr, "such as rollback:41-0a1b2c3d") {
		t.Errorf("no confirmation: %+v", o)
	}
	succeed(t, "--config", config, "backup", "--confirm", "take-over:7-00000000", "--confirm", c, "orders")
	if got := accepted(t, config, "orders@2"); got != "rollback" {
		t.Errorf("snapshot 2 accepted %q", got)
	}
	rollBack(t, dir, 2, 5)
	o = finish(t, program(t, "--config", config, "backup", "--confirm", c, "orders"))
	if o.code != exitConflict || strings.Contains(o.stderr, c) {
		t.Errorf("the same once more: %+v", o)
	}
	// By its address an archive is in no service: the message names what works.
	o = finish(t, program(t, "backup", "--source", dir, "file://"+to+"/a"))
	named, service := strings.Contains(o.stderr, "--confirm rollback:2-"), strings.Contains(o.stderr, "strongroom confirm")
	if o.code != exitConflict || !named || service {
		t.Errorf("by its address: %+v", o)
	}
	succeed(t, "--config", config, "prune", "--keep-last", "2", "--confirm", "prune:2-00000000", "orders")
}

// The command's error names the remedy where no service can take a confirmation.
func TestConfirmWithoutAService(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	token := filepath.Join(dir, "token")
	if err := os.WriteFile(token, []byte(theToken+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	const c = " rollback:1-0a1b2c3d"
	with := func(listen, token string) string {
		return "http: {listen: " + listen + ", token_file: " + token + "}\n"
	}
	gone, other := with("127.0.0.1:1", token), with(httpServer(t, "it is something else"), token)
	for _, c := range []struct {
		http, args string
		code       int
		wantText   []string
	}{
		{"", "orders" + c, exitUsage, []string{"no http,", "http.token_file", "strongroom run", "backup --confirm" + c}},
		{"http: {listen: 127.0.0.1:1}\n", "orders" + c, exitUsage, []string{"no http.token_file,", "backup --confirm" + c}},
		{gone, "orders" + c, exitFailed, []string{"refused", "start it with strongroom run", "backup --confirm" + c}},
		{gone, "orders prune:1-0a1b2c3d", exitFailed, []string{"strongroom prune orders"}},
		{with("127.0.0.1:1", "/no/such"), "orders" + c, exitUsage, []string{"/no/such"}},
		{other, "orders" + c, exitFailed, []string{"is not strongroom"}},
		{"", "orders yes", exitUsage, []string{"such as rollback:41-0a1b2c3d"}},
		{"", "other" + c, exitUsage, []string{`no archive "other"`}},
		{"", "file:///backups" + c, exitUsage, []string{"name of an archive", "--confirm" + c}},
		{"", "orders", exitUsage, []string{"confirm ARCHIVE CONFIRMATION"}},
	} {
		config := filepath.Join(t.TempDir(), "strongroom.yaml")
		text := c.http + "archives:\n" + inDir("orders", dir, t.TempDir(), "")
		if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		o := finish(t, program(t, slices.Concat([]string{"--config", config, "confirm"}, strings.Fields(c.args))...))
		for _, want := range c.wantText {
			if o.code != c.code || !strings.Contains(o.stderr, want) || strings.Contains(o.stderr, theToken) {
				t.Errorf("%s with %q: exit code %d, without %q: %s", c.args, c.http, o.code, want, o.stderr)
			}
		}
	}
}

// A service that has another token, or does not have the archive, takes nothing.
func TestConfirmRefusedByTheService(t *testing.T) {
	t.Parallel()
	s, _, _ := rolledBack(t)
	c := s.needs("orders", "")
	b, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	other := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(other, []byte("the token of another one\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(b), "token_file: ")
	file, _, _ := strings.Cut(rest, "}")
	s.write(strings.Replace(string(b), file, other, 1))
	o := finish(t, program(t, "--config", s.config, "confirm", "orders", c))
	if o.code != exitFailed || !strings.Contains(o.stderr, "another token") {
		t.Errorf("another token: %+v", o)
	}
	s.write(strings.Replace(string(b), "name: orders", "name: others", 1))
	o = finish(t, program(t, "--config", s.config, "confirm", "others", c))
	if o.code != exitFailed || !strings.Contains(o.stderr, "does it use this configuration") {
		t.Errorf("another name: %+v", o)
	}
	s.write(string(b))
	var v confirmed
	o = succeed(t, "--config", s.config, "confirm", "--json", "orders", c)
	err = json.Unmarshal([]byte(o.stdout), &v)
	if err != nil || v.Name != "orders" || v.Confirmation != c || v.RunID == "" {
		t.Errorf("%v: %s", err, o.stdout)
	}
	s.made("orders", 2)
}

// httpServer answers every request with a text, and returns its address.
func httpServer(t *testing.T, text string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		io.WriteString(w, text)
	}))
	t.Cleanup(srv.Close)
	return strings.TrimPrefix(srv.URL, "http://")
}
