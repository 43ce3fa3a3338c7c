package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// startGCS starts an emulator of Google Cloud Storage, with the data in its memory, and
// returns when it is ready. Without a path there is none.
func (s *servers) startGCS(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	binary, err := exec.LookPath(path)
	if err != nil {
		return fmt.Errorf("there is no fake-gcs-server: %w; make gcs builds one", err)
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err = s.tryGCS(ctx, binary)
		if try == 3 || !errors.Is(err, errEnded) { // perhaps another process took the port
			return err
		}
	}
}

func (s *servers) tryGCS(ctx context.Context, binary string) error {
	addresses, err := freeAddresses(1)
	if err != nil {
		return fmt.Errorf("looking for a free port: %w", err)
	}
	host, port, _ := strings.Cut(addresses[0], ":")
	home, err := os.MkdirTemp(s.dir, "gcs-")
	if err != nil {
		return err
	}
	r := &server{name: "fake-gcs-server", url: "http://" + addresses[0], log: filepath.Join(home, "log"), done: make(chan struct{})}
	log, err := os.Create(r.log)
	if err != nil {
		return err
	}
	defer log.Close()
	// It does not find objects under another name than its public host's. Without a port
	// there, it answers on a proxy's as well.
	r.process = exec.Command(binary, "-backend", "memory", "-scheme", "http", "-host", host, "-port", port,
		"-public-host", host, "-external-url", r.url, "-data", home, "-log-level", "warn")
	r.process.Dir = home
	r.process.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + home}
	r.process.Stdout, r.process.Stderr = log, log
	r.process.SysProcAttr = ownGroup()
	if err := r.process.Start(); err != nil {
		return fmt.Errorf("starting fake-gcs-server: %w", err)
	}
	go func() {
		_ = r.process.Wait()
		close(r.done)
	}()
	s.extra = append(s.extra, r) // to be stopped, whatever follows
	if err := r.ready(ctx, "/_internal/healthcheck", nil); err != nil {
		if errors.Is(err, errEnded) {
			s.extra = s.extra[:len(s.extra)-1]
		}
		return err
	}
	s.extraEnv = append(s.extraEnv, "STRONGROOM_TEST_GCS="+addresses[0])
	return nil
}
