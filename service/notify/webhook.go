package notify

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"time"
)

// Payload is the JSON body of a webhook request. Times are in UTC.
type Payload struct {
	Archive            string     `json:"archive"`
	Archives           []string   `json:"archives"` // all that the state is sent for; Archive is the first
	State              State      `json:"state"`
	Was                State      `json:"was"` // the state delivered to this target before; empty if uncertain
	At                 time.Time  `json:"at"`  // when the state began
	Detail             string     `json:"detail"`
	RecoverableThrough *time.Time `json:"recoverable_through"` // null if unknown
}

// web sends to one heartbeat or webhook.
type web struct {
	url     string
	shown   string // the redacted target, for errors
	secrets *regexp.Regexp
	o       Options
}

// transport returns a transport that keeps no connections: hours pass between notifications, and an idle service
// should hold no resources.
func transport() *http.Transport {
	return &http.Transport{
		Proxy:                  http.ProxyFromEnvironment,
		DisableKeepAlives:      true,
		MaxResponseHeaderBytes: 64 << 10,
	}
}

func (w *web) ping(ctx context.Context, _ message) error {
	return w.do(ctx, http.MethodGet, nil)
}

func (w *web) post(ctx context.Context, l message) error {
	p := Payload{
		Archive: clean(w.o.Archive, maxName),
		State:   l.State,
		Was:     l.was,
		At:      l.At.UTC(),
		Detail:  cleanLines(l.Detail),
	}
	p.Archives = []string{p.Archive}
	for _, name := range l.others {
		p.Archives = append(p.Archives, clean(name, maxName))
	}
	if !l.Recoverable.IsZero() {
		t := l.Recoverable.UTC()
		p.RecoverableThrough = &t
	}
	body, err := json.Marshal(p)
	if err != nil {
		return fmt.Errorf("writing the JSON: %w", err)
	}
	return w.do(ctx, http.MethodPost, body)
}

// do sends one request. It does not read the response's body: the status is sufficient.
func (w *web) do(ctx context.Context, method string, body []byte) error {
	var wrote atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{WroteHeaders: func() { wrote.Store(true) }})
	req, err := http.NewRequestWithContext(ctx, method, w.url, bytes.NewReader(body))
	if err != nil {
		return w.fault(method, err, false)
	}
	req.Header.Set("User-Agent", strings.TrimSuffix("strongroom/"+w.o.Version, "/"))
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{Transport: w.o.Transport, CheckRedirect: near}
	answer, err := client.Do(req)
	if err != nil {
		return w.fault(method, err, wrote.Load())
	}
	answer.Body.Close()
	switch {
	case answer.StatusCode >= 200 && answer.StatusCode < 300:
		return nil
	case answer.StatusCode >= 300 && answer.StatusCode < 400:
		return fmt.Errorf("%s %s: status %d, a redirect to another host or method, which is not followed; "+
			"configure the URL that it leads to", method, w.shown, answer.StatusCode)
	}
	return fmt.Errorf("%s %s: status %d %s", method, w.shown, answer.StatusCode, http.StatusText(answer.StatusCode))
}

// fault returns an error of net/http without the URL that it quotes.
func (w *web) fault(method string, err error, doubt bool) error {
	var quoted *url.Error
	if errors.As(err, &quoted) {
		err = quoted.Err
	}
	hidden := fmt.Errorf("%s %s: %s", method, w.shown, scrub(err.Error(), w.secrets))
	if doubt {
		return fmt.Errorf("%w; %w", hidden, errUncertain)
	}
	return hidden
}

// near allows only redirects that keep the scheme, host and method.
func near(req *http.Request, via []*http.Request) error {
	first := via[0]
	if req.URL.Scheme != first.URL.Scheme || req.URL.Host != first.URL.Host || req.Method != first.Method || len(via) > 5 {
		return http.ErrUseLastResponse
	}
	return nil
}
