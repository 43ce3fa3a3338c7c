package cloud

import (
	"context"
	"net"
	"net/http"
	"time"
)

// The waits of a connection, besides Options.Timeout.
const (
	connectTimeout   = 10 * time.Second // TCP, names included
	handshakeTimeout = 10 * time.Second // TLS
	continueTimeout  = 2 * time.Second  // for leave to send the body; without an answer it is sent
	idleKeep         = 45 * time.Second // an idle connection is closed before its deadline passes
)

// Tune sets up an SDK's transport: no wait is without an end, and a connection on which
// nothing moves for Options.Timeout is given up. HTTP/2 is off: it would put all parts on
// one connection.
func Tune(tr *http.Transport, o *Options) {
	timeout := o.Timeout
	dialer := &net.Dialer{Timeout: connectTimeout, KeepAlive: 30 * time.Second}
	tr.DialContext = func(ctx context.Context, network, address string) (net.Conn, error) {
		c, err := dialer.DialContext(ctx, network, address)
		if err != nil {
			return nil, err
		}
		m := &IdleTimeoutConn{c, timeout}
		if o.Bandwidth != nil {
			return newThrottledConn(m, o.Bandwidth), nil
		}
		return m, nil
	}
	tr.TLSHandshakeTimeout = handshakeTimeout
	tr.ResponseHeaderTimeout = timeout
	tr.ExpectContinueTimeout = continueTimeout
	tr.IdleConnTimeout = min(idleKeep, timeout)
	tr.MaxIdleConns, tr.MaxIdleConnsPerHost, tr.MaxConnsPerHost = 256, 64, 0
	tr.WriteBufferSize, tr.ReadBufferSize = 64<<10, 64<<10
	tr.Protocols = new(http.Protocols)
	tr.Protocols.SetHTTP1(true)
	tr.ForceAttemptHTTP2 = false
}

// IdleTimeoutConn is a connection that must keep moving: each read and each write sets a new
// deadline. A write also extends the deadline of the read that net/http always has
// pending, so that a long upload does not end the wait for its answer.
type IdleTimeoutConn struct {
	net.Conn
	timeout time.Duration
}

// NewIdleTimeoutConn returns a connection that fails once nothing moves for a time.
func NewIdleTimeoutConn(c net.Conn, timeout time.Duration) *IdleTimeoutConn {
	return &IdleTimeoutConn{c, timeout}
}

func (m *IdleTimeoutConn) Read(b []byte) (int, error) {
	if err := m.SetReadDeadline(time.Now().Add(m.timeout)); err != nil {
		return 0, err
	}
	return m.Conn.Read(b)
}

func (m *IdleTimeoutConn) Write(b []byte) (int, error) {
	if err := m.SetDeadline(time.Now().Add(m.timeout)); err != nil {
		return 0, err
	}
	return m.Conn.Write(b)
}
