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

// envToxiproxy names the HOST:PORT of a toxiproxy, which makes proxies.
const envToxiproxy = "STRONGROOM_TEST_TOXIPROXY"

// Proxy stands in front of a server and hinders its connections in the ways that a test
// asks for. It goes away with its test. It is for one goroutine, that of the test.
type Proxy struct {
	api      string // address of the service that runs it
	name     string // another one each time that it comes up
	address  string // where it listens, while it is up
	upstream string
	client   http.Client
	up       bool
}

// The directions of a Toxic.
const (
	Upload   = "upstream"   // from us to the server
	Download = "downstream" // from the server to us
)

// Toxic is one hindrance, in the words of toxiproxy.
type Toxic struct {
	Type       string         `json:"type"`     // "latency", "bandwidth", "timeout", "reset_peer", "limit_data", "slicer"
	Stream     string         `json:"stream"`   // Upload or Download
	Toxicity   float64        `json:"toxicity"` // the share of the connections that suffer from it; 0: all
	Attributes map[string]int `json:"attributes,omitempty"`
}

// Behind puts a proxy in front of the server of an archive's URL, and gives the URL of
// the same archive by way of the proxy. Without a toxiproxy the test fails.
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
		t.Fatalf("%s has no endpoint before which a proxy could stand (%v)", archiveURL, err)
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
		t.Fatalf("%s is not set: nothing makes proxies; run make test, or go test -short", envToxiproxy)
	}
	p := &Proxy{
		api: "http://" + api, address: "127.0.0.1:0", upstream: upstream,
		// Toxiproxy closes a connection on which it was asked nothing for ten seconds, which a
		// request can cross on its way.
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

// Add hinders all connections, those that are open and those to come.
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

// Change gives a toxic that was added other attributes.
func (p *Proxy) Change(t *testing.T, x Toxic) {
	t.Helper()
	if _, err := p.call(http.MethodPost, p.toxic(x), map[string]any{"attributes": x.Attributes}); err != nil {
		t.Fatalf("changing the network: %v", err)
	}
}

// Remove takes a toxic away again. Toxiproxy can do so safely only where both sides read
// what is sent to them; elsewhere there is Heal.
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

// take removes the proxy, if it is there.
func (p *Proxy) take() error {
	if !p.up {
		return nil
	}
	p.up = false
	_, err := p.call(http.MethodDelete, "/proxies/"+p.name, nil)
	return err
}

// Up lets new connections through unhindered, at the address that the proxy had before.
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
	Eventually(t, "the proxy gets its port", func() bool { // perhaps another has it for a moment
		var b []byte
		if b, err = p.call(http.MethodPost, "/proxies", ask); err == nil {
			err = json.Unmarshal(b, &made)
		}
		return err == nil
	}, func() string { return fmt.Sprint(err) })
	p.up, p.address = true, made.Listen
}

// Heal breaks all connections and lets new ones through unhindered. For a moment they
// are refused.
func (p *Proxy) Heal(t *testing.T) {
	t.Helper()
	p.Down(t)
	p.Up(t)
}

// Sent is how many bytes have come from us to the server since Up, requests and all, over
// connections that have ended. Down ends all, and the count follows a moment later.
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

// call asks toxiproxy for something and gives its answer.
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

// waitLimit ends the wait for what does not come: far beyond what anything takes.
const waitLimit = 10 * time.Minute

// Eventually waits until something is so, which it asks for again and again. A test that
// waits for a minute fails, and tells what it waited for and how things stand.
func Eventually(t *testing.T, what string, so func() bool, stand func() string) {
	t.Helper()
	deadline := time.Now().Add(waitLimit)
	for !so() {
		if time.Now().After(deadline) {
			t.Fatalf("after %v it is still not so that %s: %s", waitLimit, what, stand())
		}
		time.Sleep(10 * time.Millisecond)
	}
}
