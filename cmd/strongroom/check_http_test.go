package main

import (
	"bytes"
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/strongroom-dev/strongroom/config"
	"github.com/strongroom-dev/strongroom/store/storecheck"
)

// expectFinding compares a finding's result, and a part of its text.
func expectFinding(t *testing.T, what string, f storecheck.Finding, result storecheck.Outcome, text string) {
	t.Helper()
	if f.Result != result || !strings.Contains(f.Detail, text) {
		t.Errorf("%s: got %+v, want %s with %q", what, f, result, text)
	}
}

// An expired certificate, or one with another key, stops monitoring without a trace in the archives. The warning comes
// while there is time to renew it.
func TestCheckOfTheCertificate(t *testing.T) {
	t.Parallel()
	ends := time.Now().Add(90 * 24 * time.Hour)
	certFile, keyFile := writeTLSUntil(t, t.TempDir(), ends)
	good := config.HTTP{CertFile: certFile, KeyFile: keyFile}
	for what, c := range map[string]struct {
		at     time.Time
		result storecheck.Outcome
		text   string
	}{
		"fifteen days before the end": {ends.Add(-15 * 24 * time.Hour), storecheck.Good, "is valid until"},
		"thirteen days before":        {ends.Add(-13 * 24 * time.Hour), storecheck.Note, "expires soon"},
		"after the end":               {ends.Add(time.Second), storecheck.Failed, "expired"},
		"before the beginning":        {time.Now().Add(-2 * time.Hour), storecheck.Failed, "not valid before"},
	} {
		expectFinding(t, what, certificateFinding(t.Context(), &good, c.at), c.result, c.text)
	}

	_, otherKey := writeTLS(t, t.TempDir())
	_, openKey := writeTLS(t, t.TempDir())
	if err := os.Chmod(openKey, 0o644); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for what, c := range map[string]struct{ cert, key, text string }{
		"another key":          {certFile, otherKey, "does not match"},
		"a key for every user": {certFile, openKey, "every user may use the key"},
		"no certificate":       {dir + "/gone.crt", keyFile, "gone.crt"},
		"no key":               {certFile, dir + "/gone.key", "gone.key"},
		"a directory":          {dir, keyFile, "regular file"},
		"the key twice":        {keyFile, keyFile, "may have been switched"},
	} {
		f := certificateFinding(t.Context(), &config.HTTP{CertFile: c.cert, KeyFile: c.key}, time.Now())
		expectFinding(t, what, f, storecheck.Failed, c.text)
	}
}

// A chain is valid only as long as each of its certificates.
func TestCheckOfTheCertificateReadsTheWholeChain(t *testing.T) {
	t.Parallel()
	certFile, keyFile := writeTLSUntil(t, t.TempDir(), time.Now().Add(90*24*time.Hour))
	old, _ := writeTLSUntil(t, t.TempDir(), time.Now().Add(-time.Minute))
	var chain []byte
	for _, file := range []string{certFile, old} {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		chain = append(chain, b...)
	}
	if err := os.WriteFile(certFile, chain, 0o600); err != nil {
		t.Fatal(err)
	}
	f := certificateFinding(t.Context(), &config.HTTP{CertFile: certFile, KeyFile: keyFile}, time.Now())
	expectFinding(t, "the second one has expired", f, storecheck.Failed, "expired")
}

// The address of a running service is in use, which is right only for the service of this configuration.
func TestCheckOfTheAddress(t *testing.T) {
	t.Parallel()
	serve := func(text string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(text)) }))
		t.Cleanup(s.Close)
		return s.Listener.Addr().String()
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	go func() { // a program with another protocol
		for {
			c, err := silent.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	secure := httptest.NewTLSServer(http.NotFoundHandler())
	t.Cleanup(secure.Close)
	for what, c := range map[string]struct {
		listen string
		result storecheck.Outcome
		text   string
	}{
		"a free port":           {"127.0.0.1:0", storecheck.Good, "free"},
		"its own service":       {serve(`{"archives": [{"name": "new"}, {"name": "orders"}]}`), storecheck.Good, "runs there"},
		"another service":       {serve(`{"archives": [{"name": "bills"}]}`), storecheck.Failed, "no archive of this configuration"},
		"another web server":    {serve(`<html>`), storecheck.Failed, "is not strongroom"},
		"another protocol":      {silent.Addr().String(), storecheck.Failed, "in use"},
		"a service with HTTPS":  {secure.Listener.Addr().String(), storecheck.Failed, "speaks HTTPS"},
		"an address elsewhere":  {"192.0.2.1:8470", storecheck.Failed, "without a token"},
		"every address":         {":0", storecheck.Failed, "without a token"},
		"a port that is a name": {"127.0.0.1:strongroom", storecheck.Failed, "listening on"},
	} {
		own := &config.Config{HTTP: &config.HTTP{Listen: c.listen}, Archives: []config.Archive{{Name: "orders"}}}
		expectFinding(t, what, listenFinding(t.Context(), own), c.result, c.text)
	}
	own := &config.Config{HTTP: &config.HTTP{Listen: "192.0.2.1:8470", TokenFile: "/token"}}
	expectFinding(t, "an address of another host", listenFinding(t.Context(), own), storecheck.Failed, "192.0.2.1")
}

// The section http is part of the first report alone, so that a program that reads the list of archives finds archives
// in it and nothing else. A check of one archive does not test the section.
func TestCheckReportsHTTPInTheFirstReport(t *testing.T) {
	t.Parallel()
	dir, to := logs(t), t.TempDir()
	token := filepath.Join(to, "token")
	if err := os.WriteFile(token, []byte(theToken+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(to, "strongroom.yaml")
	text := "state_dir: " + to + "/state\nhttp: {listen: 127.0.0.1:0, token_file: " + token + "}\narchives:\n" +
		inDir("a", dir, to+"/a", "") + inDir("b", dir, to+"/b", "")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	check := func(args ...string) (reports []checkReport, code int, errs string) {
		var out, log bytes.Buffer
		code = run(append([]string{"--config", file, "check", "--quick", "--json"}, args...), &out, &log)
		if err := json.Unmarshal(out.Bytes(), &reports); err != nil {
			t.Fatalf("%v: %s%s", err, out.String(), log.String())
		}
		return reports, code, log.String()
	}
	reports, code, errs := check()
	if len(reports) != 2 || reports[0].HTTP == nil || reports[1].HTTP != nil || code != exitFailed || !strings.Contains(errs, "http section") {
		t.Fatalf("exit code %d: %+v: %s", code, reports, errs)
	}
	h := reports[0].HTTP
	if h.Listen != "127.0.0.1:0" || len(h.Findings) != 2 {
		t.Fatalf("%+v", h)
	}
	expectFinding(t, "listen", h.Findings[0], storecheck.Good, "free")
	expectFinding(t, "token", h.Findings[1], storecheck.Failed, "every user may read")
	if reports, code, errs := check("a"); len(reports) != 1 || reports[0].HTTP != nil || code != exitDone {
		t.Errorf("of one archive: exit code %d: %+v: %s", code, reports, errs)
	}
	if err := os.Chmod(token, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, code, errs := check(); code != exitDone {
		t.Errorf("with a good token: exit code %d: %s", code, errs)
	}
}
