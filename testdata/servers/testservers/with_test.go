package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

func TestEnvironment(t *testing.T) {
	s := &servers{plain: &server{url: "http://127.0.0.1:1"}, tls: &server{url: "https://127.0.0.1:2"}, dir: "/d", user: "u", secret: "s", ca: "/d/ca"}
	env := s.environment([]string{
		"PATH=/bin", "AWS_PROFILE=mine", "aws_region=x", "AWS_ENDPOINT_URL=http://elsewhere", "STRONGROOM_TEST_S3=old",
		"HTTPS_PROXY=http://proxy", "no_proxy=.example.org",
	})
	for _, want := range []string{
		"PATH=/bin", "HTTPS_PROXY=http://proxy", "no_proxy=127.0.0.1,localhost,.example.org", "NO_PROXY=127.0.0.1,localhost,.example.org",
		"STRONGROOM_TEST_S3=http://127.0.0.1:1", "STRONGROOM_TEST_S3_TLS=https://127.0.0.1:2", "AWS_CA_BUNDLE=/d/ca",
		"AWS_ACCESS_KEY_ID=u", "AWS_SECRET_ACCESS_KEY=s", "AWS_REGION=us-east-1", "AWS_EC2_METADATA_DISABLED=true",
	} {
		if !slices.Contains(env, want) {
			t.Errorf("%s is missing", want)
		}
	}
	for _, e := range env {
		if strings.HasPrefix(e, "AWS_PROFILE") || strings.HasPrefix(e, "aws_") || strings.HasPrefix(e, "AWS_ENDPOINT") || e == "STRONGROOM_TEST_S3=old" {
			t.Errorf("%s is still there", e)
		}
	}
}

func TestServerThatEnds(t *testing.T) {
	fake := filepath.Join(t.TempDir(), "minio")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\necho no luck today\nexit 3\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	s, err := startServers(ctx, fake, t.TempDir())
	defer s.stop()
	if !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "no luck today") {
		t.Errorf("got %v, want %v and the end of the log", err, errEnded)
	}
}

func TestServerThatIsNotReady(t *testing.T) {
	fake := filepath.Join(t.TempDir(), "minio")
	if err := os.WriteFile(fake, []byte("#!/bin/sh\necho let me think\nexec sleep 60\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	s, err := startServers(ctx, fake, t.TempDir())
	if err == nil || !strings.Contains(err.Error(), "not ready in time") || !strings.Contains(err.Error(), "let me think") {
		t.Errorf("got %v, want that it is not ready, and the end of the log", err)
	}
	s.stop()
	for _, r := range []*server{s.plain, s.tls} {
		if r.process.ProcessState == nil {
			t.Errorf("%s still runs", r.url)
		}
	}
}

// running are servers that run by their state alone.
func running() *servers {
	return &servers{plain: &server{done: make(chan struct{})}, tls: &server{done: make(chan struct{})}}
}

func TestExitCode(t *testing.T) {
	for _, test := range []struct {
		command string
		want    int
	}{{"exit 0", 0}, {"exit 7", 7}, {"kill -9 $$", 137}} {
		if got, err := run([]string{"sh", "-c", test.command}, os.Environ(), nil, running()); got != test.want || err != nil {
			t.Errorf("%s: %d, %v; want %d", test.command, got, err, test.want)
		}
	}
	if got, err := run([]string{"/does/not/exist"}, nil, nil, running()); got != exitNotStarted || err == nil {
		t.Errorf("no such command: %d, %v", got, err)
	}
}

func TestSignalReachesGrandchildren(t *testing.T) {
	signals := make(chan os.Signal, 2)
	there := filepath.Join(t.TempDir(), "there")
	go func() {
		for range 100 {
			if _, err := os.Stat(there); err == nil {
				break
			}
			time.Sleep(20 * time.Millisecond)
		}
		signals <- syscall.SIGTERM
	}()
	// The outer shell cannot end before the inner one has noticed the signal.
	script := `trap 'exit 9' TERM; sh -c 'trap "exit 8" TERM; : >"$0"; while :; do sleep 0.05; done' "$0"; exit $?`
	start := time.Now()
	got, err := run([]string{"sh", "-c", script, there}, os.Environ(), signals, running())
	if (got != 8 && got != 9) || err != nil || time.Since(start) > 10*time.Second {
		t.Errorf("%d, %v after %v; want 8 or 9", got, err, time.Since(start))
	}
}

func TestServerThatEndsLater(t *testing.T) {
	s := running()
	s.tls.log = filepath.Join(t.TempDir(), "log")
	if err := os.WriteFile(s.tls.log, []byte("out of memory\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	close(s.tls.done)
	got, err := run([]string{"sleep", "60"}, os.Environ(), nil, s)
	if got != exitServer || !errors.Is(err, errEnded) || !strings.Contains(err.Error(), "out of memory") {
		t.Errorf("%d, %v; want %d and the end of the log", got, err, exitServer)
	}
}

func TestCertificate(t *testing.T) {
	if _, err := exec.LookPath("openssl"); err != nil {
		t.Skip("needs openssl")
	}
	dir := filepath.Join(t.TempDir(), "tls")
	if _, err := certify(dir); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("openssl", "verify", "-CAfile", filepath.Join(dir, "public.crt"), "-verify_ip", "127.0.0.1", "-verify_hostname", "localhost", filepath.Join(dir, "public.crt")).CombinedOutput()
	if err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}
