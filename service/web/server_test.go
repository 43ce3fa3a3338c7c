package web

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestListen(t *testing.T) {
	t.Parallel()
	for listen, alone := range map[string]bool{
		"127.0.0.1:8470": true, "127.9.9.9:1": true, "[::1]:8470": true, "localhost:8470": true, "[::ffff:127.0.0.1]:1": true,
		"0.0.0.0:8470": false, ":8470": false, "[::]:8470": false, "192.0.2.7:8470": false, "nas.example:8470": false, "localhost.example:1": false,
	} {
		_, err := New(&fake{}, Options{Listen: listen})
		if (err == nil) != alone {
			t.Errorf("%s without a token: %v", listen, err)
		}
		if err != nil && (!strings.Contains(err.Error(), listen) || !strings.Contains(err.Error(), "token")) {
			t.Errorf("%s: the error does not name the setting and the reason: %v", listen, err)
		}
		if _, err := New(&fake{}, Options{Listen: listen, Token: token}); err != nil {
			t.Errorf("%s with a token: %v", listen, err)
		}
	}
	if _, err := New(&fake{}, Options{Listen: "8470"}); err == nil || !strings.Contains(err.Error(), "host:port") {
		t.Errorf("8470: %v", err)
	}
}

// serve runs a server for a test on a free port, with its time-outs shortened.
func serve(t *testing.T, s *Server, timeout time.Duration) net.Addr {
	t.Helper()
	srv := s.httpServer()
	for _, d := range []*time.Duration{&srv.ReadHeaderTimeout, &srv.ReadTimeout, &srv.WriteTimeout, &srv.IdleTimeout} {
		if *d <= 0 || *d > time.Minute {
			t.Errorf("a time-out is %v", *d)
		}
		*d = timeout
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- srv.Serve(l) }()
	t.Cleanup(func() {
		srv.Close()
		<-done
	})
	return l.Addr()
}

func TestSlowClientsAreCutOff(t *testing.T) {
	t.Parallel()
	addr := serve(t, newServer(t, filled(well("orders")), token), 100*time.Millisecond)
	for name, begin := range map[string]string{
		"nothing":       "",
		"half a header": "GET / HTTP/1.1\r\nHost: localhost\r\nX-Slow: ",
		"half a body":   "POST /api/v1/archives/orders/backup HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100\r\n\r\nx",
		"idle":          "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
	} {
		c, err := net.Dial("tcp", addr.String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, begin)
		if _, err := io.Copy(io.Discard, c); err != nil && strings.Contains(err.Error(), "i/o timeout") {
			t.Errorf("%s: still connected after %v", name, patience)
		}
	}
}

func TestHeadersAreBounded(t *testing.T) {
	t.Parallel()
	addr := serve(t, newServer(t, filled(well("orders")), token), patience)
	c, err := net.Dial("tcp", addr.String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	go fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: localhost\r\nX-Giant: %s\r\n\r\n", strings.Repeat("x", 8*maxHeader))
	answer, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusRequestHeaderFieldsTooLarge {
		t.Errorf("%s", answer.Status)
	}
}

func TestRunEndsWithItsContext(t *testing.T) {
	t.Parallel()
	s := newServer(t, filled(well("orders")), "")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- s.Serve(ctx, l) }()
	answer, err := http.Get("http://" + l.Addr().String() + "/healthz")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	cancel()
	select {
	case err := <-done:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(5 * time.Minute):
		t.Error("it does not end")
	}
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	s.o.Listen = taken.Addr().String()
	if _, err := s.Listen(t.Context()); err == nil || !strings.Contains(err.Error(), s.o.Listen) {
		t.Errorf("on a taken port: %v", err)
	}
}

// endless is a listener to which there is always one more connection.
type endless struct {
	accepted atomic.Int64
	peers    chan net.Conn
	closed   chan struct{}
}

func (e *endless) Accept() (net.Conn, error) {
	select {
	case <-e.closed:
		return nil, net.ErrClosed
	default:
	}
	here, there := net.Pipe()
	e.accepted.Add(1)
	e.peers <- there
	return here, nil
}

func (e *endless) Close() error   { close(e.closed); return nil }
func (e *endless) Addr() net.Addr { return &net.TCPAddr{} }

// A flood of connections gets a limited number of descriptors, and the waiting connections get
// their turn.
func TestConnectionsAreBounded(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		s := newServer(t, filled(well("orders")), "")
		l := &endless{peers: make(chan net.Conn, 2*maxConnections), closed: make(chan struct{})}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- s.Serve(ctx, l) }()
		synctest.Wait()
		if n := l.accepted.Load(); n != maxConnections+1 { // the last one waits
			t.Errorf("%d connections at once", n)
		}
		(<-l.peers).Close()
		synctest.Wait()
		if n := l.accepted.Load(); n != maxConnections+2 {
			t.Errorf("%d connections after one has ended", n)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}
