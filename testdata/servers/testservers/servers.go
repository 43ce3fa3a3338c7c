package main

import (
	"bytes"
	"cmp"
	"context"
	"crypto/rand"
	"crypto/x509"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// servers are the two MinIO servers, which are nil before their start, and the extra servers.
type servers struct {
	plain, tls   *server
	dir          string
	user, secret string
	minio        string // the binary
	kms          string // name and key of MinIO's encryption on request
	ca           string // PEM file of the certificate
	extra        []*server
	extraEnv     []string // the command's variables for them
}

// A server is one process.
type server struct {
	name    string // empty for MinIO
	url     string
	log     string // file
	process *exec.Cmd
	done    chan struct{} // closed when the process has ended
}

// errEnded means that a server has ended unexpectedly.
var errEnded = errors.New("it has ended")

// startServers returns when both servers are ready. The caller must call stop, also after an error.
func startServers(ctx context.Context, minio, parent string) (*servers, error) {
	key := make([]byte, 32)
	rand.Read(key) // never fails
	s := &servers{user: "test" + rand.Text()[:12], secret: rand.Text(), kms: "test:" + base64.StdEncoding.EncodeToString(key)}
	minio, err := exec.LookPath(minio)
	if err != nil {
		return s, fmt.Errorf("there is no MinIO: %w; make minio builds one", err)
	}
	if minio, err = filepath.Abs(minio); err != nil {
		return s, err
	}
	s.minio = minio
	if s.dir, err = os.MkdirTemp(parent, ""); err != nil {
		return s, err
	}
	s.ca = filepath.Join(s.dir, "tls", "public.crt")
	// The SDKs find these instead of the user's own; an empty file configures nothing.
	for _, name := range []string{"config", "credentials"} {
		if err := os.WriteFile(filepath.Join(s.dir, "aws-"+name), nil, 0o600); err != nil {
			return s, err
		}
	}
	pool, err := certify(filepath.Join(s.dir, "tls"))
	if err != nil {
		return s, fmt.Errorf("making a certificate: %w", err)
	}
	addresses, err := freeAddresses(2)
	if err != nil {
		return s, fmt.Errorf("finding free ports: %w", err)
	}
	if s.plain, err = s.start(minio, "http", addresses[0]); err != nil {
		return s, err
	}
	if s.tls, err = s.start(minio, "https", addresses[1], "--certs-dir", filepath.Join(s.dir, "tls")); err != nil {
		return s, err
	}
	return s, errors.Join(s.plain.ready(ctx, minioReady, nil), s.tls.ready(ctx, minioReady, pool))
}

// start starts one server.
func (s *servers) start(minio, scheme, address string, args ...string) (*server, error) {
	home := filepath.Join(s.dir, scheme)
	if err := os.Mkdir(home, 0o700); err != nil {
		return nil, err
	}
	r := &server{url: scheme + "://" + address, log: filepath.Join(home, "log"), done: make(chan struct{})}
	log, err := os.Create(r.log)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	r.process = exec.Command(minio, append([]string{"server", "--address", address, "--quiet"}, append(args, filepath.Join(home, "data"))...)...)
	r.process.Dir = home
	r.process.Env = []string{
		"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + home,
		"MINIO_ROOT_USER=" + s.user, "MINIO_ROOT_PASSWORD=" + s.secret, "MINIO_KMS_SECRET_KEY=" + s.kms,
		"MINIO_BROWSER=off", "MINIO_UPDATE=off", "MINIO_CALLHOME_ENABLE=off", "GOGC=" + os.Getenv("GOGC"),
	}
	r.process.Stdout, r.process.Stderr = log, log
	// In its own group, the server does not get the terminal's ^C.
	r.process.SysProcAttr = ownGroup()
	if err := r.process.Start(); err != nil {
		return nil, fmt.Errorf("starting MinIO: %w", err)
	}
	go func() {
		_ = r.process.Wait()
		close(r.done)
	}()
	return r, nil
}

// freeAddresses returns n different addresses that are free at the moment.
func freeAddresses(n int) ([]string, error) {
	var addresses []string
	for range n {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer l.Close() // after all are found, so that none is found twice
		addresses = append(addresses, l.Addr().String())
	}
	return addresses, nil
}

// minioReady is the path of MinIO's readiness check.
const minioReady = "/minio/health/ready"

// ready waits until the server responds to a path with 200. It uses no proxy and, over TLS, trusts only the
// certificate in the pool.
func (r *server) ready(ctx context.Context, path string, pool *x509.CertPool) error {
	client := http.Client{Transport: transport(pool), Timeout: 2 * time.Second}
	defer client.CloseIdleConnections()
	for {
		request, err := http.NewRequestWithContext(ctx, http.MethodGet, r.url+path, nil)
		if err != nil {
			return err
		}
		var why string
		response, err := client.Do(request)
		if err != nil {
			why = err.Error()
		} else {
			response.Body.Close()
			if response.StatusCode == http.StatusOK {
				return nil
			}
			why = response.Status
		}
		select {
		case <-ctx.Done():
			return r.failure(fmt.Errorf("it was not ready in time: %s", why))
		case <-r.done:
			return r.failure(errEnded)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// failure returns an error that shows the end of the server's log.
func (r *server) failure(why error) error {
	const most = 40
	b, err := os.ReadFile(r.log)
	if err != nil {
		b = []byte(err.Error())
	}
	lines := strings.Split(string(bytes.TrimSpace(b)), "\n")
	if len(lines) > most {
		lines = lines[len(lines)-most:]
	}
	return fmt.Errorf("%s at %s: %w; its log ends with\n\t%s", cmp.Or(r.name, "MinIO"), r.url, why, strings.Join(lines, "\n\t"))
}

// stop stops the servers and waits until they have ended.
func (s *servers) stop() {
	s.stopExtra()
	for _, r := range []*server{s.plain, s.tls} {
		if r != nil {
			_ = r.process.Process.Signal(syscall.SIGTERM)
		}
	}
	for _, r := range []*server{s.plain, s.tls} {
		if r == nil {
			continue
		}
		select {
		case <-r.done:
		case <-time.After(5 * time.Second):
			_ = r.process.Process.Kill()
			<-r.done
		}
	}
}

// environment returns base with the servers' variables, and without settings that would connect a test to another
// service: all settings of AWS, Azure and Google, and proxies for the servers' addresses. Other proxy settings
// stay: go test may need them to download modules.
func (s *servers) environment(base []string) []string {
	var env []string
	none := "127.0.0.1,localhost"
	for _, e := range base {
		name, value, _ := strings.Cut(e, "=")
		switch upper := strings.ToUpper(name); {
		case strings.HasPrefix(upper, "AWS_") || strings.HasPrefix(upper, "AZURE_") || strings.HasPrefix(upper, "GOOGLE_") || upper == "STORAGE_EMULATOR_HOST" || strings.HasPrefix(upper, "STRONGROOM_TEST_"):
		case upper == "NO_PROXY":
			if value != "" {
				none += "," + value
			}
		default:
			env = append(env, e)
		}
	}
	return append(append(env, s.extraEnv...),
		"NO_PROXY="+none, "no_proxy="+none,
		"STRONGROOM_TEST_MINIO="+s.minio, // for tests that stop and restart a server
		"STRONGROOM_TEST_S3="+s.plain.url,
		"STRONGROOM_TEST_S3_TLS="+s.tls.url,
		"AWS_ACCESS_KEY_ID="+s.user,
		"AWS_SECRET_ACCESS_KEY="+s.secret,
		"AWS_REGION=us-east-1",
		"AWS_CA_BUNDLE="+s.ca,
		"AWS_EC2_METADATA_DISABLED=true",
		"AWS_CONFIG_FILE="+filepath.Join(s.dir, "aws-config"),
		"AWS_SHARED_CREDENTIALS_FILE="+filepath.Join(s.dir, "aws-credentials"),
	)
}
