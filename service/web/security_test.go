package web

import (
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

func TestHost(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		listen string
		hosts  []string
		yes    string
		no     string
	}{
		{"127.0.0.1:8470", nil, "127.0.0.1:8470 127.0.0.1 localhost:9 LOCALHOST. [::1]:8470", "evil.example 192.0.2.7:8470 localhost.evil.example 127.0.0.1.evil.example 169.254.169.254 [fe80::1]"},
		{"192.0.2.7:8470", nil, "192.0.2.7:8470 localhost:8470", "192.0.2.8:8470 evil.example"},
		{"nas.example:8470", nil, "nas.example:8470 NAS.example. 127.0.0.1:1", "evil.example evil.nas.example 192.0.2.7"},
		{"0.0.0.0:8470", nil, "192.0.2.7:8470 [2001:db8::1]:8470 localhost", "evil.example:8470 0.0.0.0.evil.example"},
		{":8470", []string{"backups.example"}, "backups.example backups.example:443 10.0.0.1", "evil.example"},
	} {
		s, err := New(filled(well("orders")), Options{Listen: c.listen, Hosts: c.hosts, Token: token})
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range []string{"/", "/metrics", "/healthz", "/api/v1/archives"} {
			for _, host := range strings.Fields(c.yes) {
				if w := ask(t, s, http.MethodGet, path, "", "Host", host); w.Code != http.StatusOK {
					t.Errorf("listening on %s, %s of %s: %d", c.listen, path, host, w.Code)
				}
			}
			for _, host := range append(strings.Fields(c.no), "") {
				if w := ask(t, s, http.MethodGet, path, "", "Host", host); w.Code != http.StatusMisdirectedRequest {
					t.Errorf("listening on %s, %s of %q: %d", c.listen, path, host, w.Code)
				}
			}
		}
	}
}

// posts are all requests that change anything.
var posts = []string{
	"/archives/orders/backup", "/api/v1/archives/orders/backup", "/archives/orders/confirm", "/api/v1/archives/orders/confirm",
	"/archives/orders/verify", "/api/v1/archives/orders/verify", "/archives/orders/drill", "/api/v1/archives/orders/drill",
	"/archives/orders/prune", "/api/v1/archives/orders/prune", "/archives/orders/pause", "/api/v1/archives/orders/pause",
	"/archives/orders/resume", "/api/v1/archives/orders/resume",
}

func TestCrossSite(t *testing.T) {
	t.Parallel()
	f := filled(refused("orders"))
	s := newServer(t, f, token)
	form := url.Values{"token": {token}, "confirmation": {"rollback:41-0a1b2c3d"}}.Encode()
	for _, path := range posts {
		for _, header := range [][2]string{
			{"Sec-Fetch-Site", "cross-site"},
			{"Sec-Fetch-Site", "same-site"},
			{"Origin", "https://evil.example"},
			{"Origin", "null"},
			{"Origin", "http://127.0.0.1:9999"},
		} {
			w := ask(t, s, http.MethodPost, path, form, header[0], header[1],
				"Authorization", "Bearer "+token, "Content-Type", "application/x-www-form-urlencoded")
			if w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), "another site") {
				t.Errorf("%s with %v: %d", path, header, w.Code)
			}
		}
	}
	if len(f.runs()) != 0 || len(f.confirmations()) != 0 || len(f.pauses) != 0 {
		t.Errorf("runs were started: %v, and accepted was %v", f.runs(), f.confirmations())
	}
	w := ask(t, s, http.MethodPost, "/archives/orders/backup", form, "Sec-Fetch-Site", "same-origin", "Origin", "http://127.0.0.1:8470",
		"Content-Type", "application/x-www-form-urlencoded")
	if w.Code != http.StatusSeeOther || len(f.runs()) != 1 {
		t.Errorf("from the page itself: %d, runs %v", w.Code, f.runs())
	}
}

