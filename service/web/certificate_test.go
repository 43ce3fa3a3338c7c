package web

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"log/slog"
	"math/big"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

// writeCertificate writes a new certificate for 127.0.0.1 with this number, and its key, and returns their files.
func writeCertificate(t *testing.T, dir string, number int64) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(number), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, c, c, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	certFile, keyFile = filepath.Join(dir, "tls.crt"), filepath.Join(dir, "tls.key")
	for file, block := range map[string]*pem.Block{certFile: {Type: "CERTIFICATE", Bytes: der}, keyFile: {Type: "PRIVATE KEY", Bytes: secret}} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
		renewed := time.Now().Add(time.Duration(number) * time.Minute) // a file system may have a coarse clock
		if err := os.Chtimes(file, renewed, renewed); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// lockedLog is a log that the server and the test use.
type lockedLog struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lockedLog) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(b)
}

func (l *lockedLog) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// The service speaks TLS with the configured certificate, uses a renewed one without a restart, and keeps the old one
// while the new files do not fit together.
func TestTLS(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	certFile, keyFile := writeCertificate(t, dir, 1)
	var log lockedLog
	o := Options{Listen: "127.0.0.1:0", Cert: certFile, Key: keyFile, Log: slog.New(slog.NewTextHandler(&log, nil))}
	s, err := New(filled(well("orders")), o)
	if err != nil {
		t.Fatal(err)
	}
	addr := served(t, s)
	number := func() string {
		t.Helper()
		client := &http.Client{Transport: &http.Transport{
			DisableKeepAlives: true, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}, //nolint:gosec // the number is compared
		}}
		answer, err := client.Get("https://" + addr + "/healthz")
		if err != nil {
			t.Fatal(err)
		}
		answer.Body.Close()
		if answer.StatusCode != http.StatusOK || answer.ProtoMajor != 1 {
			t.Errorf("%s over %s", answer.Status, answer.Proto)
		}
		return answer.TLS.PeerCertificates[0].SerialNumber.String()
	}
	if got := number(); got != "1" {
		t.Errorf("certificate %s", got)
	}
	old, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	writeCertificate(t, dir, 2)
	fresh, err := os.ReadFile(keyFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(keyFile, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := number(); got != "1" {
		t.Errorf("with half of a renewal, certificate %s", got)
	}
	if err := os.WriteFile(keyFile, fresh, 0o600); err != nil {
		t.Fatal(err)
	}
	later := time.Now().Add(time.Hour)
	if err := os.Chtimes(keyFile, later, later); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(time.Minute); number() != "2"; time.Sleep(time.Millisecond) { // a slow disk delays it
		if time.Now().After(end) {
			t.Fatal("a renewed certificate is not used")
		}
	}
	if !strings.Contains(log.String(), "the previous certificate stays in use") {
		t.Errorf("the log does not have that: %s", log.String())
	}
	if answer, err := http.Get("http://" + addr + "/healthz"); err == nil {
		answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			t.Error("it also answers without TLS")
		}
	}
}

// A key that every user can read is no secret, and neither half of a pair is of use.
func TestCertificatesThatAreRefused(t *testing.T) {
	t.Parallel()
	certFile, keyFile := writeCertificate(t, t.TempDir(), 1)
	noKey := filepath.Join(t.TempDir(), "no.key")
	if err := os.WriteFile(noKey, []byte("no key"), 0o600); err != nil {
		t.Fatal(err)
	}
	for want, o := range map[string]Options{
		"no such file": {Cert: "/no/such", Key: keyFile}, "reading the certificate": {Cert: certFile},
		"failed to find any PEM data": {Cert: certFile, Key: noKey},
	} {
		o.Listen = "127.0.0.1:0"
		if _, err := New(&fake{}, o); err == nil || !strings.Contains(err.Error(), want) && !strings.Contains(err.Error(), "every user may use") {
			t.Errorf("%+v: %v", o, err)
		}
	}
	if err := os.Chmod(keyFile, 0o644); err != nil {
		t.Fatal(err)
	}
	_, err := New(&fake{}, Options{Listen: "127.0.0.1:0", Cert: certFile, Key: keyFile})
	if err == nil || !strings.Contains(err.Error(), "chmod o= "+keyFile) {
		t.Errorf("%v", err)
	}
}

// hanging is a disk that does not respond.
type hanging chan struct{}

func (h hanging) Change(_ *disk.Op, do func() error) error {
	<-h
	return do()
}

// A renewal on a disk that hangs delays handshakes for a second in all: the page and the metrics stay reachable, with the
// certificate that was read before.
func TestHandshakesWhileTheCertificateHangs(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		certFile, keyFile := writeCertificate(t, dir, 1)
		c, err := loadCertificate(certFile, keyFile, slog.New(slog.DiscardHandler))
		if err != nil {
			t.Fatal(err)
		}
		writeCertificate(t, dir, 2)
		h := make(hanging)
		stop := disk.Observe(dir, h)
		number := func() string {
			pair, err := c.get(nil)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := x509.ParseCertificate(pair.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			return leaf.SerialNumber.String()
		}
		start := time.Now()
		for range 100 {
			if got := number(); got != "1" {
				t.Errorf("certificate %s", got)
			}
		}
		if took := time.Since(start); took > 2*time.Second {
			t.Errorf("100 handshakes took %v", took)
		}
		close(h)
		stop()
		synctest.Wait()
		number() // may come while the first read of the files ends
		synctest.Wait()
		if got := number(); got != "2" {
			t.Errorf("once the disk responds, certificate %s", got)
		}
	})
}

// A pipe in the place of a certificate or a key is refused at the start, and later keeps the old certificate.
func TestCertificateThatIsAPipe(t *testing.T) {
	t.Parallel()
	for i := range 2 {
		certFile, keyFile := writeCertificate(t, t.TempDir(), 1)
		var log lockedLog
		c, err := loadCertificate(certFile, keyFile, slog.New(slog.NewTextHandler(&log, nil)))
		if err != nil {
			t.Fatal(err)
		}
		file := []string{certFile, keyFile}[i]
		if err := errors.Join(os.Remove(file), syscall.Mkfifo(file, 0o600)); err != nil {
			t.Skipf("this file system has no fifo: %v", err)
		}
		for range 3 {
			if pair, err := c.get(nil); pair == nil || err != nil {
				t.Errorf("%v, %v", pair, err)
			}
		}
		for end := time.Now().Add(time.Minute); !strings.Contains(log.String(), "is a named pipe"); time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("the log lacks it: %s", log.String())
			}
		}
		if _, err := loadCertificate(certFile, keyFile, slog.New(slog.DiscardHandler)); !errors.Is(err, disk.ErrNotRegular) {
			t.Errorf("%v", err)
		}
	}
}
