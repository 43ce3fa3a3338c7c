package notify

import (
	"bytes"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"strings"
	"sync"
	"testing"
	"time"
)

// net is the network in virtual time: what arrived at each host, and how each answers.
type network struct {
	mu    sync.Mutex
	hosts map[string]*host
}

type host struct {
	got    []Payload   // what arrived and was answered with success, of a heartbeat its time alone
	at     []time.Time // when any attempt began
	answer func(req *http.Request) answer
}

// answer is the outcome of one request.
type answer struct {
	takes  time.Duration
	status int  // 0: the connection is refused
	lost   bool // it arrives, but its answer does not
}

func (n *network) at(name string) *host {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.hosts == nil {
		n.hosts = map[string]*host{}
	}
	if n.hosts[name] == nil {
		n.hosts[name] = &host{answer: func(*http.Request) answer { return answer{status: 200} }}
	}
	return n.hosts[name]
}

func (n *network) RoundTrip(req *http.Request) (*http.Response, error) {
	h := n.at(req.URL.Host)
	n.mu.Lock()
	h.at = append(h.at, time.Now())
	a := h.answer(req)
	n.mu.Unlock()
	if a.status == 0 {
		return nil, io.ErrUnexpectedEOF
	}
	var p Payload
	if req.Method == http.MethodPost {
		if err := json.NewDecoder(req.Body).Decode(&p); err != nil {
			return nil, err
		}
	}
	httptrace.ContextClientTrace(req.Context()).WroteHeaders()
	n.mu.Lock()
	if a.lost {
		h.got = append(h.got, p)
	}
	n.mu.Unlock()
	timer := time.NewTimer(a.takes)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-req.Context().Done():
		return nil, req.Context().Err()
	}
	if a.lost {
		return nil, io.ErrUnexpectedEOF
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	if a.status/100 == 2 {
		h.got = append(h.got, p)
	}
	return &http.Response{StatusCode: a.status, Header: http.Header{}, Body: http.NoBody, Request: req}, nil
}

// states are the states that arrived, in order.
func (n *network) states(name string) string {
	h := n.at(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	var b []string
	for _, p := range h.got {
		b = append(b, string(p.State))
	}
	return strings.Join(b, " ")
}

// attempts are when requests began, since then.
func (n *network) attempts(name string, since time.Time) []time.Duration {
	h := n.at(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	var d []time.Duration
	for _, t := range h.at {
		d = append(d, t.Sub(since))
	}
	return d
}

// behave sets how a host answers from now on.
func (n *network) behave(name string, f func(*http.Request) answer) {
	h := n.at(name)
	n.mu.Lock()
	defer n.mu.Unlock()
	h.answer = f
}

func always(a answer) func(*http.Request) answer {
	return func(*http.Request) answer { return a }
}

// logbook is a log that a test may read.
type logbook struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logbook) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logbook) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

func (l *logbook) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func made(t *testing.T, rt http.RoundTripper, log *logbook, targets ...string) *Notifier {
	t.Helper()
	n, err := New(targets, Options{Archive: "orders", Version: "1.2", Log: log.logger(), Transport: rt})
	if err != nil {
		t.Fatal(err)
	}
	return n
}
