package web

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// hosts are the accepted values of a request's Host header. A browser that reaches the service by another site's
// name sends that name.
type hosts struct {
	names map[string]bool
	any   bool // accepts every address; names are still checked
}

func newHosts(listen string, more []string) hosts {
	h := hosts{names: map[string]bool{"localhost": true}}
	if a, err := netip.ParseAddr(listen); listen == "" || err == nil && a.IsUnspecified() {
		// Rebinding needs a name: an address cannot be rebound.
		h.any = true
	} else {
		h.names[canonical(listen)] = true
	}
	for _, name := range more {
		h.names[canonical(name)] = true
	}
	return h
}

// canonical returns a host for comparison: without a last dot, in lower case.
func canonical(host string) string { return strings.ToLower(strings.TrimSuffix(host, ".")) }

// allow reports whether the service accepts this Host. It ignores the port, since a proxy or a forwarded port has
// another one.
func (h hosts) allow(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	}
	if a, err := netip.ParseAddr(name); err == nil && (h.any || a.Unmap().IsLoopback()) {
		return true
	}
	return h.names[canonical(name)]
}

// policy allows a page its own style sheet, script, icon and forms, and nothing else.
const policy = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; " +
	"form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// guard sets the headers of every response. It refuses requests for other hosts and bodies that are too large.
func (s *Server) guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Content-Security-Policy", policy)
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cross-Origin-Opener-Policy", "same-origin")
		h.Set("Cross-Origin-Resource-Policy", "same-origin")
		h.Set("Cache-Control", "no-store")
		if !s.hosts.allow(r.Host) {
			s.fail(w, r, http.StatusMisdirectedRequest,
				"the host of this request is not one of this service; use the host of http.listen, or localhost")
			return
		}
		if r.ContentLength > maxBody {
			h.Set("Connection", "close")
			s.fail(w, r, http.StatusRequestEntityTooLarge, fmt.Sprintf("the body is larger than %d bytes", maxBody))
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}

// refuse responds to requests without a route, with 404 or 405. The mux decides which of them applies and lists the
// allowed methods.
func (s *Server) refuse(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler, pattern := mux.Handler(r)
		if pattern != "" {
			mux.ServeHTTP(w, r)
			return
		}
		probe := &status{header: make(http.Header)}
		handler.ServeHTTP(probe, r)
		if allow := probe.header.Get("Allow"); allow != "" {
			w.Header().Set("Allow", allow)
			s.fail(w, r, http.StatusMethodNotAllowed, "this method is not allowed here; allowed: "+allow)
			return
		}
		s.fail(w, r, http.StatusNotFound, "there is nothing here")
	})
}

// status records a response's headers and drops the rest.
type status struct{ header http.Header }

func (s *status) Header() http.Header         { return s.header }
func (s *status) Write(b []byte) (int, error) { return len(b), nil }
func (s *status) WriteHeader(int)             {}

// fail responds with an error, as JSON below /api/ and as a page elsewhere.
func (s *Server) fail(w http.ResponseWriter, r *http.Request, code int, message string) {
	if strings.HasPrefix(r.URL.Path, "/api/") {
		writeJSON(w, code, apiError{Error: clean(message)})
		return
	}
	s.pages.render(w, code, "error", errorView{frame: s.frame(http.StatusText(code)), Code: code, Message: message})
}

func writeJSON(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	e := json.NewEncoder(w) // escapes <, > and &
	// An error means that the client has disconnected, so it cannot be reported.
	_ = e.Encode(v)
}
