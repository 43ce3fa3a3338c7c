package web

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"github.com/strongroom-dev/strongroom/internal/disk"
)

const (
	// MaxCertificate bounds a certificate chain, and a key, in bytes.
	MaxCertificate = 1 << 20
	// patienceForFiles is how long a handshake waits until the files are read. Then it uses the previous certificate.
	patienceForFiles = time.Second
)

// certificate is the server's certificate. It is read again when its files change, since certificates are renewed. It
// is safe for concurrent use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu      sync.Mutex
	now     *tls.Certificate
	of      [2]fileVersion
	failure string        // the text of the error that was logged last; empty after a success
	reading chan struct{} // closed when the present read of the files ends; nil if there is none
	since   time.Time     // when it began
}

// fileVersion changes when a file is replaced.
type fileVersion struct {
	size    int64
	changed time.Time
}

// loadCertificate reads a certificate chain and its key.
func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	if err := c.renew(); err != nil {
		return nil, err
	}
	return c, nil
}

// renew reads the files if they have changed.
func (c *certificate) renew() error {
	c.mu.Lock()
	was := c.of
	c.mu.Unlock()
	version, err := disk.Within(context.Background(), c.certFile, 10*time.Second, c.version)
	if err != nil {
		return fmt.Errorf("http: reading the certificate: %w", err)
	}
	if version == was {
		return nil
	}
	pair, err := ReadCertificate(context.Background(), c.certFile, c.keyFile)
	if err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.of = pair, version
	return nil
}

func (c *certificate) version() (all [2]fileVersion, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return all, err
		}
		all[i] = fileVersion{info.Size(), info.ModTime()}
	}
	return all, nil
}

// ReadCertificate reads a certificate chain and its key, both in PEM. It returns an error if they do not belong
// together, if every user may read the key, and when ctx ends or the disk hangs.
func ReadCertificate(ctx context.Context, certFile, keyFile string) (*tls.Certificate, error) {
	key, info, err := disk.ReadSetting(ctx, keyFile, MaxCertificate)
	if err != nil {
		return nil, fmt.Errorf("http: reading the key of the certificate: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return nil, fmt.Errorf("http: every user may use the key in %s (mode %04o): chmod o= %s",
			keyFile, info.Mode().Perm(), keyFile)
	}
	chain, _, err := disk.ReadSetting(ctx, certFile, MaxCertificate)
	if err != nil {
		return nil, fmt.Errorf("http: reading the certificate: %w", err)
	}
	pair, err := tls.X509KeyPair(chain, key)
	if err != nil {
		return nil, fmt.Errorf("http: reading the certificate %s and its key %s: %w", certFile, keyFile, err)
	}
	return &pair, nil
}

// get implements tls.Config.GetCertificate. If the new files cannot be used, the certificate stays: the two files of a
// renewal are not replaced at the same moment. If the files cannot be read soon, the handshake goes on without them.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	c.mu.Lock()
	if c.reading == nil {
		c.reading, c.since = make(chan struct{}), time.Now()
		go c.readAgain(c.reading)
	}
	ended, left := c.reading, patienceForFiles-time.Since(c.since)
	c.mu.Unlock()
	if left > 0 {
		timer := time.NewTimer(left)
		defer timer.Stop()
		select {
		case <-ended:
		case <-timer.C:
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now, nil
}

// readAgain is one read of the files for the handshakes that come during it. It logs each error once.
func (c *certificate) readAgain(ended chan<- struct{}) {
	defer close(ended)
	err := c.renew()
	failure := ""
	if err != nil {
		failure = err.Error()
	}
	c.mu.Lock()
	isNew := failure != c.failure
	c.reading, c.failure = nil, failure
	c.mu.Unlock()
	if err != nil && isNew {
		c.log.Warn("the certificate's files cannot be used now; the previous certificate stays in use", "error", err)
	}
}

// config returns the configuration of a server with this certificate.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: c.get}
}
