package web

import (
	"crypto/tls"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// certificate is the server's certificate. It is read again when its files change, since certificates are renewed. It
// is safe for concurrent use.
type certificate struct {
	certFile, keyFile string
	log               *slog.Logger

	mu     sync.Mutex
	now    *tls.Certificate
	of     [2]fileVersion
	failed [2]fileVersion // the version whose error was logged
}

// fileVersion changes when a file is replaced.
type fileVersion struct {
	size    int64
	changed time.Time
}

// loadCertificate reads a certificate chain and its key.
func loadCertificate(certFile, keyFile string, log *slog.Logger) (*certificate, error) {
	c := &certificate{certFile: certFile, keyFile: keyFile, log: log}
	version, err := c.version()
	if err != nil {
		return nil, err
	}
	if err := c.load(version); err != nil {
		return nil, err
	}
	return c, nil
}

func (c *certificate) version() (all [2]fileVersion, err error) {
	for i, name := range []string{c.certFile, c.keyFile} {
		info, err := os.Stat(name)
		if err != nil {
			return all, fmt.Errorf("http: reading the certificate: %w", err)
		}
		all[i] = fileVersion{info.Size(), info.ModTime()}
	}
	return all, nil
}

// load reads the files, with c.mu held or before c is used.
func (c *certificate) load(version [2]fileVersion) error {
	info, err := os.Stat(c.keyFile)
	if err != nil {
		return fmt.Errorf("http: reading the key of the certificate: %w", err)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return fmt.Errorf("http: every user may use the key in %s (mode %04o): chmod o= %s", c.keyFile, info.Mode().Perm(), c.keyFile)
	}
	pair, err := tls.LoadX509KeyPair(c.certFile, c.keyFile)
	if err != nil {
		return fmt.Errorf("http: reading the certificate %s and its key %s: %w", c.certFile, c.keyFile, err)
	}
	c.now, c.of = &pair, version
	return nil
}

// get implements tls.Config.GetCertificate. If the new files cannot be used, the certificate stays: the two files of a
// renewal are not replaced at the same moment.
func (c *certificate) get(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	version, err := c.version()
	c.mu.Lock()
	defer c.mu.Unlock()
	if err == nil && version != c.of {
		err = c.load(version)
	}
	if err != nil && version != c.failed {
		c.failed = version
		c.log.Warn("the certificate was changed and cannot be used; the previous one stays in use", "error", err)
	}
	return c.now, nil
}

// config returns the configuration of a server with this certificate.
func (c *certificate) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, GetCertificate: c.get}
}
