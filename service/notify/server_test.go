package notify

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// hanging is a service of the library that answers only at the end.
type hanging struct {
	types.Service
	end chan struct{}
}

func (h hanging) Send(string, *types.Params) error {
	<-h.end
	return nil
}

// request is one request that a server received.
type request struct {
	method, path string
	header       http.Header
	body         string
}

// listen is a server that hands on what it is sent, and its host.
func listen(t *testing.T, answer http.HandlerFunc) (host string, got chan request) {
	t.Helper()
	got = make(chan request, 10)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			t.Error(err)
		}
		answer(w, r)
		got <- request{r.Method, r.URL.RequestURI(), r.Header, string(body)}
	}))
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://"), got
}

func well(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, `{}`) }

// running starts a Notifier over real connections; it ends with the test.
func running(t *testing.T, log *logbook, targets ...string) *Notifier {
	t.Helper()
	n := made(t, nil, log, targets...)
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { n.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	return n
}

func receive[T any](t *testing.T, c chan T) T {
	t.Helper()
	select {
	case v := <-c:
		return v
	case <-time.After(5 * time.Minute):
		t.Fatal("nothing arrived in 5 minutes")
	}
	panic("unreachable")
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.FixedZone("", 3600))

func TestWebhook(t *testing.T) {
	t.Parallel()
	host, got := listen(t, well)
	n := running(t, &logbook{}, "webhook+http://"+host+"/a%2Fb?key=k")
	n.Update(Event{State: Failing, At: noon, Detail: "put: \x1b[31mno\u202e\n\nTry again.", Recoverable: noon.Add(-time.Hour)})
	r := receive(t, got)
	if r.method != "POST" || r.path != "/a%2Fb?key=k" || r.header.Get("Content-Type") != "application/json" || r.header.Get("User-Agent") != "strongroom/1.2" {
		t.Errorf("%+v", r)
	}
	want := `{"archive":"orders","archives":["orders"],"state":"failing","was":"ok","at":"2026-03-01T11:00:00Z","detail":"put: ` + "\uFFFD[31mno\uFFFD" + `\nTry again.","recoverable_through":"2026-03-01T10:00:00Z"}`
	if r.body != want {
		t.Errorf("%s, not %s", r.body, want)
	}
	n.Update(Event{State: OK, At: noon})
	if r := receive(t, got); !strings.Contains(r.body, `"recoverable_through":null`) || !strings.Contains(r.body, `"was":"failing"`) {
		t.Error(r.body)
	}
}

func TestHeartbeatRequest(t *testing.T) {
	t.Parallel()
	host, got := listen(t, well)
	n := running(t, &logbook{}, "http://"+host+"/ping/uuid?a=b")
	n.Succeeded()
	if r := receive(t, got); r.method != "GET" || r.path != "/ping/uuid?a=b" || r.body != "" || r.header.Get("User-Agent") != "strongroom/1.2" {
		t.Errorf("%+v", r)
	}
}

func TestRedirects(t *testing.T) {
	t.Parallel()
	elsewhere, away := listen(t, well)
	for code, stays := range map[int]bool{http.StatusTemporaryRedirect: true, http.StatusFound: false} {
		host, got := listen(t, func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/away":
				http.Redirect(w, r, "http://"+elsewhere+"/", http.StatusTemporaryRedirect)
			case "/here":
				http.Redirect(w, r, "/there", code)
			}
		})
		send := func(path string) error {
			f, _, err := parse("webhook+http://"+host+path, Options{Transport: transport()})
			if err != nil {
				t.Fatal(err)
			}
			return f(t.Context(), message{})
		}
		if err := send("/away"); err == nil || !strings.Contains(err.Error(), "redirect") || len(away) != 0 {
			t.Errorf("to another host: %v, and %d requests arrived there", err, len(away))
		}
		receive(t, got)
		if err := send("/here"); (err == nil) != stays {
			t.Errorf("%d to the same host: %v", code, err)
		}
		if receive(t, got); stays {
			if r := receive(t, got); r.path != "/there" || r.method != "POST" || r.body == "" {
				t.Errorf("%+v", r)
			}
		}
	}
}

