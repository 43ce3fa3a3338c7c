package cloud

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"time"
)

// The timeouts of a connection. Options.Timeout is a further one.
const (
	connectTimeout   = 10 * time.Second // name lookup and TCP
	handshakeTimeout = 10 * time.Second // TLS
	continueTimeout  = 2 * time.Second  // for "100 Continue"; without an answer the body is sent
	idleKeep         = 45 * time.Second // an idle connection is closed before its deadline passes
)

// Tune sets up an SDK's transport. All waits have a timeout, and a connection without traffic for o.Timeout
// fails. HTTP/2 is off: it would put all parts on one connection.
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
	hideProxy(tr)
	tr.OnProxyConnectResponse = func(_ context.Context, proxy *url.URL, _ *http.Request, answer *http.Response) error {
		if answer.StatusCode == http.StatusOK {
			return nil
		}
		return &ProxyError{Host: proxy.Host, Status: answer.Status}
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

// errProxy replaces the error for a proxy that is no URL: that error quotes the proxy, with its password.
var errProxy = errors.New("the proxy in HTTPS_PROXY, HTTP_PROXY or ALL_PROXY is not a URL; write http://host:port, " +
	"with special characters percent-encoded")

func hideProxy(tr *http.Transport) {
	proxy := tr.Proxy
	if proxy == nil {
		return
	}
	tr.Proxy = func(r *http.Request) (*url.URL, error) {
		u, err := proxy(r)
		if err != nil {
			return nil, errProxy
		}
		return u, nil
	}
}

// IdleTimeoutConn is a connection that fails if no byte moves for a timeout: each read and each write sets
// a new deadline. A write also extends the deadline of the read that net/http always has pending, so that
// the wait for the answer outlasts a long upload.
type IdleTimeoutConn struct {
	net.Conn
	timeout time.Duration
}

// NewIdleTimeoutConn returns c with an idle timeout.
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
