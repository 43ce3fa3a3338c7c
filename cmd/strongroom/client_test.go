package main

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/strongroom-dev/strongroom/config"
)

// A service that was started before the certificate came into the configuration, or went from it, speaks the other
// protocol. Without the reason, status reported that no service runs.
func TestServiceWithTheOtherProtocolIsRecognized(t *testing.T) {
	t.Parallel()
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.Write([]byte(`{"archives": []}`)) })
	plain, secure := httptest.NewServer(answer), httptest.NewTLSServer(answer)
	defer plain.Close()
	defer secure.Close()
	cert := filepath.Join(t.TempDir(), "tls.crt")
	text := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: secure.Certificate().Raw})
	if err := os.WriteFile(cert, text, 0o600); err != nil {
		t.Fatal(err)
	}
	for what, c := range map[string]struct {
		server *httptest.Server
		cert   string
		output string // "" if the service is reached
	}{
		"HTTP as configured":     {plain, "", ""},
		"HTTPS as configured":    {secure, cert, ""},
		"HTTP in place of HTTPS": {plain, cert, "speaks HTTP,"},
		"HTTPS in place of HTTP": {secure, "", "speaks HTTPS,"},
	} {
		_, err := askService(t.Context(), &config.HTTP{Listen: c.server.Listener.Addr().String(), CertFile: c.cert})
		if c.output == "" && err != nil ||
			c.output != "" && (!errors.Is(err, errOtherScheme) || !strings.Contains(err.Error(), c.output)) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
