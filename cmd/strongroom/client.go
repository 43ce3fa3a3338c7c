package main

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	neturl "net/url"
	"strings"
	"time"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/internal/disk"
	"github.com/strongroom-dev/strongroom/service/web"
)

// serviceTimeout bounds a request to the running service.
const serviceTimeout = 10 * time.Second

// maxAnswer bounds a response in bytes. A service with thousands of archives sends less.
const maxAnswer = 64 << 20

// A serviceRequest is one request to the running service.
type serviceRequest struct {
	method, path string
	token        string // empty sends none
	body         []byte // JSON; nil sends none
}

// A serviceAnswer is a response of the service, with any status.
type serviceAnswer struct {
	code   int
	status string
	body   []byte
}

// callService sends a request to the service that the configuration describes. It returns an
// error only if no service responded.
func callService(ctx context.Context, h *config.HTTP, q serviceRequest) (_ *serviceAnswer, err error) {
	ctx, cancel := context.WithTimeout(ctx, serviceTimeout)
	defer cancel()
	host, port, err := net.SplitHostPort(h.Listen)
	if err != nil {
		return nil, fmt.Errorf("http.listen: %w", err)
	}
	if ip, err := netip.ParseAddr(host); host == "" || err == nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	scheme, transport := "http", &http.Transport{} // no proxy: the service is on this host
	if h.CertFile != "" {
		scheme = "https"
		if transport.TLSClientConfig, err = onlyCertificate(ctx, h.CertFile); err != nil {
			return nil, err
		}
	}
	url := scheme + "://" + net.JoinHostPort(host, port) + q.path
	r, err := http.NewRequestWithContext(ctx, q.method, url, bytes.NewReader(q.body))
	if err != nil {
		return nil, fmt.Errorf("calling the service: %w", err)
	}
	if q.token != "" {
		r.Header.Set("Authorization", "Bearer "+q.token)
	}
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	client := &http.Client{
		Transport:     transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	defer client.CloseIdleConnections()
	answer, err := client.Do(r)
	if err != nil && scheme == "https" && strings.Contains(err.Error(), "server gave HTTP response to HTTPS client") {
		return nil, fmt.Errorf("%w: the service on %s speaks HTTP, and http.cert_file makes it HTTPS", errOtherScheme, h.Listen)
	}
	if err != nil {
		return nil, fmt.Errorf("calling the service: %w", err)
	}
	defer func() { err = errors.Join(err, answer.Body.Close()) }()
	b, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	if err != nil {
		return nil, fmt.Errorf("reading the service's response: %w", err)
	}
	if scheme == "http" && answer.StatusCode == http.StatusBadRequest && bytes.Contains(b, []byte("HTTP request to an HTTPS server")) {
		return nil, fmt.Errorf("%w: the service on %s speaks HTTPS, and the configuration has no http.cert_file",
			errOtherScheme, h.Listen)
	}
	return &serviceAnswer{answer.StatusCode, answer.Status, b}, nil
}

// errOtherScheme reports a service that speaks HTTP where the configuration has HTTPS, or the reverse.
var errOtherScheme = errors.New("the service that runs does not use this configuration's http section, which needs a " +
	"restart to take effect; restart strongroom run, or name its configuration with --config")

// postToArchive sends a request that concerns an archive. orElse continues the advice of the error if no service responds.
func postToArchive(ctx context.Context, h *config.HTTP, name, action, token string, body []byte, orElse string) (*serviceAnswer, error) {
	answer, err := callService(ctx, h, serviceRequest{
		method: http.MethodPost, path: "/api/v1/archives/" + neturl.PathEscape(name) + "/" + action, token: token, body: body,
	})
	if err == nil || errors.Is(err, errOtherScheme) {
		return answer, err
	}
	return nil, fmt.Errorf("no running service: %w; start it with strongroom run%s", err, orElse)
}

// notStrongroom is the error of an answer that is not one of the service's.
func notStrongroom(h *config.HTTP, answer *serviceAnswer) error {
	return fmt.Errorf("the service on %s is not strongroom, or an older version: it responds with %s", h.Listen, answer.status)
}

// rejection is the error of an answer that rejects a request concerning an archive. what is the request, and why the
// answer's error.
func rejection(h *config.HTTP, name, what, why string, code int) error {
	switch code {
	case http.StatusUnauthorized:
		return fmt.Errorf("%s: the service uses another token than %s has: it reads the file only at its start", name, h.TokenFile)
	case http.StatusNotFound:
		return fmt.Errorf("%s: the service rejects %s: %s; does it use this configuration?", name, what, why)
	}
	return fmt.Errorf("%s: the service rejects %s: %s", name, what, why)
}

// onlyCertificate returns a configuration that accepts the certificate in a file, and no other. The address that the
// service listens on is seldom a name of that certificate, and its authority may be unknown here.
func onlyCertificate(ctx context.Context, file string) (*tls.Config, error) {
	text, _, err := disk.ReadSetting(ctx, file, web.MaxCertificate)
	if err != nil {
		return nil, fmt.Errorf("http.cert_file, to recognize the service: %w", err)
	}
	block, _ := pem.Decode(text)
	if block == nil {
		return nil, fmt.Errorf("http.cert_file: %s has no certificate in PEM", file)
	}
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		InsecureSkipVerify: true, //nolint:gosec // VerifyConnection compares the whole certificate
		VerifyConnection: func(s tls.ConnectionState) error {
			if len(s.PeerCertificates) == 0 || !bytes.Equal(s.PeerCertificates[0].Raw, block.Bytes) {
				return errors.New("the service has another certificate than the one in http.cert_file")
			}
			return nil
		},
	}, nil
}