func TestShoutrrrServices(t *testing.T) {
	t.Parallel()
	for name, target := range map[string]string{
		"gotify":  "gotify://HOST/AzyoeNS.D4iJLVa?disabletls=yes",
		"ntfy":    "ntfy://HOST/alarms?scheme=http",
		"generic": "generic://HOST/x?disabletls=yes&template=json",
		"custom":  "generic+http://HOST/x?template=json",
	} {
		t.Run(name, func(t *testing.T) {
			host, got := listen(t, well)
			log := &logbook{}
			n := running(t, log, strings.Replace(target, "HOST", host, 1))
			n.Update(Event{State: Damaged, At: noon, Detail: "3 files are missing"})
			t.Cleanup(func() {
				if log.String() != "" {
					t.Error(log)
				}
			})
			r := receive(t, got)
			all := r.header.Get("Title") + r.body
			for _, want := range []string{"strongroom: orders is damaged", "3 files are missing", "2026-03-01 11:00 UTC"} {
				if !strings.Contains(all, want) {
					t.Errorf("%q is missing from %q", want, all)
				}
			}
			n.Update(Event{State: OK, At: noon})
			if r := receive(t, got); !strings.Contains(r.body, "OK again") {
				t.Error(r.body)
			}
		})
	}
}

// A server at which a service logs in may be down when strongroom starts: its message waits, and those of other targets
// are sent.
func TestLoginsWaitForTheFirstMessage(t *testing.T) {
	t.Parallel()
	host, got := listen(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == http.MethodGet:
			io.WriteString(w, `{"flows": [{"type": "m.login.password"}]}`)
		case strings.HasSuffix(r.URL.Path, "/login"):
			io.WriteString(w, `{"access_token": "t", "home_server": "h", "user_id": "u", "device_id": "d"}`)
		default:
			io.WriteString(w, `{"room_id": "!r:h", "event_id": "e", "joined_rooms": ["!r:h"]}`)
		}
	})
	n := made(t, nil, &logbook{}, "matrix://u:pw@127.0.0.1:1/?rooms=!r:h&disableTLS=yes", "matrix://u:pw@"+host+"/?rooms=!r:h&disableTLS=yes")
	if len(got) != 0 {
		t.Errorf("%d requests before a message", len(got))
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { n.Run(ctx); close(done) }()
	t.Cleanup(func() { cancel(); <-done })
	n.Update(Event{State: Damaged, At: noon, Detail: "3 files are missing"})
	for {
		if r := receive(t, got); strings.Contains(r.body, "3 files are missing") {
			return
		}
	}
}

func TestMail(t *testing.T) {
	t.Parallel()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	got := make(chan string, 2)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			got <- converse(c)
		}
	}()
	n := running(t, &logbook{}, "smtp://"+l.Addr().String()+"/?from=a@example.org&to=b@example.org&starttls=no")
	n.Update(Event{State: Overdue, At: noon, Detail: "since two hours"})
	mail := receive(t, got)
	for _, want := range []string{"RCPT TO:<b@example.org>", "Subject: strongroom: orders is overdue", "since two hours"} {
		if !strings.Contains(mail, want) {
			t.Errorf("%q is missing from %q", want, mail)
		}
	}
}

// converse is the smallest server of SMTP. It returns what it received.
func converse(c net.Conn) string {
	defer c.Close()
	var all strings.Builder
	lines, data := bufio.NewScanner(c), false
	io.WriteString(c, "220 here\r\n")
	for lines.Scan() {
		line := lines.Text()
		all.WriteString(line + "\n")
		switch {
		case data && line != ".":
		case line == "DATA":
			data = true
			io.WriteString(c, "354 go on\r\n")
		case line == "QUIT":
			io.WriteString(c, "221 bye\r\n")
			return all.String()
		default:
			data = false
			io.WriteString(c, "250 ok\r\n")
		}
	}
	return all.String()
}

func TestPayloadIsJSON(t *testing.T) {
	t.Parallel()
	host, got := listen(t, well)
	n := running(t, &logbook{}, "webhook+http://"+host)
	n.Update(Event{State: Failing, Detail: "</script>\xff\"" + strings.Repeat("x", 100_000)})
	r := receive(t, got)
	var p Payload
	if err := json.Unmarshal([]byte(r.body), &p); err != nil || len(r.body) > 2000 {
		t.Errorf("%v, %d bytes", err, len(r.body))
	}
}
