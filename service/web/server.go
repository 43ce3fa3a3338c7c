package web

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"
	"time"
)

// program is the program's name in commands for any host.
const program = "strongroom"

// Options configure a Server.
type Options struct {
	Listen  string           // host:port; without a token the host must be loopback
	Hosts   []string         // more host names of the server, such as a proxy's
	Token   string           // the bearer token to start runs; empty makes the server read-only
	Cert    string           // the file with the certificate chain for HTTPS; empty selects HTTP
	Key     string           // the file with its private key
	Command string           // the beginning of commands for this host on the page; empty selects strongroom
	Version string           // the program's version
	Now     func() time.Time // nil selects time.Now
	Log     *slog.Logger     // nil disables logging
}

// Server serves the page, the API and the metrics. Its methods are safe for concurrent
// use.
type Server struct {
	backend Backend
	o       Options
	hosts   hosts
	pages   *pages
	started time.Time

	certificate *certificate // nil selects HTTP
	limits      *limits
	refusals    refusalLog
}

// The limits of a request. Requests of browsers and monitors are far below them.
const (
	maxBody   = 4 << 10
	maxHeader = 16 << 10

	headerTimeout  = 5 * time.Second
	readTimeout    = 10 * time.Second
	backendTimeout = 25 * time.Second // for what a Backend reads from a provider
	pageTimeout    = 5 * time.Second  // the same, if the rest of a page does not depend on it
	writeTimeout   = 40 * time.Second
	idleTimeout    = 60 * time.Second
	stopTimeout    = 3 * time.Second // a part of the 10 s within which the program must end
)

// New checks the options and returns a server that does nothing before Serve. It returns an error for an address
// beyond loopback without a token.
func New(backend Backend, o Options) (*Server, error) {
	host, _, err := net.SplitHostPort(o.Listen)
	if err != nil {
		return nil, fmt.Errorf("http: cannot listen on %q: %w; write host:port, such as 127.0.0.1:8470", o.Listen, err)
	}
	if o.Token == "" && !loopback(host) {
		return nil, fmt.Errorf("http: refusing to listen on %s without a token, since other hosts could reach it; "+
			"set http.token_file, or listen on 127.0.0.1", o.Listen)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Command == "" {
		o.Command = program
	}
	p, err := newPages()
	if err != nil {
		return nil, fmt.Errorf("http: reading the pages: %w", err)
	}
	s := &Server{backend: backend, o: o, hosts: newHosts(host, o.Hosts), pages: p, started: o.Now(), limits: newLimits()}
	if o.Cert == "" && o.Key == "" {
		return s, nil
	}
	s.certificate, err = loadCertificate(o.Cert, o.Key, o.Log)
	if err != nil {
		return nil, err
	}
	return s, nil
}

// loopback reports whether only this machine can reach a host. The only accepted name is localhost: any other name
// may resolve to another address tomorrow.
func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// Listen opens the address, for Serve.
func (s *Server) Listen(ctx context.Context) (net.Listener, error) {
	l, err := new(net.ListenConfig).Listen(ctx, "tcp", s.o.Listen)
	if err != nil {
		return nil, fmt.Errorf("http: listening on %s: %w; is another strongroom running, or is the port in use?",
			s.o.Listen, err)
	}
	return l, nil
}

// Serve serves until ctx ends, and returns nil then. It closes the listener.
func (s *Server) Serve(ctx context.Context, l net.Listener) error {
	srv := s.httpServer()
	failed := make(chan error, 1)
	scheme := "http"
	var on net.Listener = newLimitedListener(l)
	if s.certificate != nil {
		scheme, on = "https", tls.NewListener(on, s.certificate.config())
	}
	go func() { failed <- srv.Serve(on) }()
	s.o.Log.Info("serving the status page", "address", scheme+"://"+l.Addr().String()+"/", "runs_can_be_started", s.o.Token != "")
	select {
	case err := <-failed:
		return fmt.Errorf("http: serving on %s: %w", l.Addr(), err)
	case <-ctx.Done():
	}
	// Requests in progress are completed, within stopTimeout.
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if err := srv.Shutdown(stop); err != nil {
		s.o.Log.Warn("requests were cut off at the stop", "error", err)
		err = srv.Close()
		if err != nil && !errors.Is(err, net.ErrClosed) {
			return fmt.Errorf("http: closing: %w", err)
		}
	}
	return nil
}

func (s *Server) httpServer() *http.Server {
	return &http.Server{
		Handler:           s.Handler(),
		MaxHeaderBytes:    maxHeader,
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		ConnContext:       withConnection,
		ErrorLog:          slog.NewLogLogger(s.o.Log.Handler(), slog.LevelDebug),
	}
}

// route is one method and pattern of http.ServeMux.
type route struct {
	pattern string
	handle  http.HandlerFunc
}

// routes lists everything that the server serves.
func (s *Server) routes() []route {
	all := []route{
		{"GET /healthz", s.healthz},
		{"GET /readyz", s.readyz},
		{"GET /metrics", s.metrics().ServeHTTP},
		{"GET /api/v1/openapi.json", s.openAPI},
		{"GET /api/v1/archives", s.apiArchives},
		{"GET /api/v1/archives/{name}", s.apiArchive},
		{"GET /api/v1/archives/{name}/snapshots", s.apiSnapshots},
		{"GET /api/v1/archives/{name}/snapshots/{sequence}", s.apiSnapshot},
		{"POST /api/v1/archives/{name}/confirm", s.apiConfirm},
		{"POST /api/v1/archives/{name}/pause", s.apiPause},
		{"POST /api/v1/archives/{name}/resume", s.apiResume},
		{"GET /{$}", s.indexPage},
		{"GET /archives/{name}", s.archivePage},
		{"GET /archives/{name}/snapshots/{sequence}", s.snapshotPage},
		{"POST /archives/{name}/confirm", s.confirmForm()},
		{"POST /archives/{name}/pause", s.pauseForm()},
		{"POST /archives/{name}/resume", s.resumeForm()},
		{"GET /assets/{file}", s.asset},
	}
	for _, task := range allTasks {
		all = append(all, route{"POST /api/v1/archives/{name}/" + task, s.apiRun(task)},
			route{"POST /archives/{name}/" + task, s.runForm(task)})
	}
	return all
}

// Handler returns the handler of all routes with the defences, except the time-outs and the limit of headers, which
// Serve adds.
func (s *Server) Handler() http.Handler {
	mux := http.NewServeMux()
	for _, r := range s.routes() {
		mux.HandleFunc(r.pattern, r.handle)
	}
	cross := http.NewCrossOriginProtection()
	cross.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.fail(w, r, http.StatusForbidden, "this request came from another site, which may not start anything here")
	}))
	return track(s.guard(s.bounded(cross.Handler(s.refuse(mux)))))
}

func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	io.WriteString(w, "ok\n")
}

// readyz responds with 200 if every archive's last run succeeded, and none is overdue or paused. Otherwise the body has
// one line for each archive that is not ready.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	var b strings.Builder
	for _, a := range s.backend.Archives() {
		if why := a.notReady(s.o.Now()); why != "" {
			fmt.Fprintf(&b, "%s: %s\n", clean(a.Name), why)
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	if b.Len() > 0 {
		w.WriteHeader(http.StatusServiceUnavailable)
		io.WriteString(w, b.String())
		return
	}
	io.WriteString(w, "ok\n")
}
