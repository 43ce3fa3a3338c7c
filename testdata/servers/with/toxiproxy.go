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

// startToxiproxy starts a program that makes proxies for the tests, and returns when it is
// ready. Without a path there is none.
func (s *servers) startToxiproxy(ctx context.Context, path string) error {
	if path == "" {
		return nil
	}
	binary, err := exec.LookPath(path)
	if err != nil {
		return fmt.Errorf("there is no toxiproxy: %w; make toxiproxy builds one", err)
	}
	if binary, err = filepath.Abs(binary); err != nil {
		return err
	}
	for try := 1; ; try++ {
		err = s.tryToxiproxy(ctx, binary)
		if try == 3 || !errors.Is(err, errEnded) { // perhaps another process took the port
			return err
		}
	}
}

func (s *servers) tryToxiproxy(ctx context.Context, binary string) error {
	addresses, err := freeAddresses(1)
	if err != nil {
		return fmt.Errorf("looking for a free port: %w", err)
	}
	host, port, _ := strings.Cut(addresses[0], ":")
	home, err := os.MkdirTemp(s.dir, "toxiproxy-")
	if err != nil {
		return err
	}
	r := &server{name: "toxiproxy", url: "http://" + addresses[0], log: filepath.Join(home, "log"), done: make(chan struct{})}
	log, err := os.Create(r.log)
	if err != nil {
		return err
	}
	defer log.Close()
	r.process = exec.Command(binary, "-host", host, "-port", port, "-proxy-metrics")
	r.process.Dir = home
	// Each broken connection would be told of: they are what it is for.
	r.process.Env = []string{"HOME=" + home, "PATH=" + os.Getenv("PATH"), "TMPDIR=" + home, "LOG_LEVEL=error"}
	r.process.Stdout, r.process.Stderr = log, log
	r.process.SysProcAttr = ownGroup()
	if err := r.process.Start(); err != nil {
		return fmt.Errorf("starting toxiproxy: %w", err)
	}
	go func() {
		_ = r.process.Wait()
		close(r.done)
	}()
	s.extra = append(s.extra, r) // to be stopped, whatever follows
	if err := r.ready(ctx, "/version", nil); err != nil {
		if errors.Is(err, errEnded) {
			s.extra = s.extra[:len(s.extra)-1]
		}
		return err
	}
	s.extraEnv = append(s.extraEnv, "STRONGROOM_TEST_TOXIPROXY="+addresses[0])
	return nil
}
