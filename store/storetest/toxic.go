package storetest

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"
)

// envToxiproxy names the HOST:PORT of a toxiproxy server, which creates proxies.
const envToxiproxy = "STRONGROOM_TEST_TOXIPROXY"

// Proxy is a proxy in front of a server that disturbs connections as a test requires. It is removed at the end of
// its test. Only the test's goroutine may use it.
type Proxy struct {
	api      string // the address of the toxiproxy server
	name     string // a new one for each Up
	address  string // the address that it listens on while it is up
	upstream string
	client   http.Client
	up       bool
}

// The directions of a Toxic.
const (
	Upload   = "upstream"   // from us to the server
	Download = "downstream" // from the server to us
)

// Toxic is one disturbance, in the terms of toxiproxy.
type Toxic struct {
	Type       string         `json:"type"`     // "latency", "bandwidth", "timeout", "reset_peer", "limit_data", "slicer"
	Stream     string         `json:"stream"`   // Upload or Download
	Toxicity   float64        `json:"toxicity"` // the part of the connections that it affects; 0 means all
	Attributes map[string]int `json:"attributes,omitempty"`
}

// Behind creates a proxy in front of the server of an archive's URL, and returns the URL of the same archive
// through the proxy. Without a toxiproxy server the test fails.
func Behind(t *testing.T, archiveURL string) (string, *Proxy) {
	t.Helper()
	u, err := url.Parse(archiveURL)
	if err != nil {
		t.Fatal(err)
	}
	q := u.Query()
	if domain := q.Get("domain"); domain != "" { // Azure's
		p := newProxy(t, domain)
		q.Set("domain", p.address)
		u.RawQuery = q.Encode()
		return u.String(), p
	}
	endpoint, err := url.Parse(q.Get("endpoint"))
	if err != nil || endpoint.Host == "" {
		t.Fatalf("%s has no endpoint for a proxy (%v)", archiveURL, err)
	}
	p := newProxy(t, endpoint.Host)
	endpoint.Host = p.address
	q.Set("endpoint", endpoint.String())
	u.RawQuery = q.Encode()
	return u.String(), p
}

// newProxy makes a proxy on a free port in front of a HOST:PORT.
func newProxy(t *testing.T, upstream string) *Proxy {
	t.Helper()
	api := os.Getenv(envToxiproxy)
	if api == "" {
		t.Fatalf("%s is not set: no server to create proxies; run make test, or go test -short", envToxiproxy)
	}
	p := &Proxy{
		api: "http://" + api, address: "127.0.0.1:0", upstream: upstream,
		// Toxiproxy closes a connection after ten seconds without a request, which can cross a new request.
		client: http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second},
	}
	t.Cleanup(func() {
		if err := p.take(); err != nil {
			t.Errorf("removing the proxy: %v", err)
		}
	})
	p.Up(t)
	return p
}

// Add disturbs all connections, open and future ones.
func (p *Proxy) Add(t *testing.T, toxics ...Toxic) {
	t.Helper()
	for _, x := range toxics {
		if x.Toxicity == 0 {
			x.Toxicity = 1
		}
		if _, err := p.call(http.MethodPost, "/proxies/"+p.name+"/toxics", x); err != nil {
			t.Fatalf("making the network worse: %v", err)
		}
	}
}

// Change changes the attributes of an added toxic.
func (p *Proxy) Change(t *testing.T, x Toxic) {
	t.Helper()
	if _, err := p.call(http.MethodPost, p.toxic(x), map[string]any{"attributes": x.Attributes}); err != nil {
		t.Fatalf("changing the network: %v", err)
	}
}

// Remove removes a toxic. Toxiproxy can do so safely only if both sides read the data that is sent to them;
// otherwise use Heal.
func (p *Proxy) Remove(t *testing.T, x Toxic) {
	t.Helper()
	if _, err := p.call(http.MethodDelete, p.toxic(x), nil); err != nil {
		t.Fatalf("making the network better: %v", err)
	}
}

func (p *Proxy) toxic(x Toxic) string {
	return "/proxies/" + p.name + "/toxics/" + x.Type + "_" + x.Stream
}

// Down breaks all connections and refuses new ones, until Up.
func (p *Proxy) Down(t *testing.T) {
	t.Helper()
	if err := p.take(); err != nil {
		t.Fatalf("taking the network down: %v", err)
	}
}

// take removes the proxy if it exists.
func (p *Proxy) take() error {
	if !p.up {
		return nil
	}
	p.up = false
	_, err := p.call(http.MethodDelete, "/proxies/"+p.name, nil)
	return err
}

// Up accepts new connections without disturbance, at the proxy's former address.
func (p *Proxy) Up(t *testing.T) {
	t.Helper()
	if p.up {
		return
	}
	p.name = rand.Text()
	var made struct {
		Listen string `json:"listen"`
	}
	ask := map[string]string{"name": p.name, "listen": p.address, "upstream": p.upstream}
	var err error
	Eventually(t, "the proxy gets its port", func() bool { // another process may use it for a moment
		var b []byte
		if b, err = p.call(http.MethodPost, "/proxies", ask); err == nil {
			err = json.Unmarshal(b, &made)
		}
		return err == nil
	}, func() string { return fmt.Sprint(err) })
	p.up, p.address = true, made.Listen
}

// Heal breaks all connections and then accepts new ones without disturbance. For a moment it refuses them.
func (p *Proxy) Heal(t *testing.T) {
	t.Helper()
	p.Down(t)
	p.Up(t)
}

// Sent returns the number of bytes sent to the server since Up, including requests, over connections that have
// ended. Down ends all connections; the count follows a moment later.
func (p *Proxy) Sent(t *testing.T) int64 {
	t.Helper()
	b, err := p.call(http.MethodGet, "/metrics", nil)
	if err != nil {
		t.Fatalf("counting bytes: %v", err)
	}
	for line := range strings.Lines(string(b)) {
		if strings.HasPrefix(line, "toxiproxy_proxy_received_bytes_total{") &&
			strings.Contains(line, `direction="`+Upload+`"`) && strings.Contains(line, `proxy="`+p.name+`"`) {
			n, err := strconv.ParseFloat(strings.TrimSpace(line[strings.LastIndex(line, " "):]), 64)
			if err != nil {
				t.Fatalf("counting bytes: %q: %v", line, err)
			}
			return int64(n)
		}
	}
	return 0
}

// call sends a request to the toxiproxy server and returns the response's body.
func (p *Proxy) call(method, path string, ask any) ([]byte, error) {
	var body bytes.Buffer
	if ask != nil {
		if err := json.NewEncoder(&body).Encode(ask); err != nil {
			return nil, err
		}
	}
	request, err := http.NewRequestWithContext(context.Background(), method, p.api+path, &body)
	if err != nil {
		return nil, err
	}
	response, err := p.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	b, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode >= http.StatusMultipleChoices {
		err = fmt.Errorf("%s %s: %s: %s", method, path, response.Status, bytes.TrimSpace(b))
	}
	return b, err
}

// waitLimit bounds a wait, far above any expected time.
const waitLimit = 10 * time.Minute

// Eventually calls so repeatedly until it returns true. After waitLimit it fails the test with what, the awaited
// condition, and the state that stand returns.
func Eventually(t *testing.T, what string, so func() bool, stand func() string) {
	t.Helper()
	deadline := time.Now().Add(waitLimit)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v, this is still not true: %s: %s", waitLimit, what, stand())
		}
		time.Sleep(10 * time.Millisecond)
	}
}
