package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// served runs a server until the test ends, and returns its address.
func served(t *testing.T, s *Server) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	return l.Addr().String()
}

// askHealth requests /healthz over a connection of its own.
func askHealth(t *testing.T, addr string) {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.SetDeadline(time.Now().Add(patience)); err != nil {
		t.Fatal(err)
	}
	io.WriteString(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatalf("/healthz has no answer: %v", err)
	}
	answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("/healthz: %s", answer.Status)
	}
}

// Clients that connect and send nothing, or half a request, or that keep a connection after one, do not lock out
// others: a monitor would report the service as dead.
func TestIdleConnectionsMakeRoom(t *testing.T) {
	t.Parallel()
	for what, begin := range map[string]string{
		"nothing": "", "half a header": "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"kept": "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		s := newServer(t, filled(well("orders")), "")
		addr := served(t, s)
		for range maxConnections + 20 {
			c, err := net.Dial("tcp", addr)
			if err != nil {
				t.Fatalf("%s: %v", what, err)
			}
			defer c.Close()
			io.WriteString(c, begin)
		}
		askHealth(t, addr)
	}
}

// slow is a backend whose snapshots come when the test allows it.
type slow struct {
	*fake
	inside, most atomic.Int64
	release      chan struct{}
}

func (s *slow) Snapshot(ctx context.Context, name string, sequence int64, r Range) (SnapshotFiles, error) {
	now := s.inside.Add(1)
	defer s.inside.Add(-1)
	for was := s.most.Load(); now > was && !s.most.CompareAndSwap(was, now); was = s.most.Load() {
	}
	select {
	case <-s.release:
	case <-ctx.Done():
		return SnapshotFiles{}, ctx.Err()
	}
	return s.fake.Snapshot(ctx, name, sequence, r)
}

// Many requests for a large snapshot take the memory of a few, all are answered in the end, and the health checks are
// answered beside them.
func TestWorkIsBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &slow{fake: filled(well("orders")), release: make(chan struct{})}
		s := newServer(t, b, "")
		var codes [200]int
		var work sync.WaitGroup
		for i := range codes {
			work.Go(func() {
				path := "/api/v1/archives/orders/snapshots/120"
				if i%2 == 0 {
					path = "/archives/orders/snapshots/120"
				}
				codes[i] = ask(t, s, http.MethodGet, path, "").Code
			})
		}
		synctest.Wait()
		for _, path := range []string{"/healthz", "/readyz", "/metrics"} {
			if w := ask(t, s, http.MethodGet, path, ""); w.Code != http.StatusOK {
				t.Errorf("%s: %d", path, w.Code)
			}
		}
		close(b.release)
		work.Wait()
		for _, code := range codes {
			if code != http.StatusOK {
				t.Errorf("%d", code)
			}
		}
		if n := b.most.Load(); n > maxListingsEach {
			t.Errorf("%d at once", n)
		}
	})
}

// Requests beyond those that can wait are refused at once: they leave connections for the health checks.
func TestTooManyRequests(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := &slow{fake: filled(well("orders")), release: make(chan struct{})}
		s := newServer(t, b, "")
		var refused, ok atomic.Int64
		var work sync.WaitGroup
		for range maxConnections {
			work.Go(func() {
				switch w := ask(t, s, http.MethodGet, "/api/v1/archives/orders/snapshots/120", ""); w.Code {
				case http.StatusOK:
					ok.Add(1)
				case http.StatusServiceUnavailable:
					refused.Add(1)
				default:
					t.Errorf("%d: %s", w.Code, w.Body)
				}
			})
		}
		synctest.Wait()
		if n := refused.Load(); n != healthReserve {
			t.Errorf("%d were refused at once, not %d", n, healthReserve)
		}
		close(b.release)
		work.Wait()
		if ok.Load()+refused.Load() != maxConnections {
			t.Errorf("%d answered, %d refused", ok.Load(), refused.Load())
		}
	})
}

// Requests for all archives are made a few at a time, and leave turns for the others: each takes the memory of the whole
// list.
func TestWholeListsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, filled(well("orders")), "")
		for range maxWhole {
			s.limits.whole <- struct{}{}
		}
		codes := make(chan int, 4)
		for range 2 {
			go func() { codes <- ask(t, s, http.MethodGet, "/", "").Code }()
			go func() { codes <- ask(t, s, http.MethodGet, "/api/v1/archives", "").Code }()
		}
		synctest.Wait()
		if len(codes) > 0 {
			t.Error("a request did not wait for its turn")
		}
		if w := ask(t, s, http.MethodGet, "/api/v1/archives/orders", ""); w.Code != http.StatusOK {
			t.Errorf("one archive: %d", w.Code)
		}
		<-s.limits.whole
		for range 4 {
			if code := <-codes; code != http.StatusOK {
				t.Errorf("%d", code)
			}
		}
		s.limits.whole <- struct{}{}
		began := time.Now()
		if w := ask(t, s, http.MethodGet, "/", ""); w.Code != http.StatusServiceUnavailable || time.Since(began) != turnTimeout {
			t.Errorf("without a turn: %d after %v", w.Code, time.Since(began))
		}
	})
}

// A refused token leaves a line in the log, with the client and without the token. A flood of them leaves few lines.
func TestRefusedTokensAreLogged(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		s := newServer(t, filled(well("orders")), token)
		s.o.Log = slog.New(slog.NewTextHandler(&log, nil))
		try := func(given string) {
			ask(t, s, http.MethodPost, "/api/v1/archives/orders/backup", "", "Authorization", "Bearer "+given)
		}
		try(token)
		if strings.Contains(log.String(), "was refused") {
			t.Errorf("the right token: %s", log.String())
		}
		for range 1000 {
			try("hunter2-guess")
		}
		time.Sleep(2 * refusalEvery)
		ask(t, s, http.MethodPost, "/archives/orders/confirm", "token=hunter2-form", "Content-Type", "application/x-www-form-urlencoded")
		got := log.String()
		if n := strings.Count(got, "a request without the right token was refused"); n != 2 || strings.Contains(got, "hunter2") {
			t.Errorf("%d lines: %s", n, got)
		}
		for _, want := range []string{"client=192.0.2.1:1234", `"POST /api/v1/archives/orders/backup"`, "more_since_the_last_line=999"} {
			if !strings.Contains(got, want) {
				t.Errorf("%s is missing from %s", want, got)
			}
		}
	})
}

// A page beyond the end, and the last one, are as they were when all files were copied for each request.
func TestRange(t *testing.T) {
	t.Parallel()
	for r, want := range map[Range]string{
		{0, 10}: "0 7", {2, 3}: "2 5", {5, 10}: "5 7", {7, 1}: "7 7", {1 << 62, 1 << 62}: "7 7", {-1, -1}: "0 0",
	} {
		begin, end := r.Of(7)
		if got := fmt.Sprint(begin, " ", end); got != want {
			t.Errorf("%+v is %s, not %s", r, got, want)
		}
	}
	s := newServer(t, filled(well("orders")), "")
	if body := get(t, s, "/api/v1/archives/orders/snapshots/120?offset=1199&limit=10"); !strings.Contains(body, `"next_offset":null`) || strings.Count(body, `"sha256"`) != 1 {
		t.Errorf("the last page: %s", body)
	}
	if body := get(t, s, "/api/v1/archives/orders/snapshots/120?offset=100&limit=2"); !strings.Contains(body, `"next_offset":102`) {
		t.Errorf("a page: %s", body)
	}
}