func TestFormNeedsTheToken(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	const path = "/archives/orders/backup"
	post := func(s *Server, body string) (int, string) {
		w := ask(t, s, http.MethodPost, path, body, "Content-Type", "application/x-www-form-urlencoded")
		return w.Code, w.Body.String()
	}
	if code, page := post(newServer(t, f, token), "token=wrong"); code != http.StatusUnauthorized || !strings.Contains(page, `role="alert"`) {
		t.Errorf("a wrong token: %d %s", code, page)
	}
	// In the address it would stand in histories and logs.
	if w := ask(t, newServer(t, f, token), http.MethodPost, path+"?token="+token, ""); w.Code != http.StatusUnauthorized {
		t.Errorf("a token in the address: %d", w.Code)
	}
	if code, _ := post(newServer(t, f, ""), "token="); code != http.StatusForbidden {
		t.Errorf("without a token set: %d", code)
	}
	if page := get(t, newServer(t, f, ""), "/archives/orders"); strings.Contains(page, "<form") {
		t.Error("without a token set there is a form")
	}
	f.busy = true
	if code, page := post(newServer(t, f, token), "token="+token); code != http.StatusConflict || !strings.Contains(page, "is in progress") {
		t.Errorf("busy: %d %s", code, page)
	}
	if len(f.runs()) != 0 {
		t.Errorf("runs were started: %v", f.runs())
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	s := newServer(t, filled(well("orders")), token)
	for _, c := range []struct{ method, path, allow string }{
		{"POST", "/", "GET, HEAD"},
		{"DELETE", "/api/v1/archives/orders", "GET, HEAD"},
		{"PUT", "/metrics", "GET, HEAD"},
		{"GET", "/api/v1/archives/orders/backup", "POST"},
		{"GET", "/api/v1/archives/orders/confirm?confirmation=rollback:41-0a1b2c3d", "POST"},
		{"GET", "/archives/orders/confirm?confirmation=rollback:41-0a1b2c3d&token=" + token, "POST"},
		{"PUT", "/api/v1/archives/orders/confirm", "POST"},
		{"GET", "/api/v1/archives/orders/pause", "POST"},
		{"GET", "/archives/orders/resume?token=" + token, "POST"},
		{"DELETE", "/api/v1/archives/orders/verify", "POST"},
		{"OPTIONS", "/api/v1/archives", "GET, HEAD"},
		{"TRACE", "/healthz", "GET, HEAD"},
	} {
		w := ask(t, s, c.method, c.path, "")
		if w.Code != http.StatusMethodNotAllowed || w.Header().Get("Allow") != c.allow {
			t.Errorf("%s %s: %d, allowed %q", c.method, c.path, w.Code, w.Header().Get("Allow"))
		}
	}
	if w := ask(t, s, http.MethodHead, "/", ""); w.Code != http.StatusOK {
		t.Errorf("HEAD /: %d", w.Code)
	}
}

func TestPathTricks(t *testing.T) {
	t.Parallel()
	s := newServer(t, filled(well("orders")), token)
	for _, path := range []string{
		"/assets/", "/assets/..%2fweb.go", "/assets/%2e%2e%2ftemplates%2flayout.html", "/assets/style.css/", "/assets/..%5cweb.go",
		"/templates/layout.html", "/assets/style.css%00", "/archives/", "/archives/..%2f..%2fetc%2fpasswd", "/archives/orders%00",
		"/archives/orders/snapshots/", "/archives/orders/snapshots/-1", "/.git/config", "/index.html", "/favicon.ico",
	} {
		if w := ask(t, s, http.MethodGet, path, ""); w.Code != http.StatusNotFound {
			t.Errorf("%s: %d", path, w.Code)
		}
	}
	for _, path := range []string{"//evil.example/..", "/archives/../../etc/passwd", "/./metrics"} {
		r := httptest.NewRequest(http.MethodGet, "http://127.0.0.1:8470/", nil)
		r.URL.Path = path
		w := httptest.NewRecorder()
		s.Handler().ServeHTTP(w, r)
		if to := w.Header().Get("Location"); strings.HasPrefix(to, "//") || strings.Contains(to, "..") || w.Code == http.StatusOK {
			t.Errorf("%s: %d, to %q", path, w.Code, to)
		}
	}
}

func TestBodiesAreBounded(t *testing.T) {
	t.Parallel()
	f := filled(well("orders"))
	s := newServer(t, f, token)
	giant := "token=" + token + "&x=" + strings.Repeat("x", maxBody)
	for _, path := range append(slices.Clone(posts), "/") {
		for name, length := range map[string]int64{"output": int64(len(giant)), "chunked": -1} {
			r := httptest.NewRequest(http.MethodPost, "http://127.0.0.1:8470"+path, io.MultiReader(strings.NewReader(giant)))
			r.ContentLength = length
			r.Header.Set("Authorization", "Bearer "+token)
			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			w := httptest.NewRecorder()
			s.Handler().ServeHTTP(w, r)
			want := http.StatusRequestEntityTooLarge
			if path == "/" && length < 0 {
				want = http.StatusMethodNotAllowed // no handler reads that body
			}
			if w.Code != want {
				t.Errorf("%s, length %s: %d", path, name, w.Code)
			}
		}
	}
	if len(f.runs()) != 0 {
		t.Errorf("runs were started: %v", f.runs())
	}
}

func TestSecurityHeaders(t *testing.T) {
	t.Parallel()
	s := newServer(t, filled(well("orders")), token)
	for _, path := range []string{"/", "/archives/orders", "/assets/style.css", "/metrics", "/api/v1/archives", "/nothing"} {
		h := ask(t, s, http.MethodGet, path, "").Header()
		csp := h.Get("Content-Security-Policy")
		if !strings.HasPrefix(csp, "default-src 'none'") || !strings.Contains(csp, "frame-ancestors 'none'") || strings.Contains(csp, "unsafe") {
			t.Errorf("%s: the policy is %q", path, csp)
		}
		if h.Get("X-Content-Type-Options") != "nosniff" || h.Get("Referrer-Policy") != "no-referrer" || h.Get("Content-Type") == "" {
			t.Errorf("%s: %v", path, h)
		}
	}
}

func TestHostileNamesAreHarmless(t *testing.T) {
	t.Parallel()
	a := well(hostile)
	a.Destination, a.Layout, a.LastFailure = "s3://x/"+hostile, hostile, Failure{At: noon, Error: hostile}
	a.FailuresInRow, a.Damaged = 1, []string{hostile}
	a.RecoverableThrough.File = hostile
	a.History[47].Error, a.History[47].Outcome = hostile, Failed
	a.ProviderErrors = map[string]int64{hostile: 1, "\xff": 2}
	f := filled(a)
	f.snapshots[118].State, f.snapshots[118].Error = hostile, hostile
	s := newServer(t, f, token)
	path := "/archives/" + url.PathEscape(hostile)
	for _, target := range []string{"/", path, path + "/snapshots/120", path + "?before=50", "/readyz", "/metrics"} {
		body := get2(t, s, target)
		if strings.Contains(body, "\u202e") {
			t.Errorf("%s: the direction of writing is turned", target)
		}
		if target[1:] != "readyz" && target[1:] != "metrics" && strings.Contains(body, "<script>") {
			t.Errorf("%s: a script from a name", target)
		}
	}
	f.err = fmt.Errorf("listing: %s", hostile)
	if body := get(t, s, path); strings.Contains(body, "<script>") || !strings.Contains(body, "&lt;script&gt;") {
		t.Error("a script from an error")
	}
}

// get2 is the body, whatever the code.
func get2(t *testing.T, s *Server, target string) string {
	t.Helper()
	return ask(t, s, http.MethodGet, target, "").Body.String()
}
