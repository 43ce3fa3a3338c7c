package main

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
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
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// SIGHUP and SIGUSR1 that come while the service starts take effect after the start. With hundreds of archives a start
// takes seconds, and a reload in them ended the service. The configuration is a fifo, so the signals come before any of
// it is read.
func TestSignalsDuringTheStart(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	s := &served{t: t, config: filepath.Join(to, "strongroom.yaml"), ended: make(chan struct{})}
	if err := syscall.Mkfifo(s.config, 0o600); err != nil {
		t.Skipf("this file system has no fifo: %v", err)
	}
	text := "http: {listen: 127.0.0.1:0}\narchives:\n" + inDir("a", dir, to+"/a", "")
	s.launch()
	write := func(before func() error) {
		f, err := os.OpenFile(s.config, os.O_WRONLY, 0) // waits for the reader
		if err == nil {
			err = before()
			_, writeErr := f.WriteString(text)
			err = errors.Join(err, writeErr, f.Close())
		}
		if err != nil {
			t.Error(err)
		}
	}
	go write(func() (err error) {
		for range 20 {
			err = errors.Join(err, s.cmd.Process.Signal(syscall.SIGHUP))
		}
		return errors.Join(err, s.cmd.Process.Signal(syscall.SIGUSR1))
	})
	s.wait("serving the status page", "")
	go write(func() error { return nil }) // for the reload
	s.wait("SIGHUP: the configuration was reloaded", "")
	s.wait("a snapshot was made", "a") // it has no schedule
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
}

// systemd gets a report when the service is ready, when it reloads and when it stops. The commands around a snapshot do not
// get the socket.
func TestReportsToSystemd(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	reports, socket := listenAsSystemd(t)
	s := serve(t, "archives:\n"+strings.Replace(inDir("a", dir, to+"/a", yearly), "source: {", "source: {before: \"env > "+to+"/env\", ", 1), "NOTIFY_SOCKET="+socket)
	receive := func(want ...string) {
		t.Helper()
		select {
		case got := <-reports:
			for _, w := range want {
				if !strings.Contains(got, w) {
					t.Errorf("%q was reported, without %s", got, w)
				}
			}
		case <-time.After(patience):
			t.Fatalf("%s was not reported:\n%s", want, s.log())
		}
	}
	receive("READY=1")
	s.wait("a snapshot was made", "a")
	s.signal(syscall.SIGHUP)
	receive("RELOADING=1\nMONOTONIC_USEC=")
	receive("READY=1")
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d", code)
	}
	receive("STOPPING=1")
	env, err := os.ReadFile(filepath.Join(to, "env"))
	if err != nil || strings.Contains(string(env), "NOTIFY_SOCKET") {
		t.Errorf("a command gets %s, %v", env, err)
	}
}

// shortDir returns a directory for a socket, whose path has at most 107 bytes.
func shortDir(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "sd")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return dir
}

// listenAsSystemd returns the reports to a socket, and its path.
func listenAsSystemd(t *testing.T) (reports chan string, socket string) {
	t.Helper()
	socket = filepath.Join(shortDir(t), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	reports = make(chan string, 10)
	go func() {
		b := make([]byte, 1<<10)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			reports <- string(b[:n])
		}
	}()
	return reports, socket
}

// Without a supervisor nothing is sent, and a socket that is gone is no error of the service.
func TestSupervisor(t *testing.T) {
	reports, socket := listenAsSystemd(t)
	t.Setenv("NOTIFY_SOCKET", socket)
	log := slog.New(slog.DiscardHandler)
	s := findSupervisor(log)
	if _, is := os.LookupEnv("NOTIFY_SOCKET"); is {
		t.Error("the commands that the program starts get the socket")
	}
	s.send("READY=1")
	if got := <-reports; got != "READY=1" {
		t.Errorf("%q", got)
	}
	s.reloading()
	if got := <-reports; !strings.HasPrefix(got, "RELOADING=1\nMONOTONIC_USEC=") {
		t.Errorf("%q", got)
	}
	none := findSupervisor(log)
	none.send("READY=1")
	if err := sendDatagram(socket+".gone", "READY=1"); err == nil {
		t.Error("a socket that is not there takes a report")
	}
}

// The program must not exit before its stop is reported: systemd would wait for the report of a service that is gone.
func TestStopIsReportedBeforeTheExit(t *testing.T) {
	socket := filepath.Join(shortDir(t), "notify")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	raw, err := c.SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	s := &supervisor{socket: socket, log: slog.New(slog.DiscardHandler)}
	for range 50 {
		ctx, cancel := context.WithCancel(t.Context())
		end := s.reportStop(ctx)
		cancel()
		end()
		b := make([]byte, 100)
		var n int
		if err := errors.Join(raw.Read(func(fd uintptr) bool {
			n, _, err = unix.Recvfrom(int(fd), b, unix.MSG_DONTWAIT)
			return true
		}), err); err != nil || string(b[:n]) != "STOPPING=1" {
			t.Fatalf("%q is reported at the exit, %v", b[:n], err)
		}
	}
	end := s.reportStop(t.Context())
	end() // a service that fails reports no stop, and waits for none
}

