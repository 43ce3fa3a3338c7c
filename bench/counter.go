//go:build linux

package main

import (
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"sync/atomic"
)

// counter is a proxy in front of the server that counts requests, and the bytes in their bodies and in the
// responses'. It costs time, so timed runs do not use it.
type counter struct {
	requests, sent, received atomic.Int64

	address string
	server  *http.Server
}

// traffic is a step's traffic with the server.
type traffic struct {
	Requests int64 `json:"requests"`
	Sent     int64 `json:"sent_bytes"`
	Received int64 `json:"received_bytes"`
}

// reset sets the counts to 0.
func (c *counter) reset() {
	c.requests.Store(0)
	c.sent.Store(0)
	c.received.Store(0)
}

func (c *counter) traffic() traffic {
	return traffic{c.requests.Load(), c.sent.Load(), c.received.Load()}
}

// counted counts the bytes read from a body.
type counted struct {
	io.ReadCloser
	n *atomic.Int64
}

func (c counted) Read(b []byte) (int, error) {
	n, err := c.ReadCloser.Read(b)
	c.n.Add(int64(n))
	return n, err
}

func newCounter(endpoint string) (*counter, error) {
	to, err := url.Parse(endpoint)
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	c := &counter{address: "http://" + l.Addr().String()}
	proxy := &httputil.ReverseProxy{Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(to)
		r.Out.Host = r.In.Host // the signature covers it
	}, ModifyResponse: func(r *http.Response) error {
		r.Body = counted{r.Body, &c.received}
		return nil
	}}
	c.server = &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c.requests.Add(1)
		if r.ContentLength != 0 { // a missing body differs from an empty one
			r.Body = counted{r.Body, &c.sent}
		}
		proxy.ServeHTTP(w, r)
	})}
	go c.server.Serve(l)
	return c, nil
}
