package cloud

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"sync"
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
		return bulkConn{m}, nil
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

func (m *IdleTimeoutConn) Write(b []byte) (sent int, err error) {
	for {
		if err := m.SetDeadline(time.Now().Add(m.timeout)); err != nil {
			return sent, err
		}
		n, err := m.Conn.Write(b[sent:])
		sent += n
		if n == 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
			return sent, err
		}
	}
}

// bulkConn is an IdleTimeoutConn through which net/http sends bodies in larger pieces, where it is not below TLS. With
// its own pieces of 32 KiB, a backup takes 2 to 5 % more processor time, for system calls.
type bulkConn struct{ *IdleTimeoutConn }

const bulkPiece = 128 << 10 // larger pieces save no more

var bulkBuffers = sync.Pool{New: func() any { return new([bulkPiece]byte) }}

// ReadFrom implements io.ReaderFrom.
func (c bulkConn) ReadFrom(r io.Reader) (int64, error) {
	b := bulkBuffers.Get().(*[bulkPiece]byte)
	defer bulkBuffers.Put(b)
	return io.CopyBuffer(struct{ io.Writer }{c.IdleTimeoutConn}, r, b[:])
}
