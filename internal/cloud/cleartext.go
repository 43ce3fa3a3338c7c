package cloud

import (
	"log/slog"
	"net"
	"net/url"
	"strings"
	"sync"
)

// warned has the hosts that a warning of WarnOfClearText has named.
var warned sync.Map

// WarnOfClearText logs a warning if an endpoint is reached over http, once for each host in the life of the process.
// Requests to this host itself cross no network, so there is no warning.
func WarnOfClearText(log *slog.Logger, endpoint string, where RedactedURL) {
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" || isLoopback(u.Hostname()) {
		return
	}
	if _, again := warned.LoadOrStore(u.Host, true); again {
		return
	}
	log.Warn("the endpoint is reached over http: the content of objects and session tokens cross the network in clear; "+
		"use https, or a network that no other party can read", "endpoint", u.Scheme+"://"+u.Host, "archive", where)
}

func isLoopback(host string) bool {
	if ip := net.ParseIP(host); ip != nil {
		return ip.IsLoopback()
	}
	return host == "localhost" || strings.HasSuffix(host, ".localhost")
}