// A supervisor that reads no reports delays the service for seconds, not for ever.
func TestSupervisorThatDoesNotRead(t *testing.T) {
	t.Parallel()
	socket := filepath.Join(t.TempDir(), "s")
	l, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: socket, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for err == nil { // until it is full
		c.SetWriteDeadline(time.Now().Add(100 * time.Millisecond))
		_, err = c.Write([]byte("x"))
	}
	if err := sendDatagram(socket, "READY=1"); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v", err)
	}
}

// A state directory that hangs stops neither the archives nor the page, the metrics, the health checks and SIGTERM.
// With one file that hangs for each kind of state, the other archive has its snapshots, and so has the archive itself.
func TestServiceWithAStateDirectoryThatHangs(t *testing.T) {
	t.Parallel()
	whole(t)
	dir, to, state := t.TempDir(), t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	if err := os.MkdirAll(filepath.Join(state, "service"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.json", "a+verify.json", "a+told.json", "a+refused.json", "a+verified.json", "a+drilled.json"} {
		for _, suffix := range []string{"", ".new"} {
			if err := syscall.Mkfifo(filepath.Join(state, "service", name+suffix), 0o600); err != nil {
				t.Skipf("this file system has no fifo: %v", err)
			}
		}
	}
	every := "    schedule: \"@every 1s\"\n    verify: {schedule: \"@every 1s\"}\n    notify: [\"webhook+http://127.0.0.1:1/\"]\n    notify_after: 0s\n"
	s := &served{t: t, config: filepath.Join(to, "strongroom.yaml"), ended: make(chan struct{})}
	s.write("state_dir: " + state + "\nhttp: {listen: 127.0.0.1:0}\narchives:\n" + inDir("a", dir, to+"/a", every) + inDir("b", dir, to+"/b", every))
	s.start()
	for _, name := range []string{"a", "b"} {
		s.until("three runs of "+name, func() bool {
			return len(s.logged("a snapshot was made", name))+len(s.logged("nothing new", name)) >= 3
		})
		s.until("verifications of "+name, func() bool { return len(s.logged("the archive was verified", name)) >= 2 })
	}
	s.wait("the state directory does not respond", "")
	for _, path := range []string{"/", "/archives/a", "/readyz", "/healthz", "/metrics", "/api/v1/archives"} {
		s.until("an answer of "+path, func() bool { code, _ := s.get(path); return code == http.StatusOK })
	}
	if code := s.stop(); code != 0 {
		t.Errorf("it ended with %d:\n%s", code, s.log())
	}
}

// status and confirm reach a service with TLS, and accept its certificate alone.
func TestStatusOverTLS(t *testing.T) {
	t.Parallel()
	dir, to := t.TempDir(), t.TempDir()
	logDir(t, dir, 0, 2, 100)
	certFile, keyFile := writeTLS(t, t.TempDir())
	other, _ := writeTLS(t, t.TempDir())
	s := &served{t: t, config: filepath.Join(to, "strongroom.yaml"), ended: make(chan struct{})}
	text := func(listen, cert string) string {
		return "http: {listen: " + listen + ", cert_file: " + cert + ", key_file: " + keyFile + "}\narchives:\n" + inDir("a", dir, to+"/a", yearly)
	}
	s.write(text("127.0.0.1:0", certFile))
	s.start()
	s.wait("a snapshot was made", "a")
	host, ok := strings.CutPrefix(s.base, "https://")
	if !ok {
		t.Fatalf("it serves %s", s.base)
	}
	status := func(cert string) outcome {
		s.write(text(host, cert))
		return finish(t, program(t, "--config", s.config, "status", "--json"))
	}
	if o := status(certFile); o.code != 0 || !strings.Contains(o.stdout, `"service": true`) {
		t.Errorf("exit %d: %s%s", o.code, o.stdout, o.stderr)
	}
	if o := status(other); strings.Contains(o.stdout, `"service": true`) {
		t.Errorf("another certificate is accepted: %s%s", o.stdout, o.stderr)
	}
	s.write(text(host, certFile))
	o := finish(t, program(t, "--config", s.config, "check", "--quick"))
	for _, want := range []string{"ok      listen            the service of this configuration runs there", "note    certificate"} {
		if o.code != exitDone || !strings.Contains(o.stdout, want) {
			t.Errorf("check: exit code %d, want %q in: %s%s", o.code, want, o.stdout, o.stderr)
		}
	}
}

// writeTLS writes a certificate, which is valid for an hour, and its key.
func writeTLS(t *testing.T, dir string) (certFile, keyFile string) {
	t.Helper()
	return writeTLSUntil(t, dir, time.Now().Add(time.Hour))
}

// writeTLSUntil writes a certificate, which begins an hour ago, and its key.
func writeTLSUntil(t *testing.T, dir string, ends time.Time) (certFile, keyFile string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: ends, DNSNames: []string{"backup.example.org"},
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
	err = errors.Join(
		os.WriteFile(certFile, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o644),
		os.WriteFile(keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret}), 0o600))
	if err != nil {
		t.Fatal(err)
	}
	return certFile, keyFile
}
