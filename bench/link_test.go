//go:build linux

package main

import (
	"bytes"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"
)

// echoed sends bytes to a server that sends them back, through a link, and returns how long that took.
func echoed(t *testing.T, n network, sent []byte) time.Duration {
	t.Helper()
	server, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { server.Close() })
	go func() {
		conn, err := server.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		_, _ = io.Copy(conn, conn)
	}()
	l, err := newLink(server.Addr().String(), n)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.close() })
	begin := time.Now()
	conn, err := net.Dial("tcp", l.address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	go func() {
		_, _ = conn.Write(sent)
		_ = conn.(*net.TCPConn).CloseWrite()
	}()
	got, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got, sent) {
		t.Fatalf("%d bytes came back, not the %d that were sent", len(got), len(sent))
	}
	return time.Since(begin)
}

func TestLinkDelays(t *testing.T) {
	t.Parallel()
	const delay = 60 * time.Millisecond
	if took := echoed(t, network{delay: delay}, []byte("a request")); took < 2*delay {
		t.Errorf("a request on a new connection took %v, less than two round trips of %v", took, delay)
	}
}

func TestLinkHasARate(t *testing.T) {
	t.Parallel()
	sent := make([]byte, 10<<20) // more than a window
	seeded(1).Read(sent)
	const rate = 50 << 20
	if took, least := echoed(t, network{rate: rate}, sent), time.Second*time.Duration(len(sent))/rate; took < least {
		t.Errorf("%d bytes took %v, less than %v at %d bytes per second", len(sent), took, least, rate)
	}
}

func TestConnectionsShareTheRate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		l := &lane{rate: 1000}
		first := l.sent(500, time.Time{})
		second := l.sent(500, time.Time{})
		if gap := second.Sub(first); gap != 500*time.Millisecond {
			t.Errorf("500 bytes at 1000 bytes per second were sent %v after those before them", gap)
		}
		if late := first.Add(time.Minute); !l.sent(1, late).Equal(late) {
			t.Error("bytes arrived before the handshake was over")
		}
		if third := l.sent(500, time.Time{}); third.Sub(second) > 600*time.Millisecond {
			t.Errorf("a handshake kept others waiting: %v", third.Sub(second))
		}
	})
}
