//go:build linux

package main

import (
	"net"
	"sync"
	"time"
)

// A link is a network between the clients and the server: a proxy for TCP that delays the bytes of both directions,
// and lets all connections share a rate. (toxiproxy limits each connection by itself, so that eight of them have eight
// times the rate.) It runs in this process, whose processor time is not measured.
type link struct {
	address  string // for clients
	listener net.Listener
	delay    time.Duration // of one direction
	up, down *lane
}

// lane is one direction of a link.
type lane struct {
	rate int64 // bytes per second; 0 means no limit

	mu   sync.Mutex
	free time.Time // when all bytes accepted so far have been sent
}

const (
	linkChunk  = 64 << 10
	linkWindow = 4 << 20 // bytes on their way in one direction of a connection, as Linux allows by default
)

// newLink starts a link to a server's host and port.
func newLink(server string, n network) (*link, error) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	l := &link{
		address: listener.Addr().String(), listener: listener, delay: n.delay / 2,
		up: &lane{rate: n.rate}, down: &lane{rate: n.rate},
	}
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return
			}
			go l.connect(client, server)
		}
	}()
	return l, nil
}

func (l *link) close() error { return l.listener.Close() }

// connect passes on one connection until both of its directions have ended.
func (l *link) connect(client net.Conn, to string) {
	defer client.Close()
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	var both sync.WaitGroup
	handshake := 2 * l.delay // a client sends its first bytes after a round trip; here it is connected at once
	both.Go(func() { l.up.carry(server, client, l.delay, handshake) })
	both.Go(func() { l.down.carry(client, server, l.delay, 0) })
	both.Wait()
}

// chunk is a piece of a stream that arrives at a time.
type chunk struct {
	b   []byte
	due time.Time
}

// carry passes on the bytes of one direction of a connection, the first of them later by the time of a handshake.
func (l *lane) carry(to, from net.Conn, delay, handshake time.Duration) {
	begin := time.Now().Add(handshake)
	onTheWay := make(chan chunk, linkWindow/linkChunk)
	go func() {
		defer close(onTheWay)
		for {
			b := make([]byte, linkChunk)
			n, err := from.Read(b)
			if n > 0 {
				onTheWay <- chunk{b[:n], l.sent(n, begin).Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for c := range onTheWay {
		time.Sleep(time.Until(c.due))
		if _, err := to.Write(c.b); err != nil {
			from.Close() // ends the reader
		}
	}
	if half, ok := to.(interface{ CloseWrite() error }); ok {
		half.CloseWrite()
	}
}

// sent returns when n more bytes will have been sent, but no time before begin.
func (l *lane) sent(n int, begin time.Time) time.Time {
	l.mu.Lock()
	defer l.mu.Unlock()
	done := time.Now()
	if l.rate > 0 {
		if l.free.After(done) {
			done = l.free
		}
		done = done.Add(time.Duration(int64(n) * int64(time.Second) / l.rate))
		l.free = done
	}
	if done.Before(begin) {
		return begin
	}
	return done
}
